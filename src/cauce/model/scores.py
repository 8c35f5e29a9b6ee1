"""From logits to scores: softmax for one label of several, the logistic function for each label alone, a number as it is.

Compiled and row by row: a score depends on its row alone, and a slice of rows is a thread's work.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cauce.model.manifest import Task
from cauce.text.compiled import kernel
from cauce.text.threads import run_sliced

SMALLEST_SLICE = 8192


def to_scores(task: Task, logits: npt.NDArray[np.float32], temperature: float = 1.0) -> npt.NDArray[np.float32]:
    """The scores, float32 (n, k), of logits (n, k): probabilities, or of a regression the values themselves."""
    if task == "regression":
        return logits
    scores = np.empty_like(logits)
    fill = softmax_rows if task == "classification" else logistic_rows
    share = np.float32(1 / temperature)
    run_sliced(lambda start, end: fill(logits, start, end, share, scores), len(logits), SMALLEST_SLICE)
    return scores


@kernel
def softmax_rows(logits, start, end, share, scores):
    """Write exp(z_k * share) / sum over j of exp(z_j * share) of each row."""
    labels = logits.shape[1]
    for row in range(start, end):
        top = np.float32(-np.inf)
        for k in range(labels):
            top = max(top, logits[row, k])
        total = np.float32(0)
        for k in range(labels):
            scores[row, k] = np.exp((logits[row, k] - top) * share)
            total += scores[row, k]
        for k in range(labels):
            scores[row, k] /= total


@kernel
def logistic_rows(logits, start, end, share, scores):
    """Write 1 / (1 + exp(-z_k * share)) of each row."""
    for row in range(start, end):
        for k in range(logits.shape[1]):
            scores[row, k] = np.float32(1) / (np.float32(1) + np.exp(-logits[row, k] * share))
