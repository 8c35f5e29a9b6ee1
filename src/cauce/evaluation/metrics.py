"""Figures with their 95 % intervals, and what the tasks' own files share to make them.

The interval is the percentile bootstrap over rows (Efron 1979): the same resamples serve every figure. A row is drawn
with a weight, so that one matrix of weights (resamples x rows) gives all counts by matrix products.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

RESAMPLES = 1000
MOST_AREAS = 200  # labels: of more, the intervals of `roc_auc` would take minutes
BLOCK = 100  # resamples at a time: bounds the memory
PER_CLASS = ("precision", "recall", "f1")

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Figure:
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class Report:
    """Figures of a model on labeled rows.

    Attributes:
        headline: the name of the figure that says most; more of it is better.
        metrics: by name. Classification: accuracy, macro_f1, micro_f1, macro_recall, macro_precision, log_loss, roc_auc (left
            out where the rows have one label only, or there are over 200), ece. Multilabel: the same without ece; accuracy
            counts rows whose labels are all right; hamming_loss besides. Regression: r2, mae, rmse, pearson.
        per_class: by label, then precision, recall and f1. Empty for a regression.
        counts: how many rows have each label.
        confusion: classification: (labels, labels + 1) counts, truth by row; the last column is "no answer". Else None.

    """

    headline: str
    metrics: dict[str, Figure]
    per_class: dict[str, dict[str, Figure]]
    counts: dict[str, int]
    confusion: npt.NDArray[np.int64] | None
    labels: tuple[str, ...]
    rows: int
    errors: int

    def as_dict(self) -> dict[str, Any]:
        """As it is written to JSON."""
        per_class = {
            label: {name: asdict(figure) for name, figure in figures.items()} for label, figures in self.per_class.items()
        }
        matrix = {} if self.confusion is None else {"confusion": {"labels": list(self.labels), "rows": self.confusion.tolist()}}
        return {
            "headline": self.headline,
            "metrics": {**{name: asdict(figure) for name, figure in self.metrics.items()}, "per_class": per_class},
            "counts": self.counts,
            **matrix,
            "rows": self.rows,
            "errors": self.errors,
        }


def with_intervals(figures: Callable[[Floats], dict[str, Floats]], rows: int, seed: int) -> dict[str, list[Figure]]:
    """Each figure with its interval, one for each label where it is one of a label.

    Args:
        figures: all figures under each row of weights (b, rows): (b,), or (b, labels).

    """
    values = figures(np.ones((1, rows)))
    blocks = [figures(weights) for weights in _resamples(rows, seed)]
    return {name: _intervals(value[0], np.concatenate([block[name] for block in blocks])) for name, value in values.items()}


def counted(true: Floats, given: Floats, weights: Floats) -> dict[str, Floats]:
    """The figures that are made of counts, from which labels (n, labels) each row has and was given, under weights (b, n)."""
    hits, true, given = weights @ (true * given), weights @ true, weights @ given
    by_class = {
        "precision": ratio(hits, given),
        "recall": ratio(hits, true),
        "f1": ratio(2 * hits, true + given),
    }
    present = true + given > 0  # a label that neither occurs nor is given says nothing
    return {
        **by_class,
        **{f"macro_{name}": ratio(part.sum(axis=1), present.sum(axis=1)) for name, part in by_class.items()},
        "micro_f1": ratio(2 * hits.sum(axis=1), true.sum(axis=1) + given.sum(axis=1)),
    }


class Areas:
    """The mean area under the ROC curve of several labels: the chance that a row of the label ranks over one that is not."""

    def __init__(self, true: Floats, scores: Floats) -> None:
        many = true.shape[1] > MOST_AREAS
        inside = [] if many else [j for j in range(true.shape[1]) if 0 < true[:, j].sum() < len(true)]
        self._ranks = [(true[:, j], *_ties(scores[:, j])) for j in inside]

    def figures(self, weights: Floats) -> dict[str, Floats]:
        """`roc_auc` under each row of weights (b, n); nothing where no label has rows of both kinds."""
        if not self._ranks:
            return {}
        areas = np.array([_area(weights, *ranks) for ranks in self._ranks])
        known = ~np.isnan(areas)
        mean = ratio(np.where(known, areas, 0).sum(axis=0), known.sum(axis=0))
        return {"roc_auc": np.where(known.any(axis=0), mean, np.nan)}


def per_class(figures: dict[str, list[Figure]], labels: tuple[str, ...]) -> dict[str, dict[str, Figure]]:
    """The figures of each label."""
    return {label: {name: figures[name][k] for name in PER_CLASS} for k, label in enumerate(labels)}


def _intervals(value: Floats, resampled: Floats) -> list[Figure]:
    """Figures of a value, or of one for each label, from its resamples (b,) or (b, labels).

    Resamples without a value (one label only) are left out. The interval always holds the value: a resample of a
    calibration error is larger than the error itself, its percentiles alone could lie above.
    """
    columns = resampled.reshape(len(resampled), -1)
    out = []
    for k, here in enumerate(np.atleast_1d(value)):
        known = columns[~np.isnan(columns[:, k]), k]
        low, high = np.percentile(known, (2.5, 97.5)) if known.size else (here, here)
        out.append(Figure(float(here), float(min(low, here)), float(max(high, here))))
    return out


def ratio(part: Floats, whole: Floats) -> Floats:
    """Part / whole, 0 where there is nothing."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _ties(score: Floats) -> tuple[Places, Places]:
    """The order of the scores, lowest first, and where each run of equal ones starts in it."""
    order = np.argsort(score, kind="stable")
    return order, np.flatnonzero(np.diff(score[order], prepend=-np.inf))


def _area(weights: Floats, true: Floats, order: Places, starts: Places) -> Floats:
    """Area under the ROC curve, (b,): the chance that a row of the class ranks over one that is not, ties as a half."""
    ranks = np.flatnonzero(true[order])  # of the rows of the class
    run = np.searchsorted(starts, ranks, side="right")
    ends = np.append(starts, len(order))
    ordered = weights[:, order]
    positive = ordered[:, ranks]
    ordered[:, ranks] = 0
    below = np.zeros((len(weights), len(order) + 1))
    np.cumsum(ordered, axis=1, out=below[:, 1:])
    pairs = positive.sum(axis=1) * below[:, -1]
    sums = (positive * (below[:, ends[run - 1]] + below[:, ends[run]])).sum(axis=1) / 2
    area: Floats = np.divide(sums, pairs, out=np.full(len(weights), np.nan), where=pairs > 0)
    return area


def _resamples(rows: int, seed: int) -> Iterator[Floats]:
    """Blocks of bootstrap weights, (block, rows): how often each row was drawn."""
    random = np.random.default_rng(seed)
    for _ in range(RESAMPLES // BLOCK):
        yield np.stack([np.bincount(random.integers(0, rows, rows), minlength=rows) for _ in range(BLOCK)]).astype(np.float64)
