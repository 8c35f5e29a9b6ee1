"""Temperature scaling: the least log loss, the same answers, and no endless sureness."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from cauce.evaluation.calibration import temperature
from cauce.model.manifest import Task


@given(seed=st.integers(0, 2**32 - 1), true=st.floats(0.2, 5), task=st.sampled_from(["classification", "multilabel"]))
@example_settings(deadline=None, max_examples=30)
def test_the_temperature_has_the_least_log_loss(seed: int, true: float, task: Task) -> None:
    random = np.random.default_rng(seed)
    z = (random.normal(size=(400, 3)) * 2).astype(np.float32)
    doubt = 1 / 402
    if task == "classification":
        truth = (z / true + random.gumbel(size=z.shape)).argmax(axis=1)
        aim = np.where(truth[:, None] == np.arange(3), 1 - doubt, doubt / 2)
    else:
        truth = z / true + random.logistic(size=z.shape) > 0
        aim = np.where(truth, 1 - doubt, doubt)

    def loss(logarithm: float) -> float:
        cooled = z.astype(np.float64) / np.exp(logarithm)
        if task == "classification":
            return float((np.log(np.exp(cooled).sum(axis=1)) - (aim * cooled).sum(axis=1)).mean())
        return float((np.logaddexp(0, cooled) - aim * cooled).mean())

    found = temperature(task, z, truth)
    best = minimize_scalar(loss, bounds=(-4, 4), method="bounded").fun
    assert loss(np.log(found)) <= best + 1e-6
    assert found == pytest.approx(true, rel=0.6)


@pytest.mark.parametrize("rows", [1, 5, 100])
def test_rows_that_are_all_right_do_not_ask_for_endless_sureness(rows: int) -> None:
    logits = np.tile(np.array([[1.0, 0.0]], np.float32), (rows, 1))
    found = temperature("classification", logits, np.zeros(rows, np.int64))
    chance = 1 / (1 + np.exp(-1 / found))
    assert chance == pytest.approx((rows + 1) / (rows + 2), abs=0.001)


def test_a_model_that_says_nothing_and_no_rows_leave_a_temperature_that_can_be_used() -> None:
    assert 0 < temperature("classification", np.zeros((10, 3), np.float32), np.zeros(10, np.int64)) <= 100
    assert temperature("classification", np.zeros((0, 3), np.float32), np.zeros(0, np.int64)) == 1
    assert temperature("regression", np.ones((3, 1), np.float32), np.ones((3, 1))) == 1


def test_answers_that_are_worse_than_chance_are_given_even_scores() -> None:
    logits = np.tile(np.array([[5.0, 0.0]], np.float32), (50, 1))
    assert temperature("classification", logits, np.ones(50, np.int64)) >= 99
