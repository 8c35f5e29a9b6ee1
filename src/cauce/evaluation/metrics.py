"""What a classifier is worth: each figure with its 95 % interval.

The interval is the percentile bootstrap over rows (Efron 1979): the same resamples serve every figure. A row is drawn
with a weight, so that one matrix of weights (resamples x rows) gives all counts by matrix products.

A row that could not be answered counts as wrong, and with even scores.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

RESAMPLES = 1000
BLOCK = 100  # resamples at a time: bounds the memory
BINS = 15  # of the expected calibration error (Guo et al. 2017)

METRICS = ("accuracy", "macro_f1", "micro_f1", "macro_recall", "macro_precision", "log_loss", "roc_auc", "ece")
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
        metrics: by name: accuracy, macro_f1, micro_f1, macro_recall, macro_precision, log_loss, roc_auc (left out where the
            rows have one label only), ece.
        per_class: by label, then precision, recall and f1.
        confusion: (labels, labels + 1) counts, truth by row; the last column is "no answer".

    """

    metrics: dict[str, Figure]
    per_class: dict[str, dict[str, Figure]]
    confusion: npt.NDArray[np.int64]
    labels: tuple[str, ...]
    rows: int
    errors: int

    def as_dict(self) -> dict[str, Any]:
        """As it is written to JSON."""
        per_class = {
            label: {name: asdict(figure) for name, figure in figures.items()} for label, figures in self.per_class.items()
        }
        return {
            "metrics": {**{name: asdict(figure) for name, figure in self.metrics.items()}, "per_class": per_class},
            "confusion": {"labels": list(self.labels), "rows": self.confusion.tolist()},
            "rows": self.rows,
            "errors": self.errors,
        }


def report(truth: Places, scores: npt.NDArray[np.float32], labels: tuple[str, ...], *, seed: int = 0) -> Report:
    """Evaluate scores against the truth.

    Args:
        truth: (n,) places in `labels`.
        scores: (n, labels) probabilities; a row of NaN was not answered.

    """
    answered: npt.NDArray[np.bool_] = ~np.isnan(scores.sum(axis=1))
    even = np.where(answered[:, None], scores, np.float32(1 / len(labels))).astype(np.float64)
    given = np.where(answered, even.argmax(axis=1), len(labels))
    rows = _Rows(truth, given, even)
    values = rows.figures(np.ones((1, len(truth))))
    blocks = [rows.figures(weights) for weights in _resamples(len(truth), seed)]
    figures = {name: _with_intervals(values[name][0], np.concatenate([block[name] for block in blocks])) for name in values}
    metrics = {name: figures[name][0] for name in METRICS if name in figures}
    per_class = {label: {name: figures[name][k] for name in PER_CLASS} for k, label in enumerate(labels)}
    confusion = np.zeros((len(labels), len(labels) + 1), np.int64)
    np.add.at(confusion, (truth, given), 1)
    return Report(metrics, per_class, confusion, labels, len(truth), int((~answered).sum()))


def macro_f1(truth: Places, scores: npt.NDArray[np.float32]) -> float:
    """The mean F1 of the labels that occur in the truth or in the answers; no interval."""
    return float(_Rows(truth, scores.argmax(axis=1), scores.astype(np.float64)).counts(np.ones((1, len(truth))))["macro_f1"][0])


def _with_intervals(value: Floats, resampled: Floats) -> list[Figure]:
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


class _Rows:
    """Answered rows, and their figures under weights on them (a resample is a weight for each row)."""

    def __init__(self, truth: Places, given: Places, scores: Floats) -> None:
        n, k = scores.shape
        self.true = (truth[:, None] == np.arange(k)).astype(np.float64)
        self.given = (given[:, None] == np.arange(k)).astype(np.float64)
        self.loss = -np.log(np.clip(scores[np.arange(n), truth], 1e-15, None))
        confidence = scores.max(axis=1)
        bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
        self.gap = ((truth == given) - confidence)[:, None] * (bins[:, None] == np.arange(BINS))
        ranked = range(k) if k > 2 else (1,)
        self.ranks = [(self.true[:, j], *_ties(scores[:, j])) for j in ranked if 0 < self.true[:, j].sum() < n]

    def figures(self, weights: Floats) -> dict[str, Floats]:
        """All figures under each row of `weights` (b, n): (b,), or (b, labels) for those of a class."""
        total = weights.sum(axis=1)
        out = self.counts(weights)
        out["log_loss"] = weights @ self.loss / total
        out["ece"] = np.abs(weights @ self.gap).sum(axis=1) / total
        if self.ranks:
            areas = np.array([_area(weights, *ranks) for ranks in self.ranks])
            known = ~np.isnan(areas)
            out["roc_auc"] = np.where(
                known.any(axis=0), _ratio(np.where(known, areas, 0).sum(axis=0), known.sum(axis=0)), np.nan
            )
        return out

    def counts(self, weights: Floats) -> dict[str, Floats]:
        """The figures that are made of counts."""
        hits, true, given = weights @ (self.true * self.given), weights @ self.true, weights @ self.given
        by_class = {
            "precision": _ratio(hits, given),
            "recall": _ratio(hits, true),
            "f1": _ratio(2 * hits, true + given),
        }
        present = true + given > 0  # a label that neither occurs nor is given says nothing
        every = hits.sum(axis=1)
        return {
            **by_class,
            **{f"macro_{name}": _ratio(part.sum(axis=1), present.sum(axis=1)) for name, part in by_class.items()},
            "accuracy": every / weights.sum(axis=1),
            "micro_f1": _ratio(2 * every, true.sum(axis=1) + given.sum(axis=1)),
        }


def _ratio(part: Floats, whole: Floats) -> Floats:
    """Part / whole, 0 where there is nothing."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _ties(score: Floats) -> tuple[Places, Places]:
    """The order of the scores, lowest first, and where each run of equal ones starts in it."""
    order = np.argsort(score, kind="stable")
    return order, np.flatnonzero(np.diff(score[order], prepend=-np.inf))


def _area(weights: Floats, true: Floats, order: Places, starts: Places) -> Floats:
    """Area under the ROC curve, (b,): the chance that a row of the class ranks over one that is not, ties as a half."""
    ordered = weights[:, order]
    positive = np.add.reduceat(ordered * true[order], starts, axis=1)
    negative = np.add.reduceat(ordered * (1 - true[order]), starts, axis=1)
    below = np.cumsum(negative, axis=1) - negative / 2
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    area: Floats = np.divide((positive * below).sum(axis=1), pairs, out=np.full(len(weights), np.nan), where=pairs > 0)
    return area


def _resamples(rows: int, seed: int) -> Iterator[Floats]:
    """Blocks of bootstrap weights, (block, rows): how often each row was drawn."""
    random = np.random.default_rng(seed)
    for _ in range(RESAMPLES // BLOCK):
        yield np.stack([np.bincount(random.integers(0, rows, rows), minlength=rows) for _ in range(BLOCK)]).astype(np.float64)
