"""Cross-validation: how good the recipe is on this data, beside how good this model is on its test part.

The folds share their training rows, so their figures are not independent: the interval is that of the corrected resampled t
test (Nadeau and Bengio, "Inference for the generalization error", 2003), which also holds for repeated folds.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from cauce.data.dataset import Dataset
from cauce.data.split import folds, split
from cauce.errors import InputError
from cauce.evaluation.chance import student_quantile
from cauce.evaluation.evaluate import measure
from cauce.evaluation.metrics import Figure
from cauce.recipes.build import Plan, Progress, scores_of

INNER = (0.9, 0.1)  # of the rows outside a fold: to train on, and to choose on


@dataclass(frozen=True)
class Validation:
    """Figures of a cross-validation.

    Attributes:
        metrics: the mean over folds, with its 95 % interval, by figure.
        each: the figures of each fold, in the order in which they were made.

    """

    folds: int
    repeats: int
    metrics: dict[str, Figure]
    each: dict[str, list[float]]

    def as_dict(self) -> dict[str, Any]:
        """As it is written to `evidence/metrics.json`."""
        return asdict(self)


def cross_validate(data: Dataset, plan: Plan, number: int, repeats: int, progress: Progress) -> Validation:
    """Train and measure once for each of `number` folds, `repeats` times over other folds.

    Raises:
        InputError: fewer than 2 folds, or fewer than 1 repeat.
        TooFewLabels: a label with fewer different rows than there are folds.

    """
    if number < 2 or repeats < 1:
        raise InputError(
            f"a cross-validation of {number} fold(s), {repeats} time(s)",
            hint="give 2 folds or more, usually 5, and 1 repeat or more",
        )
    each: dict[str, list[float]] = {}
    shares = []
    for repeat in range(repeats):
        places = folds(data, number, plan.seed + repeat)
        for fold in range(number):
            held = data.take(np.flatnonzero(places == fold))
            train, dev = split(data.take(np.flatnonzero(places != fold)), INNER, plan.seed + repeat, by="label")
            scores, thresholds = scores_of(replace(plan, seed=plan.seed + repeat, keep=None), train, dev, held)
            figures = measure(data.task, held.truth(plan.labels), scores, thresholds)(np.ones((1, len(held))))
            for name, value in figures.items():
                if value.ndim == 1:
                    each.setdefault(name, []).append(float(value[0]))
            shares.append(len(held) / len(train))
            done = repeat * number + fold + 1
            progress(done / (number * repeats), f"cross-validation: fold {done} of {number * repeats}")
    metrics = {name: corrected(np.array(values), float(np.mean(shares))) for name, values in each.items()}
    return Validation(number, repeats, metrics, each)


def corrected(values: npt.NDArray[np.float64], share: float) -> Figure:
    """The mean of the folds' figures (j,) and its interval; `share` is the rows of a fold over those that it was trained on."""
    known = values[~np.isnan(values)]
    mean, count = float(known.mean()), len(known)
    if count < 2:
        return Figure(mean, mean, mean)
    deviation = math.sqrt((1 / count + share) * float(known.var(ddof=1)))
    reach = student_quantile(0.975, count - 1) * deviation
    return Figure(mean, mean - reach, mean + reach)
