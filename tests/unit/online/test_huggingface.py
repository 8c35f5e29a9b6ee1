"""The Hugging Face Inference API over a real connection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from serving import Server, serving

import cauce
from cauce.errors import Overloaded
from cauce.model import rows
from cauce.online.protocols import huggingface

TEXTS = ["me encanta, llegó antes de tiempo", "it broke after a day", "ok"]
ORDERS = [
    {"title": "bueno libro 3", "body": "llegó tarde, taza n.º 4 ñ", "color": "verde"},
    {"title": "roto reloj 8", "body": "llegó pronto, silla n.º 9 á", "color": None},
]


def scores_of(found: list[dict[str, Any]]) -> dict[str, float]:
    return {one["label"]: one["score"] for one in found}


def ask(server: Server, path: str, inputs: Any, **parameters: Any) -> Any:
    found = server.post(path, {"inputs": inputs, "parameters": parameters})
    assert found.status == 200, found.body
    return found.json


def test_a_text_gets_the_scores_of_all_labels_within_a_list_of_one(every_task: Server, folders: dict[str, Path]) -> None:
    expected = cauce.load(folders["mood"]).predict(TEXTS[0])[0]
    (found,) = every_task.post("/", {"inputs": TEXTS[0]}).json
    assert list(scores_of(found)) == list(expected.scores)
    assert scores_of(found) == pytest.approx(expected.scores, abs=1e-6)


def test_a_list_is_a_batch_in_its_order(every_task: Server, folders: dict[str, Path]) -> None:
    expected = cauce.load(folders["mood"]).predict(TEXTS)
    found = ask(every_task, "/models/mood", TEXTS)
    assert [scores_of(one) for one in found] == [pytest.approx(one.scores, abs=1e-6) for one in expected]


def test_a_list_of_one_text_is_answered_as_one_text_is(echo: Server) -> None:
    assert ask(echo, "/", ["banana"]) == ask(echo, "/", "banana")


def test_top_k_gives_the_best(echo: Server) -> None:
    assert [[one["label"] for one in row] for row in ask(echo, "/", ["banana", "xyz"], top_k=1)] == [["many_a"], ["few_a"]]
    assert [len(row) for row in ask(echo, "/", "banana", top_k=9)] == [2]


def test_options_that_other_clients_send_are_passed_over(echo: Server) -> None:
    options = {"wait_for_model": True, "use_cache": False}
    for parameters in ({}, None, {"return_all_scores": True}, {"top_k": None, "function_to_apply": None}):
        found = echo.post("/", {"inputs": "banana", "parameters": parameters, "options": options})
        assert found.json == ask(echo, "/", "banana")


def test_rows_of_several_columns_are_objects(every_task: Server, folders: dict[str, Path]) -> None:
    expected = cauce.load(folders["tags"]).predict(ORDERS)
    found = ask(every_task, "/models/tags", ORDERS)
    assert [scores_of(one) for one in found] == [pytest.approx(one.scores, abs=1e-6) for one in expected]


def test_an_object_may_hold_the_text(echo: Server) -> None:
    assert ask(echo, "/", {"text": "banana"}) == ask(echo, "/", "banana")


def test_the_logits_of_one_label_of_several_give_its_probabilities_again(every_task: Server) -> None:
    for logits, scores in zip(ask(every_task, "/", TEXTS, function_to_apply="none"), ask(every_task, "/", TEXTS), strict=True):
        raised = {label: float(np.exp(logit)) for label, logit in scores_of(logits).items()}
        assert {label: value / sum(raised.values()) for label, value in raised.items()} == pytest.approx(
            scores_of(scores), abs=1e-6
        )
    assert ask(every_task, "/", TEXTS, function_to_apply="softmax") == ask(every_task, "/", TEXTS)


def test_the_logits_of_several_labels_are_the_models_own(every_task: Server, folders: dict[str, Path]) -> None:
    model = cauce.load(folders["tags"])
    raw = model.logits(rows.from_any(ORDERS, model.manifest.inputs)[0])[0] / model.manifest.calibration.temperature
    softmax = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
    for function, expected in (("none", raw), ("softmax", softmax), ("SIGMOID", 1 / (1 + np.exp(-raw)))):
        found = ask(every_task, "/models/tags", ORDERS, function_to_apply=function)
        told = [[scores_of(one)[label] for label in model.labels] for one in found]
        np.testing.assert_allclose(told, expected, atol=1e-3 if function == "none" else 1e-5)


def test_a_number_is_its_own_logit(every_task: Server, folders: dict[str, Path]) -> None:
    row = {"title": "libro 3", "color": "rojo", "size": 1.5, "paid": True}
    expected = cauce.load(folders["price"]).predict([row])[0].score
    (found,) = ask(every_task, "/models/price", row)
    assert found == ask(every_task, "/models/price", row, function_to_apply="none")[0]
    assert [one["score"] for one in found] == [pytest.approx(expected, rel=1e-6)]
    assert ask(every_task, "/models/price", row, function_to_apply="sigmoid")[0][0]["score"] == pytest.approx(1.0, abs=1e-3)


def test_a_model_of_vectors_gives_a_list_of_them(every_task: Server, folders: dict[str, Path]) -> None:
    expected = np.array(cauce.load(folders["vectors"]).embed(TEXTS).to_pylist())
    for inputs, wanted in ((TEXTS, expected), (TEXTS[0], expected[:1])):
        found = every_task.post("/models/vectors", {"inputs": inputs})
        np.testing.assert_allclose(found.json, wanted, atol=1e-5)
    unit = every_task.post("/models/vectors", {"inputs": TEXTS, "normalize": True, "truncate": True, "dimensions": 5}).json
    cut = expected[:, :5]
    np.testing.assert_allclose(unit, cut / np.linalg.norm(cut, axis=1, keepdims=True), atol=1e-5)


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/", b"{bad", 400, "wrong_body"),
        ("/", b'"text"', 400, "wrong_body"),
        ("/", b'{"inputs": "\xff"}', 400, "wrong_body"),
        ("/", b"", 400, "wrong_body"),
        ("/", {}, 422, "input"),
        ("/", {"query": "a", "texts": ["b"]}, 422, "input"),
        ("/", {"inputs": []}, 422, "input"),
        ("/", {"inputs": ""}, 422, "empty_text"),
        ("/", {"inputs": " \n"}, 422, "empty_text"),
        ("/", {"inputs": None}, 422, "missing_input"),
        ("/", {"inputs": 7}, 422, "wrong_type"),
        ("/", {"inputs": ["a", ["b"]]}, 422, "wrong_type"),
        ("/", {"inputs": ["a", None]}, 422, "missing_input"),
        ("/", {"inputs": {"text": "a", "text_pair": "b"}}, 422, "input"),
        ("/", {"inputs": [{"text": "a", "text_pair": "b"}]}, 422, "input"),
        ("/", {"inputs": {"source_sentence": "a", "sentences": ["b"]}}, 422, "input"),
        ("/", {"inputs": {"words": "a"}}, 422, "input"),
        ("/", {"inputs": {}}, 422, "input"),
        ("/", {"inputs": {"text": None}}, 422, "missing_input"),
        ("/", {"inputs": "a", "parameters": []}, 422, "input"),
        ("/", {"inputs": "a", "parameters": {"candidate_labels": ["b"]}}, 422, "input"),
        ("/", {"inputs": "a", "parameters": {"top_k": 0}}, 422, "input"),
        ("/", {"inputs": "a", "parameters": {"top_k": True}}, 422, "input"),
        ("/", {"inputs": "a", "parameters": {"top_k": "two"}}, 422, "input"),
        ("/", {"inputs": "a", "parameters": {"function_to_apply": "tanh"}}, 422, "input"),
        ("/", {"inputs": "a", "parameters": {"function_to_apply": 1}}, 422, "input"),
        ("/", {"inputs": "a", "parameters": {"function_to_apply": "sigmoid"}}, 422, "input"),
        ("/", {"inputs": "a", "parameters": {"truncate": "no"}}, 422, "input"),
        ("/", {"inputs": "a", "truncation_direction": "left"}, 422, "input"),
        ("/", {"inputs": "a", "normalize": True}, 422, "input"),
        ("/", {"inputs": "a " * 30_000, "truncate": False}, 413, "text_too_long"),
        ("/", {"inputs": ["a", "a " * 30_000], "parameters": {"truncation": False}}, 413, "text_too_long"),
        ("/", {"inputs": "a" * 11_000_000}, 413, "body_too_large"),
        ("/models/nobody", {"inputs": "a"}, 404, "unknown_model"),
        ("/models/mood@ffff", {"inputs": "a"}, 404, "unknown_model"),
        ("/models/tags", {"inputs": "a"}, 422, "wrong_rows"),
        ("/models/tags", {"inputs": {"size": 1}}, 422, "missing_input"),
        ("/models/vectors", {"inputs": ""}, 422, "empty_text"),
        ("/models/vectors", {"inputs": ["a", ""]}, 422, "empty_text"),
        ("/models/vectors", {"inputs": "a", "dimensions": 33}, 422, "input"),
        ("/models/vectors", {"inputs": "a", "dimensions": "5"}, 422, "input"),
        ("/models/vectors", {"inputs": "a", "prompt_name": "query"}, 422, "input"),
        ("/models/vectors", {"inputs": "a", "encoding_format": "base64"}, 422, "input"),
        ("/models/vectors", {"inputs": ["a", "a " * 100], "truncate": False}, 413, "text_too_long"),
    ],
)
def test_bad_input_has_a_stable_code_and_says_what_is_wrong(
    every_task: Server, path: str, body: object, status: int, code: str
) -> None:
    found = every_task.post(path, body)
    assert (found.status, found.json["error_type"]) == (status, code)
    assert set(found.json) == {"error", "error_type"}
    assert found.json["error"]
    assert found.headers["content-type"] == "application/json"


def test_a_text_over_the_limit_is_cut_where_nothing_is_said(every_task: Server) -> None:
    for path in ("/", "/models/vectors"):
        assert every_task.post(path, {"inputs": "a " * 30_000}).status == 200


def test_the_row_that_is_wrong_is_named(echo: Server) -> None:
    assert echo.post("/", {"inputs": ["a", "b", ""]}).json["error"].startswith("row 3: ")
    assert echo.post("/", {"inputs": ["a", None]}).json["error"].startswith("row 2: ")


def test_the_trace_of_a_request_comes_back(echo: Server) -> None:
    for body, status in (({"inputs": "a"}, 200), ({"inputs": ""}, 422)):
        found = echo.post("/", body, **{"x-amzn-trace-id": "trace-7"})
        assert (found.status, found.headers["x-amzn-trace-id"], found.headers["x-request-id"]) == (status, "trace-7", "trace-7")


def test_a_wrong_method_is_told_in_this_form_and_a_browser_is_shown_the_documentation(echo: Server) -> None:
    found = echo.get("/models/echo")
    assert (found.status, found.json["error_type"]) == (405, "wrong_method")
    assert echo.get("/").json["models"] == ["echo"]
    shown = echo.get("/", accept="text/html,*/*")
    assert (shown.status, shown.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b"swagger" in shown.body.lower()


def test_a_token_is_not_read_and_not_written_down() -> None:
    with serving("echo") as server:
        for token in ("Bearer hf_secret", "hf_secret"):
            assert server.post("/", {"inputs": "a"}, authorization=token).status == 200
            assert server.post("/", {"inputs": 7}, authorization=token).status == 422
        assert "hf_secret" not in server.get("/metrics").body.decode()
        server.stop()
        assert "secret" not in "".join(server.said)


def test_a_busy_server_says_when_to_try_again() -> None:
    found = huggingface.refused(Overloaded("busy", retry_after=7), "id")
    assert found.status == 429
    assert b'"error_type":"overloaded"' in found.body
    assert {("retry-after", "7"), ("ratelimit", '"rows";r=0;t=7')} <= set(found.headers)
