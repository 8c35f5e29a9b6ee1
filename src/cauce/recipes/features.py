"""What the linear recipe sees of rows: weighted n-grams of their texts, and the cells of their other columns.

Features of a text: x_j = tf_j * g_j / norm, with norm^2 = the sum of g^2 over all n-grams of the text, repeats included, so
that the runtime can compute it in one streaming pass. g_j says how much the n-gram tells: see `_ngrams`. Each of c cells of a
row has the value 1 / sqrt(c).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cauce.data.dataset import Dataset
from cauce.recipes.contrast import contrast
from cauce.runtimes.cells import Cells, Tensors, learn
from cauce.text import hashing, kernels
from cauce.text.buffers import utf8
from cauce.text.ngrams import Ngrams
from cauce.text.normalize import Normalizer
from cauce.text.spelling import Spelling
from cauce.text.threads import run_sliced

RARITY, EVEN = 0.5, 0.3  # chosen with the n-grams, by cross-validation over seven data sets
LEAST_ROWS = 2  # an n-gram of one row only says what that row is
SMALLEST_SLICE = 256
LARGEST = np.iinfo(np.int16).max


@dataclass(frozen=True)
class Features:
    """Sparse rows (CSR): first the columns of n-grams, then those of cells.

    Attributes:
        starts: (n + 1,) where each row starts.
        columns, values: (m,) the features of the rows, one after the other.
        buckets, gains: (b,) of the n-grams' columns.
        learnt: what the cells are (see `cauce.runtimes.cells`).
        cells: how many there are.
        cell_value: the value of each cell that a row lies in.

    """

    starts: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int32]
    values: npt.NDArray[np.float32]
    buckets: npt.NDArray[np.int32]
    gains: npt.NDArray[np.float32]
    learnt: Tensors
    cells: int
    cell_value: float

    @property
    def width(self) -> int:
        """How many columns there are."""
        return len(self.buckets) + self.cells

    def fold(self, weights: npt.NDArray[np.float32], bias: npt.NDArray[np.float32]) -> Tensors:
        """The runtime's tensors of fitted weights (columns, labels): gains and the cells' value are taken into them."""
        tensors: Tensors = {"bias": bias.astype(np.float32), **self.learnt}
        of_ngrams = weights[: len(self.buckets)]
        if len(self.buckets):
            tensors |= {
                "buckets": self.buckets,
                **_quantized(np.column_stack([of_ngrams * self.gains[:, None], self.gains**2])),
            }
        if self.cells:
            tensors["cells"] = weights[len(self.buckets) :] * np.float32(self.cell_value)
        return tensors


def features(
    data: Dataset, truth: npt.NDArray[Any], normalizer: Normalizer, spelling: Spelling | None, ngrams: Ngrams
) -> Features:
    """Count the n-grams and find the cells of the rows of a training set; `truth` as `Dataset.truth` gives it."""
    types = tuple(one.type for one in data.inputs)
    starts, columns, values = np.zeros(len(data) + 1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32)
    buckets, gains = np.empty(0, np.int32), np.empty(0, np.float32)
    if "text" in types:
        starts, columns, values, buckets, gains = _ngrams(data, truth, normalizer, spelling, ngrams)
    learnt = learn(data.rows, types)
    cells = Cells(types, learnt)
    value = 1 / np.sqrt(len(cells)) if len(cells) else 0.0
    if len(cells):
        places = (cells.places(data.rows) + len(buckets)).astype(np.int32)
        ends = np.repeat(starts[1:], len(cells))  # behind the n-grams of their row
        columns = np.insert(columns, ends, places.ravel())
        values = np.insert(values, ends, np.float32(value))
        starts = starts + np.arange(len(data) + 1) * len(cells)
    return Features(starts, columns, values, buckets, gains, learnt, cells.size, value)


def _ngrams(
    dataset: Dataset, truth: npt.NDArray[Any], normalizer: Normalizer, spelling: Spelling | None, ngrams: Ngrams
) -> tuple[
    npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.float32], npt.NDArray[np.int32], npt.NDArray[np.float32]
]:
    """Count n-grams and weight them: tf * g / norm, g = (1 + ln((1 + n) / (1 + df))) ** `RARITY` * (`EVEN` + contrast).

    A power of 1 without contrast is scikit-learn's idf. Beside what an n-gram says of the labels, its rarity adds little.
    """
    options, repeats = normalizer.options | kernels.PREPARED, normalizer.repeats
    if spelling is not None:
        prepared = spelling.apply(normalizer.apply(dataset.texts()))
        options, repeats = kernels.PREPARED, 0  # as it is: normalized once
    else:
        prepared = pa.array([normalizer.prepare(text) for text in dataset.texts().to_pylist()], pa.large_string())
    data, offsets = utf8(prepared)
    n = len(prepared)
    ends, found = np.zeros(n, np.int64), np.empty(0, np.int32)
    hard = np.zeros(n, np.bool_)

    def work(start: int, end: int) -> None:
        hashing.count_rows(
            data, offsets, start, end, normalizer.table, options, repeats,
            ngrams.char_low, ngrams.char_high, ngrams.word_high, ngrams.bits, ends, found, hard,
        )  # fmt: skip

    run_sliced(work, n, SMALLEST_SLICE)
    ends = np.cumsum(ends)
    found = np.empty(int(ends[-1]), np.int32)
    run_sliced(work, n, SMALLEST_SLICE)
    row = np.repeat(np.arange(n), np.diff(ends, prepend=0))
    first = np.ones(len(found), np.bool_)  # where a new bucket of a row starts: its buckets are sorted
    first[1:] = (found[1:] != found[:-1]) | (row[1:] != row[:-1])
    places = np.flatnonzero(first)
    counts = np.diff(np.append(places, len(found)))
    columns, row = found[places], row[places]
    document_counts = np.bincount(columns, minlength=2**ngrams.bits)
    kept = document_counts >= min(LEAST_ROWS, n)
    rarity = (1 + np.log((1 + n) / (1 + document_counts))) ** RARITY
    gain = np.where(kept, rarity * (EVEN + contrast(dataset.task, truth, row, columns, document_counts)), 0)
    used = kept[columns]
    columns, row, counts = columns[used], row[used], counts[used]
    weighted = counts * gain[columns]
    squares = np.bincount(row, weighted * gain[columns], minlength=n)
    values = (weighted / np.sqrt(squares)[row]).astype(np.float32)
    starts = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=n))])
    buckets = np.flatnonzero(kept).astype(np.int32)
    compact = (np.cumsum(kept) - 1).astype(np.int32)[columns]
    return starts, compact, values, buckets, gain[buckets].astype(np.float32)


def _quantized(columns: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[Any]]:
    """Columns (m, k) as 16-bit whole numbers, and what a unit of each column is worth (k,)."""
    scale = np.maximum(np.abs(columns).max(axis=0), np.finfo(np.float32).tiny) / LARGEST
    return {"weights": np.rint(columns / scale).astype(np.int16), "scale": scale.astype(np.float32)}
