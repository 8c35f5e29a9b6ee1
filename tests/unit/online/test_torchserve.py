"""TorchServe's inference address over a real connection."""

from __future__ import annotations

from pathlib import Path

import pytest
from serving import Server, serving

import cauce

PREDICT = "/predictions/echo"
FORM = {"content-type": "application/x-www-form-urlencoded"}
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"banana", {}),
        (b"banana", {"content-type": "text/plain; charset=utf-8"}),
        (b"data=banana", FORM),
        (b"banana", FORM),
        (b'"banana"', JSON),
        (b'{"data": "banana"}', JSON),
        (b'{"body": "banana"}', JSON),
        (b'{"text": "banana"}', JSON),
    ],
)
def test_a_text_in_any_dress_gets_the_probability_of_each_label(echo: Server, body: bytes, headers: dict[str, str]) -> None:
    found = echo.ask("POST", PREDICT, body, headers)
    assert found.status == 200
    assert list(found.json) == ["many_a", "few_a"]
    assert found.json == pytest.approx(cauce.load("echo").predict("banana")[0].scores)


def test_instances_are_answered_as_a_list(echo: Server) -> None:
    found = echo.post(PREDICT, {"instances": ["banana", "", "xyz"]}).json["predictions"]
    assert [one.get("label", one.get("error")) for one in found] == ["many_a", "empty_text", "few_a"]


def test_a_version_may_be_named(echo: Server) -> None:
    assert echo.ask("POST", f"{PREDICT}/{cauce.load('echo').version[:8]}", b"a").status == 200
    assert echo.ask("POST", f"{PREDICT}/ffff", b"a").status == 404


def test_a_healthy_server_says_so(echo: Server) -> None:
    assert echo.get("/ping").json == {"status": "Healthy"}


@pytest.mark.parametrize(
    ("path", "body", "headers", "status", "code"),
    [
        (PREDICT, b"{bad", JSON, 400, "wrong_body"),
        (PREDICT, b"\xff", {}, 400, "wrong_body"),
        (PREDICT, b"", {}, 422, "empty_text"),
        (PREDICT, b"null", JSON, 422, "missing_input"),
        (PREDICT, b"7", JSON, 422, "wrong_type"),
        (PREDICT, b'{"instances": []}', JSON, 422, "input"),
        ("/predictions/nobody", b"a", {}, 404, "unknown_model"),
        ("/predictions", b"a", {}, 404, "unknown_route"),
    ],
)
def test_bad_input_has_a_stable_code(
    echo: Server, path: str, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    found = echo.ask("POST", path, body, headers)
    assert (found.status, found.json["code"], found.json["type"]) == (status, status, code)
    assert found.json["message"]


def test_each_task_answers_in_its_own_way(task_folders: dict[str, Path], encoder_folders: dict[str, Path]) -> None:
    several, number, vectors = task_folders["multilabel"], task_folders["regression"], encoder_folders["vectors"]
    with serving(f"tags={several}", f"price={number}", f"vectors={vectors}") as server:
        row = {"body": "llegó tarde", "title": "roto", "color": "verde"}
        assert server.post("/predictions/tags", row).json == pytest.approx(cauce.load(several).predict([row])[0].scores)
        row = {"title": "bueno taza", "color": "rojo", "size": 1.5, "paid": True}
        assert server.post("/predictions/price", row).json == pytest.approx(cauce.load(number).predict([row])[0].score)
        vector = cauce.load(vectors).embed(["one word"])[0].as_py()
        assert server.ask("POST", "/predictions/vectors", b"one word").json == pytest.approx(vector, abs=1e-5)
        assert server.ask("POST", "/predictions/vectors", b" ").json["type"] == "empty_text"
        assert server.ask("POST", "/predictions/tags", b"roto").status == 422
