"""A text file as blocks of rows, read from any row's start on in constant memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cauce.batch import kernels

BLOCK = 1 << 23  # bytes read at a time
Ints = npt.NDArray[Any]


@dataclass(frozen=True)
class Shape:
    """How the bytes of a file are rows.

    Attributes:
        delimiter: the byte between cells, or `kernels.NO_DELIMITER`.
        quoted: whether quotes around a cell are CSV's.
        columns: how many cells a row has.
        limit: bytes of the longest row.

    """

    delimiter: int
    quoted: bool
    columns: int
    limit: int


@dataclass(frozen=True)
class Rows:
    """Rows of a block.

    Attributes:
        data: the block, uint8.
        base: where it starts in the file.
        starts, ends: (n,) the bytes of each row in the block, with its line end.
        lines: (n,) how many lines each row has.
        faults: (n,) what is wrong with it, see `kernels`.
        cells: (n, columns, 2) the bytes of each cell, without the quotes around it.
        escapes: (n, columns) its doubled quotes.

    """

    data: npt.NDArray[np.uint8]
    base: int
    starts: Ints
    ends: Ints
    lines: Ints
    faults: Ints
    cells: Ints
    escapes: Ints

    def raw(self, row: int, most: int) -> str:
        """A row as it is written, up to `most` bytes; what is not UTF-8 as escapes."""
        found = self.data[self.starts[row] : min(self.ends[row], self.starts[row] + most)].tobytes()
        return found.decode(errors="backslashreplace").rstrip("\r\n")

    def column(self, place: int, rows: Ints) -> pa.Array:
        """The cells of a column in these rows, string (not checked to be UTF-8)."""
        cells, escapes = self.cells[rows], self.escapes[rows]
        offsets = np.empty(len(rows) + 1, np.int32)
        kernels.lengths(cells, escapes, place, offsets)
        out = np.empty(int(offsets[-1]), np.uint8)
        kernels.gather(self.data, cells, escapes, place, offsets, out)
        return pa.Array.from_buffers(pa.string(), len(rows), [None, pa.py_buffer(offsets), pa.py_buffer(out)])


def scan(file: BinaryIO, start: int, end: int, shape: Shape) -> Iterator[Rows]:
    """The rows that start in these bytes of a file; `start` and `end` are where rows start, or the file's end."""
    file.seek(start)
    rest, base = np.empty(0, np.uint8), start
    while True:
        data = np.empty(len(rest) + min(BLOCK, end - base - len(rest)), np.uint8)
        data[: len(rest)] = rest
        read = file.readinto(data[len(rest) :]) if len(data) > len(rest) else 0  # type: ignore[attr-defined]
        data = data[: len(rest) + read]
        if not len(data):
            return
        last = base + len(data) >= end or not read
        rows, after = _split(data, base, shape, last=last)
        if len(rows.starts):
            yield rows
        rest, base = data[after:], base + after
        if len(rest) > shape.limit and not after:
            yield _too_long(rest, base)
            base = _next_line(file, base + len(rest), end)
            rest = rest[:0]


def _split(data: npt.NDArray[np.uint8], base: int, shape: Shape, *, last: bool) -> tuple[Rows, int]:
    most = int(np.count_nonzero(data == kernels.LINE_FEED)) + 1
    starts, ends, lines = (np.empty(most, np.int32) for _ in range(3))
    faults = np.empty(most, np.uint8)
    cells = np.empty((most, shape.columns, 2), np.int32)
    escapes = np.empty((most, shape.columns), np.int32)
    n, after = kernels.split(
        data, 0, len(data), last, shape.delimiter, shape.quoted, shape.limit, starts, ends, lines, faults, cells, escapes
    )
    return Rows(data, base, starts[:n], ends[:n], lines[:n], faults[:n], cells[:n], escapes[:n]), int(after)


def _too_long(data: npt.NDArray[np.uint8], base: int) -> Rows:
    """A line that no block holds, as one row."""
    one = np.array([0], np.int32)
    nothing = np.zeros((1, 0, 2), np.int32)
    long = np.array([kernels.LONG], np.uint8)
    return Rows(data, base, one, np.array([len(data)], np.int32), one + 1, long, nothing, nothing[:, :, 0])


def _next_line(file: BinaryIO, at: int, end: int) -> int:
    """Where the next line starts, and the file stands there."""
    file.seek(at)
    while at < end and (block := file.read(min(BLOCK, end - at))):
        found = block.find(b"\n")
        if found >= 0:
            file.seek(at + found + 1)
            return at + found + 1
        at += len(block)
    return end
