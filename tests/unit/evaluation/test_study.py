"""The study: mistakes, reliability, slices and the other model, from scores that are written by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cauce.errors import InputError, Tampered
from cauce.evaluation.evaluate import constant, report
from cauce.evaluation.study import FILE, SHOWN, Rows, Study, read, rival, row_merit, study

LABELS = ("no", "sí")


def studied(task: str, truth: np.ndarray, scores: np.ndarray, labels: tuple[str, ...], texts: list[str]) -> Study:
    limits = (0.5,) * len(labels)
    scores = scores.astype(np.float32)
    return study(
        task,  # type: ignore[arg-type]
        truth,
        scores,
        labels,
        limits,
        Rows(texts, texts, {}, None),
        report=report(task, truth, scores, labels, limits),  # type: ignore[arg-type]
        baseline=constant(task, (0.5,) * len(labels), truth, labels),  # type: ignore[arg-type]
        usual="no",
        measured_on="test",
    )


def test_mistakes_come_with_the_surest_first_and_rows_without_an_answer_are_none() -> None:
    scores = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [np.nan, np.nan]])
    found = studied("classification", np.array([1, 0, 1, 0]), scores, LABELS, ["a", "b", "c", "d"])
    assert [(one.text, one.true, one.given, round(one.score, 2)) for one in found.mistakes] == [
        ("a", "sí", "no", 0.9),
        ("b", "no", "sí", 0.6),
    ]
    assert found.errors == 1
    assert found.metrics["accuracy"].value == 0.25


def test_a_mistake_of_several_labels_names_all_of_them() -> None:
    truth = np.array([[True, False, True], [False, False, False]])
    found = studied("multilabel", truth, np.array([[0.9, 0.7, 0.6], [0.1, 0.95, 0.2]]), ("a", "b", "c"), ["x", "y"])
    assert [(one.text, one.true, one.given) for one in found.mistakes] == [("y", "", "b"), ("x", "a, c", "a, b, c")]


def test_numbers_have_a_grid_and_errors_and_no_reliability() -> None:
    truth = np.array([[1.0], [2.0], [30.0]])
    found = studied("regression", truth, np.array([[1.5], [2.0], [3.0]]), ("n",), ["a", "b", "c"])
    assert [one.text for one in found.mistakes] == ["c", "a"]
    assert found.mistakes[0].score == pytest.approx(27)
    assert found.grid is not None
    assert sum(map(sum, found.grid.rows)) == 3
    assert sum(rows for _, rows in found.residuals) == 3
    assert found.reliability == ()
    assert found.confusion is None


def test_reliability_gives_the_calibration_error_of_the_metrics() -> None:
    random = np.random.default_rng(0)
    sure = random.uniform(0.5, 1, 500)
    truth = (random.uniform(size=500) < 0.8).astype(np.int64)
    found = studied("classification", truth, np.column_stack([1 - sure, sure]), LABELS, ["t"] * 500)
    ece = sum(one.rows * abs(one.right - one.score) for one in found.reliability) / 500
    assert ece == pytest.approx(found.metrics["ece"].value, abs=1e-6)


def test_long_texts_are_cut() -> None:
    found = studied("classification", np.array([1, 0]), np.array([[0.9, 0.1]] * 2), LABELS, ["é" * 10_000, "b"])
    assert len(found.mistakes[0].text) == SHOWN


def test_no_answer_is_right_to_nothing() -> None:
    nothing = np.full((3, 2), np.nan, np.float32)
    assert row_merit("classification", np.array([0, 1, 0]), nothing, ()).sum() == 0
    assert row_merit("multilabel", np.zeros((3, 2), bool), nothing, (0.5, 0.5)).sum() == 0
    assert row_merit("regression", np.ones((3, 1)), nothing[:, :1], ()).tolist() == [0, 0, 0]


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_another_model_is_compared_row_by_row(task: str) -> None:
    ours, theirs = np.repeat([1.0, 0.0, 1.0], [80, 15, 5]), np.repeat([1.0, 0.0, 0.0], [80, 15, 5])
    figures = report("classification", np.array([0, 1]), np.eye(2, dtype=np.float32), LABELS, ())
    found = rival(task, "other", "f" * 64, figures, ours, theirs)  # type: ignore[arg-type]
    assert found.difference.value == pytest.approx(0.05)
    assert found.difference.low > 0
    assert (found.only_this, found.only_other) == ((5, 0) if task == "classification" else (0, 5))


def test_a_study_is_read_as_it_was_written_and_a_broken_one_is_refused(tmp_path: Path) -> None:
    found = studied("classification", np.array([1, 0]), np.array([[0.9, 0.1]] * 2), LABELS, ["a", "b"])
    with pytest.raises(InputError, match=r"report\.json"):
        read(tmp_path)
    (tmp_path / FILE).parent.mkdir()
    (tmp_path / FILE).write_text(found.model_dump_json(), "utf-8")
    assert read(tmp_path) == found
    (tmp_path / FILE).write_text('{"rows": "many"}', "utf-8")
    with pytest.raises(Tampered):
        read(tmp_path)
