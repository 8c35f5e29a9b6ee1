"""Parquet by row groups, Arrow and Feather by record batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import ipc

from cauce.batch.readers import WINDOW, WINDOW_BYTES, Span, Window, json_of, without_broken
from cauce.errors import UnreadableData

BINARY = {pa.string(): pa.binary(), pa.large_string(): pa.large_binary()}


class Parquet:
    """A Parquet file.

    Raises:
        UnreadableData: it is none, or only half of one.

    """

    notes: tuple[str, ...] = ()

    def __init__(self, path: Path, name: str) -> None:
        from pyarrow import parquet  # late: it takes time that a CSV does not need

        self._path, self._name = path, name
        with _reading(name, "parquet"):
            # without reading ahead a row group of any size takes little memory
            self._file = parquet.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20)
            self.schema = plain_schema(self._file.schema_arrow, name)

    def spans(self, size: int) -> Iterator[Span]:
        """Row groups together up to `size` bytes, unpacked."""
        groups = self._file.metadata
        start, row, rows, total = 0, 0, 0, 0
        for group in range(groups.num_row_groups):
            facts = groups.row_group(group)
            rows, total = rows + facts.num_rows, total + facts.total_byte_size
            if total >= size or group == groups.num_row_groups - 1:
                if rows:
                    yield Span(start, group + 1, row, 0, rows)
                start, row, rows, total = group + 1, row + rows, 0, 0

    def windows(self, span: Span, names: list[str], condition: pc.Expression | None) -> Iterator[Window]:
        """The rows; a row group whose statistics exclude the condition is not read."""
        kept = self._possible(span, condition)
        row = span.row
        with _reading(self._name, "parquet"):
            for group in range(span.start, span.end):
                facts = self._file.metadata.row_group(group)
                rows = facts.num_rows
                if group not in kept:
                    yield _window(_nothing(self.schema, names), row, rows)
                    row += rows
                    continue
                step = _fitting(facts.total_byte_size, rows)
                for batch in self._file.iter_batches(step, row_groups=[group], columns=names, use_threads=False):
                    if len(batch):
                        yield _window(_typed(batch, self.schema, names), row)
                    row += len(batch)

    def _possible(self, span: Span, condition: pc.Expression | None) -> set[int]:
        every = range(span.start, span.end)
        if condition is None:
            return set(every)
        from pyarrow import dataset

        try:
            fragment = dataset.ParquetFileFormat().make_fragment(str(self._path), row_groups=list(every))
            return {group.id for group in fragment.subset(filter=condition, schema=self.schema).row_groups}
        except (pa.ArrowException, ValueError):  # statistics that cannot be compared: read them all
            return set(every)


class ArrowFile:
    """An Arrow file or stream, or a Feather file of version 2.

    Raises:
        UnreadableData: it is none, or only half of one.

    """

    notes: tuple[str, ...] = ()

    def __init__(self, path: Path, kind: str, name: str) -> None:
        self._path, self._name, self._kind = path, name, kind.removeprefix(".")
        with path.open("rb") as file:
            head = file.read(6)
        if head.startswith(b"FEA1"):
            raise UnreadableData("Feather of version 1", where=name, hint="write it again as Parquet or Feather 2")
        self._is_file = head == b"ARROW1"
        with _reading(name, self._kind), self._opened() as opened:
            self.schema = plain_schema(opened.schema, name)

    def spans(self, size: int) -> Iterator[Span]:
        """Record batches together up to `size` bytes."""
        start, row, rows, total, at = 0, 0, 0, 0, 0
        for batch in self._batches(0):
            at += 1
            rows, total = rows + len(batch), total + batch.nbytes
            if total >= size:
                if rows:
                    yield Span(start, at, row, 0, rows)
                start, row, rows, total = at, row + rows, 0, 0
        if rows:
            yield Span(start, at, row, 0, rows)

    def windows(self, span: Span, names: list[str], condition: pc.Expression | None) -> Iterator[Window]:
        """The rows of these batches."""
        row, left = span.row, span.rows
        for batch in self._batches(span.start):
            step = _fitting(batch.nbytes, len(batch))
            for at in range(0, len(batch), step):
                part = batch.slice(at, step).select(names)
                with _reading(self._name, self._kind):
                    _check(part)
                yield _window(_typed(part, self.schema, names), row)
                row += len(part)
            left -= len(batch)
            if left <= 0:
                return

    def _batches(self, start: int) -> Iterator[pa.RecordBatch]:
        """The batches from one on."""
        with _reading(self._name, self._kind), self._opened() as opened:
            if self._is_file:
                for number in range(start, opened.num_record_batches):
                    yield opened.get_batch(number)
                return
            for number, batch in enumerate(opened):
                if number >= start:
                    yield batch

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        with pa.OSFile(str(self._path)) as file, ipc.open_file(file) if self._is_file else ipc.open_stream(file) as opened:
            yield opened


def plain_schema(schema: pa.Schema, name: str) -> pa.Schema:
    """The schema with dictionaries as their values, without metadata.

    Raises:
        UnreadableData: two columns of one name.

    """
    repeated = [column for column, times in Counter(schema.names).items() if times > 1]
    if repeated:
        raise UnreadableData(f'two columns have the name "{repeated[0]}"', where=name, hint="rename one of them")
    kinds = [field.type.value_type if pa.types.is_dictionary(field.type) else field.type for field in schema]
    return pa.schema([pa.field(column, kind) for column, kind in zip(schema.names, kinds, strict=True)])


def _fitting(size: int, rows: int) -> int:
    """How many rows of this size, in bytes of all of them, a window holds."""
    return min(WINDOW, max(1, WINDOW_BYTES * rows // max(size, 1)))


def _typed(batch: pa.RecordBatch, schema: pa.Schema, names: list[str]) -> pa.RecordBatch:
    columns = [batch.column(name) for name in names]
    kinds = [schema.field(name).type for name in names]
    return pa.RecordBatch.from_arrays(
        [column if column.type == kind else column.cast(kind) for column, kind in zip(columns, kinds, strict=True)], names
    )


def _window(rows: pa.RecordBatch, before: int, skipped: int = 0) -> Window:
    numbers = np.arange(before + 1, before + 1 + len(rows))
    return without_broken(Window(rows, numbers, None, lambda place: _raw(rows, place), skipped=skipped))


def _raw(rows: pa.RecordBatch, place: int) -> str:
    try:
        return json_of(rows.slice(place, 1).to_pylist()[0])
    except UnicodeDecodeError:
        columns = [column.view(BINARY.get(column.type, column.type)) for column in rows.slice(place, 1).columns]
        values = [column[0].as_py() for column in columns]
        shown = [value.decode(errors="backslashreplace") if isinstance(value, bytes) else value for value in values]
        return json_of(dict(zip(rows.schema.names, shown, strict=True)))


def _nothing(schema: pa.Schema, names: list[str]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.nulls(0, schema.field(name).type) for name in names], names)


def _check(batch: pa.RecordBatch) -> None:
    """Look at every offset: in a damaged file they lead out of its memory. Text that is not UTF-8 is a row's own fault."""
    for column in batch.columns:
        kind = BINARY.get(column.type)
        (column if kind is None else column.view(kind)).validate(full=True)


@contextmanager
def _reading(name: str, kind: str) -> Iterator[None]:
    """Turn Arrow's errors into ours.

    Raises:
        UnreadableData: with the file's name.

    """
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).strip().split("\n")[0]
        raise UnreadableData(f"not {kind}: {reason}", where=name, hint="was the file cut? copy it again") from None
