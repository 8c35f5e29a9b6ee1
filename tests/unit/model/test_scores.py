"""Scores: what the formulas give in double precision, whatever the logits and the batch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from cauce.model.manifest import Task
from cauce.model.scores import to_scores

LOGITS = arrays(
    np.float32,
    array_shapes(min_dims=2, max_dims=2, max_side=9),
    elements=st.floats(-(2.0**127), 2.0**127, width=32) | st.floats(-20, 20, width=32),
)
PROBABILITIES = st.sampled_from(["classification", "multilabel"])


def reference(task: Task, logits: np.ndarray, temperature: float) -> np.ndarray:
    z = logits.astype(np.float64) / temperature
    if task == "multilabel":
        return np.exp(-np.logaddexp(0, -z))
    powers = np.exp(z - z.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@given(logits=LOGITS, task=PROBABILITIES, temperature=st.sampled_from([0.5, 1.0, 2.0]))
@settings(deadline=None)
def test_scores_equal_the_formula_in_double_precision(logits: np.ndarray, task: Task, temperature: float) -> None:
    scores = to_scores(task, logits, temperature)
    assert (scores.dtype, scores.shape) == (np.float32, logits.shape)
    assert np.abs(scores - reference(task, logits, temperature)).max() < 2e-6


@given(logits=LOGITS, task=PROBABILITIES)
@settings(deadline=None)
def test_a_score_depends_on_its_row_alone(logits: np.ndarray, task: Task) -> None:
    whole = to_scores(task, logits)
    assert np.array_equal(np.concatenate([to_scores(task, row[None]) for row in logits]), whole)
    assert np.array_equal(to_scores(task, logits[::-1].copy()), whole[::-1])


@pytest.mark.parametrize("task", ["classification", "multilabel"])
def test_many_rows_on_many_threads_are_those_of_one_row_alone(task: Task) -> None:
    logits = np.random.default_rng(0).normal(size=(40_000, 3)).astype(np.float32)
    scores = to_scores(task, logits)
    for row in (0, 8191, 8192, 20_001, 39_999):
        assert np.array_equal(to_scores(task, logits[row : row + 1])[0], scores[row])


def test_extreme_logits_give_certainties_not_nan() -> None:
    logits = np.array([[1e30, -1e30], [-1e30, -1e30], [3e38, 3e38]], np.float32)
    assert to_scores("classification", logits).tolist() == [[1, 0], [0.5, 0.5], [0.5, 0.5]]
    assert to_scores("multilabel", logits).tolist() == [[1, 0], [0, 0], [1, 1]]


def test_a_number_is_its_own_score() -> None:
    values = np.array([[1.5], [-2e30]], np.float32)
    assert to_scores("regression", values).tolist() == values.tolist()


@pytest.mark.parametrize("task", ["classification", "multilabel", "regression"])
def test_no_rows_have_no_scores(task: Task) -> None:
    assert to_scores(task, np.zeros((0, 4), np.float32)).shape == (0, 4)
