"""What a network learns to answer: the truth of a data set as numbers, and what each row counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cauce.data.dataset import Dataset
from cauce.model.manifest import Task


@dataclass(frozen=True)
class Scale:
    """Values are learnt with mean 0 and deviation 1: the same learning rate for any unit. Of labels it changes nothing."""

    mean: float = 0.0
    deviation: float = 1.0

    @classmethod
    def of(cls, task: Task, truth: npt.NDArray[Any]) -> Scale:
        """The scale of the training rows."""
        return cls(float(truth.mean()), float(truth.std()) or 1.0) if task == "regression" else cls()

    def apply(self, truth: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The truth in this scale."""
        return truth if self == Scale() else ((truth - self.mean) / self.deviation).astype(np.float32)


def targets(data: Dataset, labels: tuple[str, ...], scale: Scale) -> npt.NDArray[np.float32]:
    """(n, k): 1 for the row's label and 0 for the others, 0 and 1 for each of several, or the values."""
    truth = data.truth(labels)
    if data.task == "classification":
        truth = truth[:, None] == np.arange(len(labels))
    found: npt.NDArray[np.float32] = scale.apply(truth).astype(np.float32)
    return found


def weights(data: Dataset, labels: tuple[str, ...], *, even: bool) -> npt.NDArray[np.float32]:
    """(n,), 1 on average; `even`: labels count alike, n / (labels * rows of the label)."""
    if data.task != "classification" or not even:
        return np.ones(len(data), np.float32)
    truth = data.truth(labels)
    sizes = np.bincount(truth, minlength=len(labels))
    each: npt.NDArray[np.float32] = (len(truth) / (np.count_nonzero(sizes) * np.maximum(sizes, 1))).astype(np.float32)
    found: npt.NDArray[np.float32] = each[truth]
    return found
