"""Columns that give the label away: one alone predicts it too well, measured on rows that it was not fitted on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

LIMIT, CERTAIN = 0.79, 0.98  # the measure from which a column is told, and from which it is all but the label itself
DOUBT = 0.5  # over the root of the rows: what is added to the limit, as few rows often look well told by chance
LEAST_ROWS, MOST_ROWS = 40, 50_000  # rows that it takes, and rows that are looked at
BINS, LEAST_IN_BIN = 20, 20
MOST_VALUES, MOST_LABELS = 1000, 200  # the most frequent ones: the rest is one
NUMBER = r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,2})?$"
NUMBERS = 0.99  # share of the cells that are numbers, for a column of numbers

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Leak:
    """What a column alone tells.

    Attributes:
        measure: on held-out rows, the macro ROC AUC for labels, the share of the variance for numbers; chance is 0.5 and 0.
        told: it is over the limit.

    """

    column: str
    measure: float
    told: bool


def leaks(columns: dict[str, pa.Array], labels: pa.Array, *, seed: int = 0) -> list[Leak]:
    """How well each column alone predicts the label, the best first; those that are no more than free text are left out.

    Fitted on one half and measured on the other, both ways. A column's values are its bins (numbers) or its most frequent
    values; an empty cell is a value.

    Args:
        columns: each (n,) string, null where a cell is empty.
        labels: (n,) string or float64, no nulls.

    """
    size = len(labels)
    if size < LEAST_ROWS:
        return []
    rows = np.random.default_rng(seed).permutation(size)[:MOST_ROWS]
    half = np.arange(len(rows)) % 2 == 0
    taken = pa.array(rows)
    numeric = pa.types.is_floating(labels.type)
    truth = labels.take(taken).to_numpy(zero_copy_only=False)
    if not numeric:
        truth = np.minimum(_by_frequency(pa.array(truth)), MOST_LABELS - 1)
    found = []
    for name, column in columns.items():
        values = column.take(taken)
        numbers = _numbers(values)
        scores = []
        for fitted in (half, ~half):
            places = _bins(numbers, fitted) if numbers is not None else _values(values, fitted)
            if places is None:
                break
            judge = _variance if numeric else _areas
            scores.append(judge(places[fitted], truth[fitted], places[~fitted], truth[~fitted]))
        if scores:
            measure = float(np.mean(scores))
            found.append(Leak(name, measure, measure >= LIMIT + DOUBT / np.sqrt(len(rows))))
    return sorted(found, key=lambda leak: -leak.measure)


def _by_frequency(values: pa.Array) -> Integers:
    """Each value's place among the values, the most frequent first."""
    codes = values.dictionary_encode(null_encoding="encode")
    indices = codes.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    place = np.empty(len(codes.dictionary), np.int64)
    place[np.argsort(-np.bincount(indices, minlength=len(place)), kind="stable")] = np.arange(len(place))
    out: Integers = place[indices]
    return out


def _numbers(values: pa.Array) -> Floats | None:
    """The cells as numbers, empty ones as NaN; None where they are not numbers, or few different ones."""
    valid = pc.match_substring_regex(values, NUMBER)
    if (pc.mean(valid.cast(pa.float64())).as_py() or 0) < NUMBERS:
        return None
    cells = pc.if_else(valid, values, pa.scalar(None, values.type))
    out: Floats = cells.cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64)
    return out if len(np.unique(out)) > BINS else None


def _bins(numbers: Floats, fitted: npt.NDArray[np.bool_]) -> Integers:
    """Each number's bin between the quantiles of the fitted rows; empty cells have their own."""
    known = numbers[fitted & ~np.isnan(numbers)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1])) if len(known) else np.zeros(0)
    return np.where(np.isnan(numbers), len(edges) + 1, np.searchsorted(edges, numbers, side="right")).astype(np.int64)


def _values(values: pa.Array, fitted: npt.NDArray[np.bool_]) -> Integers | None:
    """Each value's place among the most frequent; None where values hardly repeat, as in free text."""
    places = _by_frequency(values)
    different = int(places.max(initial=0)) + 1
    if different < 2 or different > len(places) / 2:
        return None
    return np.minimum(places, MOST_VALUES)


def _areas(places: Integers, truth: Integers, others: Integers, sought: Integers) -> float:
    """The macro ROC AUC of each place's shares of labels, smoothed; mean over the labels that both sides have."""
    labels = int(max(truth.max(initial=0), sought.max(initial=0))) + 1
    counts = np.zeros((int(max(places.max(), others.max())) + 1, labels))
    np.add.at(counts, (places, truth), 1)
    base = counts.sum(axis=0) / counts.sum()
    shares = (counts + base) / (counts.sum(axis=1, keepdims=True) + 1)
    areas = []
    for label in range(labels):
        positive = sought == label
        if LEAST_IN_BIN // 4 <= positive.sum() < len(positive):
            areas.append(_area(shares[others, label], positive))
    return float(np.mean(areas)) if areas else 0.5


def _area(scores: Floats, positive: npt.NDArray[np.bool_]) -> float:
    """The share of pairs in the right order; a tie counts half."""
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    many = positive.sum()
    return float((ranks[positive].sum() - many * (many + 1) / 2) / (many * (len(positive) - many)))


def _variance(places: Integers, truth: Floats, others: Integers, sought: Floats) -> float:
    """The share of the variance that the means of the places explain."""
    size = int(max(places.max(), others.max())) + 1
    counts = np.bincount(places, minlength=size)
    means = (np.bincount(places, truth, minlength=size) + truth.mean()) / (counts + 1)
    spread = ((sought - truth.mean()) ** 2).sum()
    return float(1 - ((sought - means[others]) ** 2).sum() / spread) if spread else 0.0
