"""What every kind of file gives: spans of rows that can be read alone, and windows of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cauce.batch import inputs
from cauce.model import rows as model_rows

WINDOW = 65_536  # rows read, scored and written together, at most
WINDOW_BYTES = 1 << 25  # of them, about
RAW = 100_000  # bytes of a row that a dead letter keeps

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Span:
    """Rows of a file that are read alone.

    Attributes:
        start, end: bytes of a text file, row groups of a Parquet file, batches of an Arrow file.
        row: how many rows of the file lie before.
        line: how many lines of a text file lie before.
        rows: how many rows it has.

    """

    start: int
    end: int
    row: int
    line: int
    rows: int


@dataclass(frozen=True)
class Letter:
    """A row that is not answered: its number from 1, its line in a text file, why, and the row as it is written."""

    row: int
    line: int | None
    code: str
    reason: str
    raw: str


@dataclass(frozen=True)
class Window:
    """Some rows of a file, in order.

    Attributes:
        rows: the columns asked for.
        numbers: (n,) the row's number in the file, from 1.
        lines: (n,) the line where it starts, from 1; None where there are no lines.
        raw: a row (its place in `rows`) as it is written.
        dead: the rows that cannot be read.
        skipped: rows that were not read, since they cannot fulfil the condition.

    """

    rows: pa.RecordBatch
    numbers: Numbers
    lines: Numbers | None
    raw: Callable[[int], str]
    dead: tuple[Letter, ...] = ()
    skipped: int = 0

    def letter(self, place: int, code: str, reason: str) -> Letter:
        """A dead letter of a row, by its place in `rows`."""
        line = None if self.lines is None else int(self.lines[place])
        return Letter(int(self.numbers[place]), line, code, reason, self.raw(place))


class Reader(Protocol):
    """A file that was opened: its columns, its spans, and their rows."""

    schema: pa.Schema
    notes: tuple[str, ...]

    def spans(self, size: int) -> Iterator[Span]:
        """The file cut into spans of about `size` bytes, the same ones at every call."""
        ...

    def windows(self, span: Span, names: list[str], condition: pc.Expression | None) -> Iterator[Window]:
        """The rows of a span with these columns; some that fail the condition may be left out."""
        ...


def open_reader(path: Path, name: str) -> Reader:
    """Open a plain local file; `name` is what messages call it, and says its kind.

    Raises:
        UnreadableData, EmptyData

    """
    kind = inputs.kind_of(path.name)
    if kind in inputs.TEXT:
        from cauce.batch import text_files

        return text_files.JsonLines(path, name) if kind in (".jsonl", ".ndjson") else text_files.Delimited(path, kind, name)
    from cauce.batch import columnar

    return columnar.Parquet(path, name) if kind == ".parquet" else columnar.ArrowFile(path, kind, name)


def broken(batch: pa.RecordBatch) -> npt.NDArray[np.bool_]:
    """Which rows hold text that is not UTF-8."""
    found = np.zeros(len(batch), np.bool_)
    for column in batch.columns:
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            try:
                column.validate(full=True)
            except pa.ArrowInvalid:
                status, _ = model_rows.inspect(column)
                found |= (status == model_rows.INVALID) & column.is_valid().to_numpy(zero_copy_only=False)
    return found


def without_broken(window: Window) -> Window:
    """The window with its rows that are not UTF-8 as dead letters."""
    wrong = broken(window.rows)
    if not wrong.any():
        return window
    places = np.flatnonzero(~wrong)
    reason = "a cell is not valid UTF-8"
    letters = [window.letter(int(place), "invalid_utf8", reason) for place in np.flatnonzero(wrong)]
    return Window(
        window.rows.filter(pa.array(~wrong)),
        window.numbers[places],
        None if window.lines is None else window.lines[places],
        lambda place: window.raw(int(places[place])),
        tuple(sorted((*window.dead, *letters), key=lambda letter: letter.row)),
        window.skipped,
    )


def json_of(value: Any) -> str:
    """A row as JSON, for a dead letter."""
    import json

    return json.dumps(value, ensure_ascii=False, default=str)[:RAW]
