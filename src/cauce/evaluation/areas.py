"""The area under the ROC curve, under weights on the rows: compiled, as it is asked for a thousand resamples."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cauce.text.compiled import kernel

MOST_AREAS = 200  # labels: of more, the intervals of `roc_auc` would take minutes


class Areas:
    """The mean area under the ROC curve of several labels: the chance that a row of the label ranks over one that is not."""

    def __init__(self, true: npt.NDArray[np.float64], scores: npt.NDArray[np.float64]) -> None:
        many = true.shape[1] > MOST_AREAS
        inside = [] if many else [j for j in range(true.shape[1]) if 0 < true[:, j].sum() < len(true)]
        self._ranked = [_ranked(true[:, j] > 0, scores[:, j]) for j in inside]

    def figures(self, weights: npt.NDArray[np.float64]) -> dict[str, npt.NDArray[np.float64]]:
        """`roc_auc` under each row of weights (b, n); nothing where no label has rows of both kinds."""
        if not self._ranked:
            return {}
        areas = np.empty((len(self._ranked), len(weights)))
        for label, ranked in enumerate(self._ranked):
            fill_areas(weights, *ranked, areas[label])
        known = ~np.isnan(areas)
        count = known.sum(axis=0)
        total = np.where(known, areas, 0).sum(axis=0)
        return {"roc_auc": np.divide(total, count, out=np.full(len(weights), np.nan), where=count > 0)}


def _ranked(
    true: npt.NDArray[np.bool_], score: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """The rows, lowest score first; which of them have the label; and which score more than the row before them."""
    order = np.argsort(score, kind="stable").astype(np.int64)
    return order, true[order], np.diff(score[order], prepend=-np.inf) > 0


@kernel
def fill_areas(weights, order, true, rises, areas):
    """Write the area of each row of weights (b, n), ties as a half; NaN where one kind of row has no weight."""
    for b in range(weights.shape[0]):
        below, pairs = 0.0, 0.0  # the weight of other rows under this score; won pairs
        here_true, here_other, all_true = 0.0, 0.0, 0.0  # of rows with this score
        for i in range(order.size):
            if rises[i]:
                pairs += here_true * (below + here_other / 2)
                below += here_other
                all_true += here_true
                here_true, here_other = 0.0, 0.0
            if true[i]:
                here_true += weights[b, order[i]]
            else:
                here_other += weights[b, order[i]]
        pairs += here_true * (below + here_other / 2)
        below += here_other
        all_true += here_true
        areas[b] = pairs / (all_true * below) if all_true * below > 0 else np.nan
