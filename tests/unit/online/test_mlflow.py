"""MLflow's scoring protocol over a real connection."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from serving import Server, serving

import cauce

TWO = ["banana", "xyz"]


@pytest.mark.parametrize(
    "body",
    [
        {"inputs": TWO},
        {"inputs": {"text": TWO}},
        {"inputs": [{"text": "banana"}, {"text": "xyz"}]},
        {"instances": TWO},
        {"instances": [["banana"], ["xyz"]]},
        {"instances": [{"text": "banana"}, {"text": "xyz"}]},
        {"dataframe_records": [{"text": "banana", "other": 1}, {"text": "xyz", "other": 2}]},
        {"dataframe_split": {"columns": ["other", "text"], "index": [0, 1], "data": [[1, "banana"], [2, "xyz"]]}},
    ],
)
def test_each_shape_of_rows_gets_the_columns_that_mlflow_would_give(echo: Server, body: dict[str, Any]) -> None:
    found = echo.post("/invocations", body)
    expected = cauce.load("echo").predict(TWO).to_arrow().to_pylist()
    assert found.status == 200
    assert list(found.json) == ["predictions"]
    assert found.json["predictions"] == expected


def test_a_row_that_has_no_answer_leaves_its_neighbors_theirs(echo: Server) -> None:
    found = echo.post("/invocations", {"inputs": ["banana", "", None]}).json["predictions"]
    assert [one["error"] for one in found] == [None, "empty_text", "missing_input"]
    assert [one["label"] for one in found] == ["many_a", None, None]


def test_a_single_text_is_a_row(echo: Server) -> None:
    assert [one["label"] for one in echo.post("/invocations", {"inputs": "banana"}).json["predictions"]] == ["many_a"]


def test_the_probes_answer(echo: Server) -> None:
    assert [echo.get(path).status for path in ("/ping", "/health", "/version")] == [200, 200, 200]
    assert echo.get("/version").body.decode() == version("cauce")


@pytest.mark.parametrize(
    ("body", "status", "error_code", "code"),
    [
        (b"{bad", 400, "BAD_REQUEST", "wrong_body"),
        ([], 400, "BAD_REQUEST", "wrong_body"),
        ({}, 400, "BAD_REQUEST", "wrong_body"),
        ({"inputs": ["a"], "instances": ["a"]}, 400, "BAD_REQUEST", "wrong_body"),
        ({"inputs": []}, 422, "INVALID_PARAMETER_VALUE", "input"),
        ({"inputs": 7}, 422, "INVALID_PARAMETER_VALUE", "input"),
        ({"inputs": {"texto": ["a"]}}, 422, "INVALID_PARAMETER_VALUE", "input"),
        ({"inputs": {"text": "a"}}, 422, "INVALID_PARAMETER_VALUE", "input"),
        ({"dataframe_split": {"columns": ["text"]}}, 422, "INVALID_PARAMETER_VALUE", "input"),
        ({"dataframe_split": {"columns": ["text"], "data": [["a", "b"]]}}, 422, "INVALID_PARAMETER_VALUE", "input"),
        ({"dataframe_split": []}, 422, "INVALID_PARAMETER_VALUE", "input"),
        ({"inputs": ["a" * 60_000], "params": {"truncate": False}}, 413, "INVALID_PARAMETER_VALUE", "text_too_long"),
    ],
)
def test_bad_input_has_a_stable_code(echo: Server, body: object, status: int, error_code: str, code: str) -> None:
    found = echo.post("/invocations", body)
    assert (found.status, found.json["error_code"]) == (status, error_code)
    assert found.json["message"].startswith(f"{code}: ")


def test_what_is_not_json_is_told_so(echo: Server) -> None:
    found = echo.ask("POST", "/invocations", b"text\nbanana\n", {"content-type": "text/csv"})
    assert (found.status, found.json["message"].partition(":")[0]) == (415, "wrong_media_type")


def test_a_frame_of_typed_columns(task_folders: dict[str, Path]) -> None:
    rows = [{"title": "bueno", "body": "llegó", "color": "rojo", "size": 2.5, "paid": True}, {"title": "malo", "size": None}]
    names = ["paid", "size", "color", "body", "title"]
    frame = {"columns": names, "data": [[row.get(name) for name in names] for row in rows]}
    expected = cauce.load(task_folders["mixed"]).predict(rows).to_arrow().to_pylist()
    with serving(f"mixed={task_folders['mixed']}") as server:
        for body in ({"dataframe_split": frame}, {"dataframe_records": rows}):
            found = server.post("/invocations", body).json["predictions"]
            assert [one["label"] for one in found] == [one["label"] for one in expected]
            assert [one["scores"] for one in found] == [pytest.approx(one["scores"]) for one in expected]


def test_vectors_of_a_model_without_labels(encoder_folders: dict[str, Path]) -> None:
    with serving(str(encoder_folders["vectors"])) as server:
        found = server.post("/invocations", {"inputs": ["one word", ""]}).json["predictions"]
        assert found[0] == pytest.approx(cauce.load(encoder_folders["vectors"]).embed(["one word"])[0].as_py(), abs=1e-5)
        assert found[1] is None
