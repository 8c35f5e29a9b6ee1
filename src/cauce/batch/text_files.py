"""CSV, TSV and JSON lines as spans of bytes that begin and end where rows do, quoted line feeds or not."""

from __future__ import annotations

import io
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cauce.batch import kernels
from cauce.batch.blocks import Rows, Shape, scan
from cauce.batch.readers import RAW, WINDOW, Letter, Span, Window, without_broken
from cauce.data import delimited
from cauce.errors import EmptyData, UnreadableData
from cauce.settings import settings

HEAD = 1 << 20  # bytes from which the columns of JSON lines, and the meaning of quotes in a TSV, are told
MARK = b"\xef\xbb\xbf"
CODES = {  # what the kernel found, as code and reason of a dead letter
    kernels.RAGGED: ("ragged_row", "the row has more or fewer cells than the header"),
    kernels.QUOTE: ("wrong_quote", "a quote is not closed, or not doubled"),
    kernels.RETURN: ("lone_return", "a carriage return stands alone"),
    kernels.NUL: ("nul_byte", "the row holds a NUL byte"),
    kernels.LONG: ("line_too_long", "the row is over the setting max_line_bytes"),
}


class _Text(ABC):
    """Rows of a text file from the byte `first`, which is in line `line` (from 0)."""

    def __init__(self, path: Path, name: str) -> None:
        self._path, self._name = path, name
        self.notes: tuple[str, ...] = ()
        with path.open("rb") as file:
            self._head = file.read(HEAD)
            self._size = file.seek(0, io.SEEK_END)
        self._whole = len(self._head) == self._size
        self._first, self._line = len(MARK) if self._head.startswith(MARK) else 0, 0
        self._head = self._head[self._first :]

    def spans(self, size: int) -> Iterator[Span]:
        """Spans of at least `size` bytes."""
        start, row, line, rows = self._first, 0, self._line, 0
        before, first_line = 0, line
        with self._path.open("rb") as file:
            for block in scan(file, self._first, self._size, self._shape):
                real = block.faults != kernels.BLANK
                row_before = np.concatenate([[0], np.cumsum(real)])
                lines_before = np.concatenate([[0], np.cumsum(block.lines)])
                at = 0
                while (cut := int(np.searchsorted(block.starts[at:], start + size - block.base)) + at) < len(block.starts):
                    rows += int(row_before[cut] - row_before[at])
                    edge = block.base + int(block.starts[cut])
                    if rows:
                        yield Span(start, edge, row, first_line, rows)
                    start, row, rows = edge, row + rows, 0
                    first_line, at = before + self._line + int(lines_before[cut]), cut
                rows += int(row_before[-1] - row_before[at])
                before += int(lines_before[-1])
        if rows:
            yield Span(start, self._size, row, first_line, rows)

    def windows(self, span: Span, names: list[str], condition: pc.Expression | None) -> Iterator[Window]:
        """The rows of the span; every one is read."""
        row, line = span.row, span.line
        with self._path.open("rb") as file:
            for block in scan(file, span.start, span.end, self._shape):
                numbers = row + np.cumsum(block.faults != kernels.BLANK)
                lines = line + 1 + np.concatenate([[0], np.cumsum(block.lines[:-1])])
                for at in range(0, len(block.starts), WINDOW):
                    yield self._window(block, np.arange(at, min(at + WINDOW, len(block.starts))), numbers, lines, names)
                row, line = int(numbers[-1]), line + int(block.lines.sum())

    def _window(self, block: Rows, part: Any, numbers: Any, lines: Any, names: list[str]) -> Window:
        faults = block.faults[part]
        dead = [
            Letter(int(numbers[at]), int(lines[at]), *CODES[int(block.faults[at])], block.raw(int(at), RAW))
            for at in part[(faults != kernels.FINE) & (faults != kernels.BLANK)]
        ]
        fine = part[faults == kernels.FINE]
        rows, places, wrong = self._columns(block, fine, names)
        dead += [
            Letter(int(numbers[fine[at]]), int(lines[fine[at]]), code, reason, block.raw(int(fine[at]), RAW))
            for at, code, reason in wrong
        ]
        kept = fine[places]
        raw = lambda place: block.raw(int(kept[place]), RAW)  # noqa: E731
        letters = tuple(sorted(dead, key=lambda letter: letter.row))
        return without_broken(Window(rows, numbers[kept], lines[kept], raw, letters))

    _shape: Shape

    @abstractmethod
    def _columns(self, block: Rows, fine: Any, names: list[str]) -> tuple[pa.RecordBatch, Any, list[tuple[int, str, str]]]:
        """Columns of these rows, the places (in `fine`) of those that were read, and what is wrong with the rest."""


class Delimited(_Text):
    """A CSV or TSV file; every column is text.

    Raises:
        UnreadableData: its header.
        EmptyData: it has none.

    """

    def __init__(self, path: Path, kind: str, name: str) -> None:
        super().__init__(path, name)
        head = self._head.decode(errors="replace")
        delimiter, quoted, before, notes = delimited.shape(head if self._whole else head[: head.rfind("\n") + 1], kind)
        for _ in range(before):
            self._skip_line()
        names, lines = delimited.header(self._head.decode(errors="replace"), delimiter, name, before, quoted=quoted)
        for _ in range(lines):
            self._skip_line()
        if not names:
            raise EmptyData(f"{name} has no rows", hint="the first line names the columns")
        self.notes = tuple(notes)
        self.schema = pa.schema([(column, pa.string()) for column in names])
        self._shape = Shape(ord(delimiter), quoted, len(names), settings().max_line_bytes)

    def _skip_line(self) -> None:
        line, found, self._head = self._head.partition(b"\n")
        self._first += len(line) + len(found)
        self._line += 1

    def _columns(self, block: Rows, fine: Any, names: list[str]) -> tuple[pa.RecordBatch, Any, list[tuple[int, str, str]]]:
        places = [self.schema.get_field_index(name) for name in names]
        columns = [block.column(place, fine) for place in places]
        return pa.RecordBatch.from_arrays(columns, names), np.arange(len(fine)), []


class JsonLines(_Text):
    """One JSON object a line. The columns and their types are those of the first `HEAD` bytes; a key that is missing is null.

    Raises:
        EmptyData: no object there.

    """

    def __init__(self, path: Path, name: str) -> None:
        super().__init__(path, name)
        objects = []
        for line in (self._head if self._whole else self._head[: self._head.rfind(b"\n") + 1]).split(b"\n"):
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError):  # a dead letter later
                continue
            if isinstance(entry, dict):
                objects.append(entry)
        if not objects and not self._head.strip():
            raise EmptyData(f"{name} has no rows", hint="one JSON object a line")
        if not objects:
            raise UnreadableData("not an object a line", where=name, hint='one object a line: {"text": …}')
        kinds = {key: _type([entry.get(key) for entry in objects]) for key in dict.fromkeys(k for e in objects for k in e)}
        nested = [key for key, kind in kinds.items() if kind is None]
        self.notes = (f"not read, it is nested: {', '.join(nested)}",) if nested else ()
        self.schema = pa.schema([(key, kind) for key, kind in kinds.items() if kind is not None])
        self._shape = Shape(kernels.NO_DELIMITER, False, 1, settings().max_line_bytes)

    def _columns(self, block: Rows, fine: Any, names: list[str]) -> tuple[pa.RecordBatch, Any, list[tuple[int, str, str]]]:
        schema = pa.schema([self.schema.field(name) for name in names])
        lines = [block.data[start:end].tobytes() for start, end in zip(block.starts[fine], block.ends[fine], strict=True)]
        whole = _all_at_once(lines, schema)
        if whole is not None:
            return whole, np.arange(len(fine)), []
        rows, places, wrong = [], [], []
        for at, line in enumerate(lines):
            try:
                rows.append(_row(line, schema))
                places.append(at)
            except UnicodeError:
                wrong.append((at, "invalid_utf8", "the row is not valid UTF-8, or holds half a character"))
            except _WrongType as mismatch:
                wrong.append((at, "wrong_type", str(mismatch)))
            except (ValueError, RecursionError):
                wrong.append((at, "not_json", "the line is not a JSON object"))
        columns = [pa.array([row[place] for row in rows], field.type) for place, field in enumerate(schema)]
        return pa.RecordBatch.from_arrays(columns, names), np.array(places, np.int64), wrong


class _WrongType(Exception):  # noqa: N818
    """A value of another type than its column."""


def _all_at_once(lines: list[bytes], schema: pa.Schema) -> pa.RecordBatch | None:
    """The rows by Arrow's own reader, or None where it stumbles over one: it cannot say which."""
    from pyarrow import json as arrow_json

    if not lines or not len(schema):
        return None
    options = arrow_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    text = b"".join(lines)
    try:
        table = arrow_json.read_json(
            pa.BufferReader(text),
            read_options=arrow_json.ReadOptions(use_threads=False, block_size=len(text) + 1),
            parse_options=options,
        )
        if len(table) != len(lines):
            return None
        table.validate(full=True)
    except (pa.ArrowException, ValueError):
        return None
    columns = [table.column(name).combine_chunks() for name in schema.names]
    return pa.RecordBatch.from_arrays(columns, schema.names)


def _row(line: bytes, schema: pa.Schema) -> list[Any]:
    entry = json.loads(line.decode())
    if not isinstance(entry, dict):
        raise ValueError("not an object")  # noqa: TRY004
    values = [_value(entry.get(field.name), field) for field in schema]
    if b"\\u" in line:
        for value in values:
            str(value).encode()  # a lone surrogate is no text
    return values


def _value(value: Any, field: pa.Field) -> Any:
    kind = field.type
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if pa.types.is_string(kind):
        return value if isinstance(value, str) else json.dumps(value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if pa.types.is_boolean(kind) and isinstance(value, bool):
        return value
    if pa.types.is_int64(kind) and is_number and value == int(value) and -(2**63) <= value < 2**63:
        return int(value)
    if pa.types.is_float64(kind) and is_number:
        return float(value)
    if pa.types.is_list(kind) and isinstance(value, list):
        return [item if item is None or isinstance(item, str) else json.dumps(item) for item in value]
    raise _WrongType(f'"{field.name}" is not {kind}, as in the rows before')


def _type(values: list[Any]) -> pa.DataType | None:
    """The common type of values; None where they are nested."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return pa.bool_()
    if kinds == {int} and all(value is None or -(2**63) <= value < 2**63 for value in values):
        return pa.int64()
    if kinds and kinds <= {int, float}:
        return pa.float64()
    if kinds == {list} and not any(isinstance(item, list | dict) for value in values for item in value or ()):
        return pa.list_(pa.string())
    return None if kinds & {dict, list} else pa.string()
