"""Figures of a number: scikit-learn agrees, whatever the unit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from cauce.evaluation.regression import report


@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(2, 60),
    unit=st.sampled_from([1e-9, 1.0, 1e6, 1e20]),
    noise=st.sampled_from([0.1, 1.0, 9.0]),
)
@example_settings(deadline=None, max_examples=40)
def test_figures_equal_scikit_learn(seed: int, rows: int, unit: float, noise: float) -> None:
    random = np.random.default_rng(seed)
    truth = random.normal(size=(rows, 1)) * unit
    values = (truth + random.normal(size=(rows, 1)) * unit * noise).astype(np.float32)
    ours = report(truth, values, ("price",))
    expected = {
        "r2": sk.r2_score(truth, values.astype(float)),
        "mae": sk.mean_absolute_error(truth, values.astype(float)),
        "rmse": sk.root_mean_squared_error(truth, values.astype(float)),
        "pearson": np.corrcoef(truth[:, 0], values[:, 0].astype(float))[0, 1],
    }
    assert {name: figure.value for name, figure in ours.metrics.items()} == pytest.approx(expected, rel=1e-6, abs=1e-9)
    assert all(figure.low <= figure.value <= figure.high for figure in ours.metrics.values())


def test_numbers_far_from_zero_are_measured_as_those_near_it() -> None:
    random = np.random.default_rng(0)
    truth = np.round(random.normal(size=(300, 1)) * 100)
    values = np.round(truth + random.normal(size=(300, 1)) * 30).astype(np.float32)
    near, far = report(truth, values, ("y",)), report(truth + 2**23, values + np.float32(2**23), ("y",))
    truth_far, values_far = truth + 2.0**40, np.round(values / 2**17) * 2**17 + 2.0**40
    assert {name: figure.value for name, figure in far.metrics.items()} == pytest.approx(
        {name: figure.value for name, figure in near.metrics.items()}, rel=1e-9
    )
    assert report(truth_far, values_far.astype(np.float32), ("y",)).metrics["r2"].value == pytest.approx(
        sk.r2_score(truth_far, values_far), abs=1e-6
    )


def test_a_row_without_an_answer_counts_with_the_mean_of_the_answers() -> None:
    truth = np.array([[1.0], [2.0], [6.0]])
    ours = report(truth, np.array([[1.0], [np.nan], [3.0]], np.float32), ("y",))
    assert ours.errors == 1
    assert ours.metrics["mae"].value == pytest.approx(1.0)
    assert report(truth, np.full((3, 1), np.nan, np.float32), ("y",)).metrics["mae"].value == pytest.approx(3.0)


def test_equal_numbers_leave_nothing_to_explain() -> None:
    same = np.full((5, 1), 7.0)
    assert report(same, same.astype(np.float32), ("y",)).metrics["r2"].value == 0
    assert report(same, same.astype(np.float32), ("y",)).metrics["pearson"].value == 0
    assert report(np.arange(5.0)[:, None], same.astype(np.float32), ("y",)).metrics["pearson"].value == 0
