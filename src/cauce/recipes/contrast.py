"""How unevenly an n-gram stands over the labels: what the linear recipe weights it by, beside how rare it is.

After the log-count ratios of Wang and Manning, "Baselines and bigrams: simple, good sentiment and topic classification",
2012: one number a bucket here, the largest over the labels, so that it costs nothing when a text is scored.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cauce.model.manifest import Task

DOUBT = 2.0  # rows at the label's usual share that are added to each bucket: few rows say little


def contrast(
    task: Task,
    truth: npt.NDArray[Any],
    row: npt.NDArray[np.int64],
    columns: npt.NDArray[np.int32],
    document_counts: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:
    """The largest |log (odds of a label with the bucket / odds of the label)| over the labels, (buckets,).

    Args:
        truth: as `Dataset.truth` gives it. Of a number, the label is to be above the median.
        row, columns: (m,) the row and the bucket of each entry; a row has a bucket once.
        document_counts: (buckets,) how many rows have each.

    """
    largest = np.zeros(len(document_counts))
    for has in _members(task, truth):
        share = has.mean()
        if not 0 < share < 1:
            continue
        inside = np.bincount(columns[has[row]], minlength=len(document_counts))
        odds = (inside + DOUBT * share) / (document_counts - inside + DOUBT * (1 - share))
        np.maximum(largest, np.abs(np.log(odds * (1 - share) / share)), out=largest)
    return largest


def _members(task: Task, truth: npt.NDArray[Any]) -> list[npt.NDArray[np.bool_]]:
    """For each label, which rows have it."""
    if task == "classification":
        return [truth == label for label in np.unique(truth)]
    return list((truth > np.median(truth) if task == "regression" else truth).T)
