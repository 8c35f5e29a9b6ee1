"""What a model of a number is worth. A row that could not be answered counts with the mean of the answers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cauce.evaluation.metrics import Drawn, Floats, Measure, Report, draw, ratio, with_intervals

METRICS = ("r2", "mae", "rmse", "pearson")


def report(
    truth: Floats,
    values: npt.NDArray[np.float32],
    labels: tuple[str, ...],
    *,
    seed: int = 0,
    drawn: Drawn | None = None,
) -> Report:
    """Evaluate values (n, 1), NaN where a row was not answered, against the truth (n, 1). `drawn` as in classification."""
    found = with_intervals(drawn or draw([measure(truth, values)], len(truth), seed)[0])
    metrics = {name: found[name][0] for name in METRICS}
    return Report("r2", metrics, {}, {}, None, labels, len(truth), int(np.isnan(values).sum()))


def measure(truth: Floats, values: npt.NDArray[np.float32]) -> Measure:
    """The figures of `report`, for any weights on the rows."""
    answered = ~np.isnan(values[:, 0])
    given = values[:, 0].astype(np.float64)
    given[~answered] = given[answered].mean() if answered.any() else 0.0
    error = truth[:, 0] - given
    middle = truth[:, 0].mean()
    true, given = truth[:, 0] - middle, given - middle  # far from 0, the spread would be lost in the squares

    def figures(weights: Floats) -> dict[str, Floats]:
        total = weights.sum(axis=1)
        true_mean, given_mean = weights @ true / total, weights @ given / total
        true_spread = np.maximum(weights @ true**2 / total - true_mean**2, 0)
        given_spread = np.maximum(weights @ given**2 / total - given_mean**2, 0)
        together = weights @ (true * given) / total - true_mean * given_mean
        square = weights @ error**2 / total
        return {
            "r2": np.where(true_spread > 0, 1 - ratio(square, true_spread), 0.0),  # equal numbers leave nothing to explain
            "mae": weights @ np.abs(error) / total,
            "rmse": np.sqrt(square),
            "pearson": ratio(together, np.sqrt(true_spread * given_spread)),
        }

    return figures
