"""Arrow files and streams as messages: each row is one. The position is the number of rows that were read."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from pyarrow import ipc

from cauce.errors import UnreadableData
from cauce.model.rows import INVALID, inspect
from cauce.stream.brokers.position import Position
from cauce.stream.deliveries import Deliveries

SUFFIXES = (".arrow", ".arrows", ".feather")


class ArrowFile:
    """Gives out the rows of a file.

    Args:
        group: whose position it is: another group begins at the first row.

    Raises:
        UnreadableData: it is no Arrow file, or only half of one.
        FileMissing, FileChanged, InUse, CannotWrite, StorageFull: see `Position`.

    """

    def __init__(self, path: Path, group: str) -> None:
        self.ended = False
        self._path = path
        self._position = Position(path, group)
        self._file = pa.memory_map(str(path)) if path.stat().st_size else pa.BufferReader(b"")
        self._row = self._position.at  # of the next that is given out
        self._batches = self._read(self._row)
        self._batch: pa.RecordBatch | None = None
        self._given: deque[tuple[int, int]] = deque()  # of what is not acknowledged: rows up to, bytes of the file up to

    def fetch(self, most: int, room: int, wait: float) -> Deliveries | None:
        """The next rows."""
        while self._batch is None or not len(self._batch):
            try:
                self._batch = next(self._batches, None)
            except (pa.ArrowException, OSError) as error:
                raise UnreadableData(f"not Arrow: {error}", where=str(self._path), hint="was it cut? copy it again") from None
            if self._batch is None:
                self.ended = True
                return None
        fitting = max(1, room * len(self._batch) // max(self._batch.nbytes, 1))
        rows = self._batch.slice(0, min(most, fitting))
        wrong = np.flatnonzero(_broken(rows))
        if len(wrong):  # what is not UTF-8 is given out as bytes, alone, for the reason to be told
            rows = rows.slice(0, wrong[0] or 1)
        self._batch = self._batch.slice(len(rows))
        given = _bytes(rows) if len(wrong) and not wrong[0] else rows
        places = pa.array(np.arange(self._row, self._row + len(rows))).cast(pa.string())
        self._row += len(rows)
        self._given.append((self._row, self._file.tell()))
        return Deliveries.of(f"file:{self._path.name}", given, places)

    def acknowledge(self, places: Sequence[str]) -> None:
        """Keep the position behind the last of them."""
        row = int(places[-1]) + 1
        while self._given[0][0] < row:
            self._given.popleft()
        self._position.keep(0, row, self._given[0][1])

    def close(self) -> None:
        """Let another worker read the file."""
        self._position.close()

    def _read(self, before: int) -> Iterator[pa.RecordBatch]:
        """The batches, without the rows that were read before."""
        for batch in self._opened():
            for column in batch.columns:
                _binary(column).validate(full=True)  # in a damaged file an offset leads out of its memory
            skipped = min(before, len(batch))
            before -= skipped
            yield batch.slice(skipped)

    def _opened(self) -> Iterator[pa.RecordBatch]:
        if self._file.read(6) == b"ARROW1":
            opened: Any = ipc.open_file(self._file)
            for number in range(opened.num_record_batches):
                yield opened.get_batch(number)
            return
        self._file.seek(0)
        yield from ipc.open_stream(self._file)


def _binary(column: pa.Array) -> pa.Array:
    """A column of texts as bytes, another as it is."""
    if pa.types.is_string(column.type):
        return column.view(pa.binary())
    return column.view(pa.large_binary()) if pa.types.is_large_string(column.type) else column


def _broken(rows: pa.RecordBatch) -> np.ndarray:
    """Which rows hold a text that is not UTF-8."""
    found = np.zeros(len(rows), np.bool_)
    for column in rows.columns:
        try:
            column.validate(full=True)
        except pa.ArrowInvalid:
            found |= (inspect(column)[0] == INVALID) & column.is_valid().to_numpy(zero_copy_only=False)
    return found


def _bytes(rows: pa.RecordBatch) -> pa.LargeBinaryArray:
    """Rows as JSON with the bytes that they have, wrong ones too."""
    columns = {name: _binary(column).to_pylist() for name, column in zip(rows.schema.names, rows.columns, strict=True)}
    found = []
    for row in range(len(rows)):
        parts = [orjson.dumps(name) + b": " + _written(values[row]) for name, values in columns.items()]
        found.append(b"{" + b", ".join(parts) + b"}")
    return pa.array(found, pa.large_binary())


def _written(value: Any) -> bytes:
    return b'"' + value + b'"' if isinstance(value, bytes) else orjson.dumps(value, default=str)
