"""KServe's first protocol over a real connection."""

from __future__ import annotations

from pathlib import Path

import pytest
from serving import Server, serving

import cauce

PREDICT = "/v1/models/echo:predict"


def test_instances_become_predictions(echo: Server) -> None:
    expected = cauce.load("echo").predict(["banana", "xyz"])
    found = echo.post(PREDICT, {"instances": ["banana", "", {"text": "xyz"}]}).json["predictions"]
    assert [one.get("label") for one in found] == ["many_a", None, "few_a"]
    assert found[0]["scores"] == pytest.approx(expected[0].scores)
    assert found[1]["error"] == "empty_text"
    assert echo.post(PREDICT, {"instances": [["banana"]]}).json["predictions"] == found[:1]


def test_a_version_may_be_named(echo: Server) -> None:
    version = cauce.load("echo").version[:8]
    assert echo.post(f"/v1/models/echo/versions/{version}:predict", {"instances": ["a"]}).status == 200
    assert echo.post("/v1/models/echo/versions/ffff:predict", {"instances": ["a"]}).status == 404


def test_a_ready_model_says_so(echo: Server) -> None:
    told = echo.get("/v1/models/echo").json
    assert (told["name"], told["ready"]) == ("echo", True)
    assert told["model_version_status"] == [{"version": cauce.load("echo").version, "state": "AVAILABLE"}]
    assert "echo" in echo.get("/v1/models").json["models"]
    assert echo.get("/v1/models/nobody").status == 404
    assert echo.get("/").json["status"] == "alive"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{bad", 400, "wrong_body"),
        ({}, 400, "wrong_body"),
        ({"instances": []}, 422, "input"),
        ({"instances": "banana"}, 422, "input"),
        ({"instances": [["a", "b"]]}, 422, "input"),
        ({"instances": ["a"], "parameters": 7}, 422, "input"),
        ({"instances": ["a" * 60_000], "parameters": {"truncate": False}}, 413, "text_too_long"),
    ],
)
def test_bad_input_has_a_stable_code(echo: Server, body: object, status: int, code: str) -> None:
    found = echo.post(PREDICT, body)
    assert found.status == status
    assert found.json["error"].startswith(f"{code}: ")


def test_an_unknown_model_is_told(echo: Server) -> None:
    found = echo.post("/v1/models/nobody:predict", {"instances": ["a"]})
    assert (found.status, found.json["error"].partition(":")[0]) == (404, "unknown_model")


def test_rows_of_a_table_by_name_or_by_place(task_folders: dict[str, Path], encoder_folders: dict[str, Path]) -> None:
    row = {"color": "rojo", "size": 2.5, "paid": True}
    expected = cauce.load(task_folders["table"]).predict([row])[0]
    with serving(f"table={task_folders['table']}", f"vectors={encoder_folders['vectors']}") as server:
        order = [one["name"] for one in server.get("/v1/models/table").json["inputs"]]
        rows = [row, [row[name] for name in order]]
        found = server.post("/v1/models/table:predict", {"instances": rows}).json["predictions"]
        assert [one["scores"] for one in found] == [pytest.approx(expected.scores)] * 2
        wrong = server.post("/v1/models/table:predict", {"instances": ["rojo"]})
        assert (wrong.status, "color" in wrong.json["error"]) == (422, True)

        vectors = server.post("/v1/models/vectors:predict", {"instances": ["one word", ""]}).json["predictions"]
        assert vectors[0] == pytest.approx(cauce.load(encoder_folders["vectors"]).embed(["one word"])[0].as_py(), abs=1e-5)
        assert vectors[1] is None
