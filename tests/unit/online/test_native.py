"""Our own protocol over a real connection."""

from __future__ import annotations

import pytest
from serving import Server

import cauce


def test_one_text_gets_its_label_scores_and_who_answered(echo: Server) -> None:
    found = echo.post("/v1/predict", {"text": "banana"})
    expected = cauce.load("echo").predict("banana")[0]
    assert found.status == 200
    assert found.json["label"] == expected.label == "many_a"
    assert found.json["scores"] == pytest.approx(expected.scores)
    assert found.headers["x-model-name"] == found.json["model"]["name"] == "echo"
    assert found.headers["x-model-version"] == found.json["model"]["version"]
    parts = dict(part.strip().split(";dur=") for part in found.headers["server-timing"].split(","))
    assert list(parts) == ["queue", "tokenize", "infer", "total"]
    assert float(parts["total"]) >= sum(float(parts[name]) for name in ("queue", "tokenize", "infer")) - 0.02  # rounded


def test_rows_are_answered_in_order_and_a_bad_one_has_its_own_error(echo: Server) -> None:
    rows = ["banana", "", "xyz", None, {"text": "aaaa"}]
    found = echo.post("/v1/predict", {"rows": rows}).json["predictions"]
    assert [one.get("label") for one in found] == ["many_a", None, "few_a", None, "many_a"]
    assert [one.get("error") for one in found] == [None, "empty_text", None, "missing_input", None]


def test_the_id_of_a_request_comes_back(echo: Server) -> None:
    assert echo.post("/v1/predict", {"text": "a"}, **{"x-request-id": "mine-7"}).headers["x-request-id"] == "mine-7"
    assert echo.post("/v1/predict", {}, **{"x-request-id": "mine-8"}).json["request_id"] == "mine-8"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{bad", 400, "wrong_body"),
        (b'"text"', 400, "wrong_body"),
        (b'{"text": "\xff"}', 400, "wrong_body"),
        (b"", 400, "wrong_body"),
        ({}, 422, "input"),
        ({"rows": []}, 422, "input"),
        ({"rows": "a"}, 422, "input"),
        ({"rows": [7]}, 422, "input"),
        ({"text": ""}, 422, "empty_text"),
        ({"text": None}, 422, "missing_input"),
        ({"text": 7}, 422, "wrong_type"),
        ({"text": "a", "top_k": 0}, 422, "input"),
        ({"text": "a", "top_k": "two"}, 422, "input"),
        ({"text": "a", "min_score": 2}, 422, "input"),
        ({"text": "a", "explain": True}, 422, "input"),
        ({"text": "a", "model": "nobody"}, 404, "unknown_model"),
        ({"text": "a", "version": "ffff"}, 404, "unknown_model"),
        ({"text": "a" * 60_000, "truncate": False}, 413, "text_too_long"),
        ({"text": "a" * 11_000_000}, 413, "body_too_large"),
    ],
)
def test_bad_input_has_a_stable_code_and_says_what_to_do(echo: Server, body: object, status: int, code: str) -> None:
    found = echo.post("/v1/predict", body)
    assert (found.status, found.json["code"]) == (status, code)
    assert found.headers["content-type"] == "application/problem+json"
    assert found.json["detail"]


def test_an_unknown_address_and_a_wrong_method_are_told(echo: Server) -> None:
    assert (echo.get("/nope").status, echo.get("/nope").json["code"]) == (404, "unknown_route")
    found = echo.get("/v1/predict")
    assert (found.status, found.json["code"]) == (405, "wrong_method")
