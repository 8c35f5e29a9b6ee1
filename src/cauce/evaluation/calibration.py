"""Temperature scaling: one number that the logits are divided by, so that a score of 0.8 is right in eight of ten cases.

After Guo et al., "On calibration of modern neural networks", 2017. The order of the labels stays, so no answer changes.
The truth counts as (n + 1) / (n + 2), after Platt 1999: rows that are all answered right would else ask for endless sureness.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from cauce.model.manifest import Task

COLDEST, HOTTEST = 0.01, 100.0
STEPS = 60

Floats = npt.NDArray[np.float64]


def temperature(task: Task, logits: npt.NDArray[np.float32], truth: npt.NDArray[Any]) -> float:
    """The temperature of the least log loss on rows (n, labels) with this truth (see `Dataset.truth`); 1 of a regression.

    The loss is convex in 1 / temperature: its slope is followed to 0 by bisection.
    """
    if task == "regression" or not len(logits):
        return 1.0
    z = logits.astype(np.float64)
    doubt = 1 / (len(z) + 2)
    if task == "classification":
        aim = np.full(z.shape, doubt / max(z.shape[1] - 1, 1))
        aim[np.arange(len(z)), truth] = 1 - doubt
    else:
        aim = np.where(truth, 1 - doubt, doubt)
    low, high = math.log(1 / HOTTEST), math.log(1 / COLDEST)
    for _ in range(STEPS):
        middle = (low + high) / 2
        slope = float(((_scores(task, z * math.exp(middle)) - aim) * z).mean())
        low, high = (middle, high) if slope < 0 else (low, middle)
    return float(f"{math.exp(-(low + high) / 2):.4g}")


def _scores(task: Task, z: Floats) -> Floats:
    """Logits (n, labels) as probabilities."""
    if task == "multilabel":
        each: Floats = 1 / (1 + np.exp(-np.clip(z, -700, 700)))
        return each
    powers = np.exp(z - z.max(axis=1, keepdims=True))
    shares: Floats = powers / powers.sum(axis=1, keepdims=True)
    return shares
