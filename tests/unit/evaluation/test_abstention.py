"""The lowest score for a wanted precision: it keeps its promise on other rows, and says so where it cannot."""

from __future__ import annotations

import numpy as np
import pytest

from cauce.errors import InputError
from cauce.evaluation.abstention import Right, Scores, choose, measure, right_and_sure


def drawn(rows: int, seed: int, *, honest: bool = True) -> tuple[Right, Scores]:
    """Rows of a calibrated model, or of one whose scores say nothing (80 % right whatever they are)."""
    random = np.random.default_rng(seed)
    sure = random.uniform(0.5, 1, rows).astype(np.float32)
    return random.random(rows) < (sure if honest else 0.8), sure


@pytest.mark.parametrize("rows", [200, 1000])
def test_the_promise_is_broken_in_at_most_5_of_100_cases(rows: int) -> None:
    wanted, broken, found = 0.85, 0, 0
    for seed in range(300):
        score = choose(*drawn(rows, seed), wanted)
        if score is not None:
            found += 1
            broken += (score + 1) / 2 < wanted  # the true precision of scores between this one and 1
    assert broken / 300 <= 0.05
    assert found > (150 if rows == 1000 else 20)


def test_scores_that_say_nothing_promise_nothing() -> None:
    told = [choose(*drawn(1000, seed, honest=False), 0.9) for seed in range(100)]
    assert sum(score is not None for score in told) <= 5


def test_more_precision_is_less_coverage() -> None:
    right, sure = drawn(5000, 0)
    scores = [choose(right, sure, wanted) for wanted in (0.6, 0.8, 0.9)]
    assert None not in scores
    coverages = [measure(right, sure, score or 0).coverage.value for score in scores]
    assert coverages == sorted(coverages, reverse=True)
    assert coverages[0] == 1
    assert coverages[2] < 0.5


def test_five_rows_promise_nothing() -> None:
    assert choose(np.ones(5, np.bool_), np.ones(5, np.float32), 0.9) is None


def test_a_row_that_was_not_answered_is_neither_right_nor_sure() -> None:
    scores = np.array([[0.9, 0.1], [np.nan, np.nan], [0.3, 0.7]], np.float32)
    right, sure = right_and_sure(np.array([0, 0, 0]), scores)
    assert right.tolist() == [True, False, False]
    found = measure(right, sure, 0.0)
    assert found.coverage.value == pytest.approx(2 / 3)
    assert found.precision is not None
    assert found.precision.value == 0.5
    nothing = measure(right, sure, 0.95)
    assert (nothing.coverage.value, nothing.precision) == (0, None)


@pytest.mark.parametrize("wanted", [0, 1, 95, -0.5])
def test_a_precision_that_is_no_share_is_refused(wanted: float) -> None:
    with pytest.raises(InputError, match="precision"):
        choose(*drawn(10, 0), wanted)
