"""Columns that are not text, as cells of one table of weights: each row lies in one cell of each column.

A category has a cell for each value that training saw often enough, found by the value's hash, and one for all others; a
boolean has two, a number one for each bin between the edges that training learnt. Each column has one more for what is missing.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

BINS = 32  # of a number, at most: with more, the bins of a small file hold chance
ROWS_IN_BIN = 20
LEAST_ROWS = 2  # of a category's value that gets a cell of its own

Tensors = dict[str, npt.NDArray[Any]]


def learn(rows: pa.RecordBatch, types: tuple[str, ...]) -> Tensors:
    """What the cells of these columns are, for `Cells`: `keys.<i>` of a category, `edges.<i>` of a number, by place."""
    tensors: Tensors = {}
    for i, (column, kind) in enumerate(zip(rows.columns, types, strict=True)):
        if kind == "category":
            counted = _stripped(column).drop_null().value_counts()
            often = pc.greater_equal(counted.field("counts"), min(LEAST_ROWS, len(rows)))
            tensors[f"keys.{i}"] = np.sort(_hashes(counted.field("values").filter(often)))
        elif kind == "number":
            values = _numbers(column)
            values = values[~np.isnan(values)]
            bins = min(BINS, max(2, len(values) // ROWS_IN_BIN))
            steps = np.linspace(0, 1, bins + 1)[1:-1]
            tensors[f"edges.{i}"] = np.unique(np.quantile(values, steps, method="higher")) if values.size else np.empty(0)
    return tensors


class Cells:
    """The cells of the columns of a model.

    Args:
        types: of each column of the rows; a `text` has no cells.
        tensors: what `learn` made.

    Attributes:
        size: how many cells there are.

    """

    def __init__(self, types: tuple[str, ...], tensors: Tensors) -> None:
        self._columns: list[tuple[int, str, npt.NDArray[Any], int]] = []  # place, type, keys or edges, first cell
        self.size = 0
        for i, kind in enumerate(types):
            if kind == "text":
                continue
            learnt = tensors.get({"category": f"keys.{i}", "number": f"edges.{i}"}.get(kind, ""), np.empty(0))
            self._columns.append((i, kind, learnt, self.size))
            self.size += {"category": len(learnt) + 2, "number": len(learnt) + 2, "boolean": 3}[kind]

    def __len__(self) -> int:
        return len(self._columns)

    def places(self, rows: pa.RecordBatch) -> npt.NDArray[np.int64]:
        """The cell of each row in each column that is not text, (n, columns)."""
        out = np.empty((len(rows), len(self)), np.int64)
        for j, (i, kind, learnt, first) in enumerate(self._columns):
            out[:, j] = self._places(rows.column(i), kind, learnt, first)
        return out

    def _places(self, column: pa.Array, kind: str, learnt: npt.NDArray[Any], first: int) -> npt.NDArray[np.int64]:
        if kind == "number":
            values = _numbers(column)
            found = np.searchsorted(learnt, values, side="right")
            bins: npt.NDArray[np.int64] = first + np.where(np.isnan(values), len(learnt) + 1, found)
            return bins
        if kind == "boolean":
            kinds: npt.NDArray[np.int64] = first + pc.fill_null(column.cast(pa.int8()), 2).to_numpy().astype(np.int64)
            return kinds
        encoded = column.dictionary_encode(null_encoding="encode")
        distinct = _stripped(encoded.dictionary)
        hashes = _hashes(distinct.drop_null())
        at = np.minimum(np.searchsorted(learnt, hashes), max(len(learnt) - 1, 0))
        known = learnt[at] == hashes if len(learnt) else np.zeros(len(hashes), np.bool_)
        cells = np.full(len(distinct), first + len(learnt) + 1)  # what is missing
        cells[distinct.is_valid().to_numpy(zero_copy_only=False)] = first + np.where(known, at, len(learnt))
        places: npt.NDArray[np.int64] = cells[encoded.indices.to_numpy()]
        return places


def _numbers(column: pa.Array) -> npt.NDArray[np.float64]:
    values: npt.NDArray[np.float64] = pc.fill_null(column, np.nan).to_numpy()
    return values


def _stripped(values: pa.Array) -> pa.Array:
    """Without white space around them, and nothing where nothing is left: as the data readers do."""
    stripped = pc.utf8_trim_whitespace(values)
    return pc.if_else(pc.equal(stripped, ""), pa.scalar(None, stripped.type), stripped)


def _hashes(values: pa.Array) -> npt.NDArray[np.uint64]:
    """64 bits of each value: a model holds no value of a customer's, and a million of them are 8 MB."""
    digests = b"".join(hashlib.blake2b(value.encode(), digest_size=8).digest() for value in values.to_pylist())
    return np.frombuffer(digests, "<u8")
