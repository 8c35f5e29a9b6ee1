"""Text Embeddings Inference over a real connection."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from serving import Server

import cauce
from cauce.errors import CauceError, Expired, NotReady, Overloaded
from cauce.online.protocols import tei
from cauce.online.protocols.native import RowError

TEXTS = ["me encanta, llegó antes de tiempo", "it broke after a day", "ok"]


def test_one_text_gets_a_flat_list_the_best_first(every_task: Server, folders: dict[str, Path]) -> None:
    expected = cauce.load(folders["mood"]).predict(TEXTS[0])[0]
    for inputs in (TEXTS[0], [TEXTS[0]]):
        found = every_task.post("/predict", {"inputs": inputs}).json
        assert [one["label"] for one in found] == list(expected.scores)
        assert [one["score"] for one in found] == pytest.approx(list(expected.scores.values()), abs=1e-6)


def test_a_batch_is_a_list_of_lists(every_task: Server) -> None:
    alone = [every_task.post("/predict", {"inputs": text}).json for text in TEXTS]
    for path in ("/predict", "/models/mood/predict"):
        found = every_task.post(path, {"inputs": [[text] for text in TEXTS]}).json
        for one, other in zip(found, alone, strict=True):
            assert [each["label"] for each in one] == [each["label"] for each in other]
            assert [each["score"] for each in one] == pytest.approx([each["score"] for each in other], abs=1e-6)
    assert len(every_task.post("/predict", {"inputs": [["ok"]]}).json) == 1


def test_a_pair_of_texts_is_refused_and_not_taken_for_two(echo: Server) -> None:
    found = echo.post("/predict", {"inputs": ["a", "b"]})
    assert (found.status, found.json["error_type"]) == (422, "Validation")
    assert '[["…"], ["…"]]' in found.json["error"]


def test_raw_scores_are_logits(every_task: Server) -> None:
    logits = every_task.post("/predict", {"inputs": TEXTS[0], "raw_scores": True}).json
    scores = every_task.post("/predict", {"inputs": TEXTS[0]}).json
    assert [one["label"] for one in logits] == [one["label"] for one in scores]
    raised = np.exp([one["score"] for one in logits])
    np.testing.assert_allclose(raised / raised.sum(), [one["score"] for one in scores], atol=1e-6)
    assert logits != scores


def test_keys_that_are_not_known_are_passed_over(echo: Server) -> None:
    found = echo.post("/predict", {"inputs": "banana", "parameters": {"top_k": 1}, "truncation_direction": "Right"})
    assert [one["label"] for one in found.json] == ["many_a", "few_a"]


def test_vectors_have_the_length_one_unless_that_is_declined(every_task: Server, folders: dict[str, Path]) -> None:
    raw = np.array(cauce.load(folders["vectors"]).embed(TEXTS).to_pylist())
    unit = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    first = unit[:, :7] / np.linalg.norm(unit[:, :7], axis=1, keepdims=True)
    for options, expected in (({}, unit), ({"truncate": True}, unit), ({"normalize": False}, raw), ({"dimensions": 7}, first)):
        found = every_task.post("/models/vectors/embed", {"inputs": TEXTS, **options})
        np.testing.assert_allclose(found.json, expected, atol=1e-5)
    alone = every_task.post("/models/vectors/embed", {"inputs": TEXTS[0]}, authorization="no-bearer").json
    np.testing.assert_allclose(alone, unit[:1], atol=1e-5)


def test_info_tells_what_the_model_is(every_task: Server, folders: dict[str, Path]) -> None:
    model = cauce.load(folders["mood"])
    found = every_task.get("/info").json
    labels = found["model_type"]["classifier"]
    assert [labels["id2label"][str(place)] for place in range(len(model.labels))] == list(model.labels)
    assert {number: label for label, number in labels["label2id"].items()} == dict(enumerate(model.labels))
    assert (found["model_sha"], found["served_model_name"]) == (model.version, "mood")
    assert every_task.get("/models/vectors/info").json["model_type"] == {"embedding": {"pooling": "mean"}}
    assert every_task.get("/models/vectors/info").json["max_input_length"] == 24
    whole = [
        found["max_client_batch_size"],
        found["max_input_length"],
        found["max_batch_tokens"],
        found["tokenization_workers"],
    ]
    assert all(type(number) is int and number > 0 for number in whole)


def test_health_is_an_empty_answer(echo: Server) -> None:
    for path in ("/health", "/models/echo/health"):
        found = echo.get(path)
        assert (found.status, found.body) == (200, b"")
    assert echo.get("/models/nobody/health").status == 404


@pytest.mark.parametrize(
    ("path", "body", "status", "kind"),
    [
        ("/predict", b"{bad", 400, "Validation"),
        ("/predict", b"[]", 400, "Validation"),
        ("/predict", b"", 400, "Validation"),
        ("/predict", {}, 422, "Validation"),
        ("/predict", {"inputs": None}, 422, "Validation"),
        ("/predict", {"inputs": 7}, 422, "Validation"),
        ("/predict", {"inputs": {"text": "a"}}, 422, "Validation"),
        ("/predict", {"inputs": ["a", "b", "c"]}, 422, "Validation"),
        ("/predict", {"inputs": [["a", "b"]]}, 422, "Validation"),
        ("/predict", {"inputs": [["a"], ["b", "c"]]}, 422, "Validation"),
        ("/predict", {"inputs": [["a"], "b"]}, 422, "Validation"),
        ("/predict", {"inputs": ["a", ["b"]]}, 422, "Validation"),
        ("/predict", {"inputs": [["a"], [None]]}, 422, "Validation"),
        ("/predict", {"inputs": [7]}, 422, "Validation"),
        ("/predict", {"inputs": []}, 400, "Empty"),
        ("/predict", {"inputs": [[]]}, 400, "Empty"),
        ("/predict", {"inputs": ""}, 400, "Empty"),
        ("/predict", {"inputs": [["a"], [" "]]}, 400, "Empty"),
        ("/predict", {"inputs": "a", "raw_scores": "yes"}, 422, "Validation"),
        ("/predict", {"inputs": "a", "truncate": 1}, 422, "Validation"),
        ("/predict", {"inputs": "a", "truncation_direction": "Left"}, 422, "Validation"),
        ("/predict", {"inputs": "a " * 30_000, "truncate": False}, 422, "Validation"),
        ("/predict", {"inputs": "a" * 11_000_000}, 413, "Validation"),
        ("/models/nobody/predict", {"inputs": "a"}, 404, "Validation"),
        ("/models/tags/predict", {"inputs": "a"}, 422, "Validation"),
        ("/models/vectors/predict", {"inputs": "a"}, 422, "Validation"),
        ("/embed", {"inputs": "a"}, 422, "Validation"),
        ("/models/vectors/embed", {"inputs": []}, 400, "Empty"),
        ("/models/vectors/embed", {"inputs": ["a", ""]}, 400, "Empty"),
        ("/models/vectors/embed", {"inputs": [1, 2]}, 422, "Validation"),
        ("/models/vectors/embed", {"inputs": [["a"]]}, 422, "Validation"),
        ("/models/vectors/embed", {"inputs": "a", "normalize": "no"}, 422, "Validation"),
        ("/models/vectors/embed", {"inputs": "a", "dimensions": 0}, 422, "Validation"),
        ("/models/vectors/embed", {"inputs": "a", "prompt_name": "query"}, 422, "Validation"),
        ("/models/vectors/embed", {"inputs": "a " * 100, "truncate": False}, 422, "Validation"),
    ],
)
def test_bad_input_has_the_type_and_the_status_of_tei(
    every_task: Server, path: str, body: object, status: int, kind: str
) -> None:
    found = every_task.post(path, body)
    assert (found.status, found.json["error_type"]) == (status, kind)
    assert set(found.json) == {"error", "error_type"}
    assert found.json["error"]


def test_texts_over_the_limit_are_cut_where_nothing_is_said(every_task: Server) -> None:
    assert every_task.post("/predict", {"inputs": "a " * 30_000}).status == 200
    assert every_task.post("/models/vectors/embed", {"inputs": "a " * 30_000}).status == 200


def test_a_wrong_method_is_told_in_this_form(echo: Server) -> None:
    found = echo.get("/predict")
    assert (found.status, found.json["error_type"]) == (405, "Validation")


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (NotReady("it drains"), 503, "Unhealthy"),
        (Overloaded("busy", retry_after=3), 429, "Overloaded"),
        (Expired("late"), 429, "Overloaded"),
        (RowError("runtime_failed"), 424, "Backend"),
        (CauceError("a fault"), 424, "Backend"),
    ],
)
def test_faults_have_the_type_and_the_status_of_tei(error: CauceError, status: int, kind: str) -> None:
    found = tei.refused(error, "id")
    assert found.status == status
    assert f'"error_type":"{kind}"'.encode() in found.body
