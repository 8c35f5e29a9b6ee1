"""Figures of several labels a row: scikit-learn agrees, and thresholds are the best that there are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from cauce.evaluation.multilabel import LEAST_ROWS, best_thresholds, log_loss, report

NAMES = tuple("abcdef")


@st.composite
def answered(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, tuple[float, ...]]:
    """Coarse scores, so that many are equal; labels that no row has, or every one."""
    rows, labels = draw(st.integers(2, 50)), draw(st.integers(1, 5))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shares = random.choice([0, 0.1, 0.5, 1], labels)
    truth = random.random((rows, labels)) < shares
    scores = (random.integers(1, 20, (rows, labels)) / 20).astype(np.float32)
    return truth, scores, tuple(random.choice([0.25, 0.5, 0.75], labels).tolist())


@given(case=answered())
@example_settings(deadline=None, max_examples=40)
def test_figures_equal_scikit_learn(case: tuple[np.ndarray, np.ndarray, tuple[float, ...]]) -> None:
    truth, scores, thresholds = case
    k = truth.shape[1]
    marks = scores >= np.array(thresholds)
    ours = report(truth, scores, NAMES[:k], thresholds)
    present = [j for j in range(k) if truth[:, j].any() or marks[:, j].any()]
    kept = {"labels": present, "average": "macro", "zero_division": 0}
    expected = {
        "micro_f1": sk.f1_score(truth.ravel(), marks.ravel(), zero_division=0),
        "accuracy": float((truth == marks).all(axis=1).mean()),
        "hamming_loss": float((truth != marks).mean()),
        "log_loss": float(np.mean([sk.log_loss(truth[:, j], scores[:, j].astype(float), labels=[0, 1]) for j in range(k)])),
    }
    if present and k > 1:
        expected |= {
            "macro_f1": sk.f1_score(truth, marks, **kept),
            "macro_recall": sk.recall_score(truth, marks, **kept),
            "macro_precision": sk.precision_score(truth, marks, **kept),
        }
    assert {name: ours.metrics[name].value for name in expected} == pytest.approx(expected, abs=1e-6)
    both = [j for j in range(k) if 0 < truth[:, j].sum() < len(truth)]
    areas = [sk.roc_auc_score(truth[:, j], scores[:, j]) for j in both]
    assert ("roc_auc" in ours.metrics) == bool(areas)
    assert not areas or ours.metrics["roc_auc"].value == pytest.approx(np.mean(areas))
    assert list(ours.counts.values()) == truth.sum(axis=0).tolist()
    for j, label in enumerate(NAMES[:k]):
        precision, recall, f1, _ = sk.precision_recall_fscore_support(
            truth[:, j], marks[:, j], average="binary", zero_division=0
        )
        figures = {name: figure.value for name, figure in ours.per_class[label].items()}
        assert figures == pytest.approx({"precision": precision, "recall": recall, "f1": f1})
    for figure in ours.metrics.values():
        assert figure.low <= figure.value <= figure.high


def test_a_row_without_an_answer_has_no_label_and_even_scores() -> None:
    truth = np.array([[True, False], [False, False]])
    scores = np.array([[np.nan, np.nan], [0.1, 0.1]], np.float32)
    ours = report(truth, scores, ("a", "b"), (0.0, 0.5))
    assert ours.errors == 1
    assert ours.per_class["a"]["recall"].value == 0
    assert ours.metrics["log_loss"].value == pytest.approx((np.log(2) - np.log(0.9)) / 2, abs=1e-6)
    assert ours.confusion is None
    assert "confusion" not in ours.as_dict()


def test_log_loss_of_certain_and_wrong_scores_is_finite() -> None:
    assert np.isfinite(log_loss(np.array([[True, False]]), np.array([[0.0, 1.0]], np.float32))).all()


def f1_at(truth: np.ndarray, scores: np.ndarray, threshold: float) -> float:
    return float(sk.f1_score(truth.ravel(), (scores >= np.float32(threshold)).ravel(), zero_division=0))


def brute_force(truth: np.ndarray, scores: np.ndarray) -> float:
    return max(f1_at(truth, scores, threshold) for threshold in [*np.unique(scores), 2.0])


@given(seed=st.integers(0, 2**32 - 1), steps=st.sampled_from([4, 50, 10**9]), rows=st.integers(2 * LEAST_ROWS, 60))
@example_settings(deadline=None, max_examples=40)
def test_no_threshold_is_better_than_the_one_that_was_found(seed: int, steps: int, rows: int) -> None:
    random = np.random.default_rng(seed)
    truth = np.zeros((rows, 3), np.bool_)
    truth[:LEAST_ROWS, 0] = truth[: rows - LEAST_ROWS, 1] = True  # as few with, and without, as have their own
    truth[: LEAST_ROWS - 1, 2] = True
    truth = random.permuted(truth, axis=0)
    scores = (random.integers(0, steps + 1, truth.shape) / steps).astype(np.float32)
    found = best_thresholds(truth, scores)
    for j in (0, 1):
        assert f1_at(truth[:, j], scores[:, j], found[j]) == pytest.approx(brute_force(truth[:, j], scores[:, j]))
    assert f1_at(truth, scores, found[2]) == pytest.approx(brute_force(truth, scores))


def test_a_label_of_few_rows_has_the_threshold_of_all_together() -> None:
    random = np.random.default_rng(0)
    truth = random.random((200, 3)) < (0.5, 0.01, 0.99)
    scores = np.clip(truth * 0.2 + random.random((200, 3)) * 0.5, 0, 1).astype(np.float32)
    found = best_thresholds(truth, scores)
    assert found[0] != found[1] == found[2]
    assert best_thresholds(np.zeros((20, 2), np.bool_), scores[:20, :2]) == (0.5, 0.5)


def test_between_neighbors_among_floats_the_threshold_takes_the_upper_alone() -> None:
    for upper in (np.float32(0.7), np.nextafter(np.float32(0.7), np.float32(1))):
        lower = np.nextafter(upper, np.float32(0))
        scores = np.array([[upper]] * 10 + [[lower]] * 10, np.float32)
        (found,) = best_thresholds(scores == upper, scores)
        assert ((scores >= np.float32(found)) == (scores == upper)).all()
        assert float(np.float32(found)) == found  # it is written to JSON and read back
