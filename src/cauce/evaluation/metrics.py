"""Figures with their 95 % intervals, and what the tasks' own files share to make them.

The interval is the percentile bootstrap over rows (Efron 1979): the same resamples serve every figure. A row is drawn
with a weight, so that one matrix of weights (resamples x rows) gives all counts by matrix products.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

RESAMPLES = 1000
BLOCK = 100  # resamples at a time: bounds the memory
PER_CLASS = ("precision", "recall", "f1")
SHARES = ("accuracy", "macro_f1", "micro_f1", "macro_recall", "macro_precision", "roc_auc", "ece", "hamming_loss")  # 0 to 1
LESS_IS_BETTER = ("log_loss", "ece", "hamming_loss", "mae", "rmse")
SAID = {"roc_auc": "ROC AUC", "ece": "ECE", "r2": "R2", "mae": "MAE", "rmse": "RMSE", "pearson": "Pearson's r"}

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]
Measure = Callable[[Floats], dict[str, Floats]]  # all figures under weights (b, rows): (b,), or (b, labels)


@dataclass(frozen=True, slots=True)
class Figure:
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class Drawn:
    """Figures by name, of `rows` rows: `values` () or (labels,), and those of each resample (b,) or (b, labels)."""

    rows: int
    values: dict[str, Any]
    resampled: dict[str, Floats]


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


def said(metric: str) -> str:
    """A figure's name as it is read: macro F1, log loss."""
    return SAID.get(metric, metric.replace("_f1", " F1").replace("_", " "))


def draw(measures: Sequence[Measure], rows: int, seed: int = 0) -> list[Drawn]:
    """The figures of each measure on the rows, and on the same resamples of them for all."""
    even = np.ones((1, rows))
    blocks = [[measure(weights) for measure in measures] for weights in _resamples(rows, seed)]
    found = []
    for place, measure in enumerate(measures):
        values = {name: value[0] for name, value in measure(even).items()}
        found.append(Drawn(rows, values, {name: np.concatenate([block[place][name] for block in blocks]) for name in values}))
    return found


def with_intervals(drawn: Drawn) -> dict[str, list[Figure]]:
    """Each figure with its interval, one for each label where it is one of a label."""
    return {name: _intervals(value, drawn.resampled[name]) for name, value in drawn.values.items()}


def mean(values: Floats) -> Figure:
    """The mean of some rows' values (n,) with its interval."""
    drawn = draw([lambda weights: {"mean": weights @ values / weights.sum(axis=1)}], len(values))
    return with_intervals(drawn[0])["mean"][0]


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


def _resamples(rows: int, seed: int) -> Iterator[Floats]:
    """Blocks of bootstrap weights, (block, rows): how often each row was drawn."""
    random = np.random.default_rng(seed)
    for _ in range(RESAMPLES // BLOCK):
        yield np.stack([np.bincount(random.integers(0, rows, rows), minlength=rows) for _ in range(BLOCK)]).astype(np.float64)
