"""How much an n-gram says of the labels: what the linear recipe weights it by, beside how rare it is.

In the spirit of the log-count ratios of Wang and Manning, "Baselines and bigrams: simple, good sentiment and topic
classification", 2012: one number a bucket here, so that it costs nothing when a text is scored.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cauce.model.manifest import Task

DOUBT = 2.0  # rows at the labels' usual shares that are added to each bucket: few rows say little


def contrast(
    task: Task,
    truth: npt.NDArray[Any],
    row: npt.NDArray[np.int64],
    columns: npt.NDArray[np.int32],
    document_counts: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:
    """sqrt(2 KL(labels of the rows with the bucket, labels of all rows)), (buckets,), in nats. 0: it says nothing.

    Of several labels a row, each is there or not, and the one that is told most counts. A number is above the median or not.

    Args:
        truth: as `Dataset.truth` gives it.
        row, columns: (m,) the row and the bucket of each entry; a row has a bucket once.
        document_counts: (buckets,) how many rows have each.

    """

    def divergence(members: list[npt.NDArray[np.bool_]]) -> npt.NDArray[np.float64]:
        total = np.zeros(len(document_counts))
        for has in members:
            if share := has.mean():
                inside = np.bincount(columns[has[row]], minlength=len(document_counts))
                here = (inside + DOUBT * share) / (document_counts + DOUBT)
                total += here * np.log(here / share)
        return np.maximum(total, 0)

    if task == "classification":
        told = divergence([truth == label for label in np.unique(truth)])
    else:
        each = truth > np.median(truth) if task == "regression" else truth
        told = np.max([divergence([has, ~has]) for has in each.T], axis=0)
    return np.sqrt(2 * told)
