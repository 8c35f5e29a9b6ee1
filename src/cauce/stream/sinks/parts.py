"""`file:` as a sink: a folder of parts, JSON lines or Parquet.

A part is written aside, flushed and renamed: one that is there is whole. Several workers share a folder: each has a
number, which is in the names of its parts.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Generic, Protocol, TypeVar

import orjson
import pyarrow as pa

from cauce.errors import writing
from cauce.faults import fault
from cauce.model.files import sync_one
from cauce.stream.records import SCHEMA, Records
from cauce.stream.results import Results

LATELY = 300.0  # seconds: a dead worker's messages come to another one much sooner
GROUP_ROWS = 20_000  # of a group of rows in a Parquet file
VARIED = {"id", "text", "created_at", "key", "score", "other"}  # columns that hardly repeat: a dictionary would only cost time
R = TypeVar("R", bound=Records, contravariant=True)


class Part(Protocol[R]):
    """A file that records are written to."""

    def write(self, records: R) -> None:
        """Add records."""
        ...

    def close(self) -> None:
        """Finish the file."""
        ...


class JsonLines:
    """A JSON object a line."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("wb")

    def write(self, records: Records) -> None:
        """Add lines."""
        self._file.write(b"".join(line + b"\n" for line in records.lines.to_pylist()))

    def close(self) -> None:
        """Finish the file."""
        self._file.close()


class Parquet:
    """The columns of `SCHEMA`."""

    def __init__(self, path: Path) -> None:
        from pyarrow import parquet  # late: it takes time that JSON lines do not need

        often = [field.name for field in SCHEMA if field.name not in VARIED and not pa.types.is_nested(field.type)]
        self._writer = parquet.ParquetWriter(path, SCHEMA, compression="zstd", use_dictionary=often, write_statistics=often)
        self._waiting: list[pa.RecordBatch] = []

    def write(self, results: Results) -> None:
        """Add rows."""
        self._waiting.append(results.table)
        if sum(map(len, self._waiting)) >= GROUP_ROWS:
            self._put()

    def close(self) -> None:
        """Finish the file."""
        if self._waiting:
            self._put()
        self._writer.close()

    def _put(self) -> None:
        self._writer.write_table(pa.Table.from_batches(self._waiting))
        self._waiting = []


class Parts(Generic[R]):
    """Writes parts into a folder.

    Args:
        kind: opens a part.
        suffix: what the name of a part ends with.
        seconds, rows: what a part holds at most; until it is full nothing of it is acknowledged.

    Raises:
        CannotWrite, StorageFull

    """

    def __init__(self, folder: Path, kind: Callable[[Path], Part[R]], suffix: str, seconds: float, rows: int) -> None:
        self._folder, self._kind, self._suffix, self._seconds, self._most = folder, kind, suffix, seconds, rows
        state = folder / ".cauce"
        with writing(folder, instead="--to"):
            state.mkdir(parents=True, exist_ok=True)
            self._worker, self._lock = _number(state)
            for left in folder.glob(f".part-{self._worker:03d}-*.tmp"):  # of one that was killed
                left.unlink()
        mine = [path.stem for path in folder.glob(f"part-{self._worker:03d}-*")]
        self._count = max((int(name.rsplit("-", 1)[1]) for name in mine), default=0)
        self._part: Part[R] | None = None
        self._begun, self._rows = 0.0, 0
        self._read = set[str]()

    def write(self, records: R) -> None:
        """Add to the part that is open."""
        with writing(self._folder, instead="--to"):
            if self._part is None:
                self._part, self._begun, self._rows = self._kind(self._aside), time.monotonic(), 0
            self._part.write(records)
        self._rows += len(records)

    def due(self) -> bool:
        """Whether the part is old or full."""
        return self._part is not None and (time.monotonic() - self._begun >= self._seconds or self._rows >= self._most)

    def flush(self) -> None:
        """Give the part its name."""
        if self._part is None:
            return
        name = f"{self._name}.{self._suffix}"
        with writing(self._folder / name, instead="--to"):
            self._part.close()
            sync_one(self._aside)
            fault("part.written")
            self._aside.replace(self._folder / name)
            sync_one(self._folder)
            fault("part.renamed")
        self._read.add(name)
        self._part = None
        self._count += 1

    def recent(self) -> Iterable[str]:
        """The keys of each worker's last part, and of all those of the last minutes; no part is read twice.

        A worker acknowledges a part before it begins the next: what a dead one did not, is in these.
        """
        parts, since = sorted(self._folder.glob("part-*")), time.time() - LATELY
        last = {path.name.rsplit("-", 1)[0]: path for path in parts}
        for path in parts:
            if path.name not in self._read and (path in last.values() or path.stat().st_mtime > since):
                self._read.add(path.name)
                yield from _keys(path)

    def close(self) -> None:
        """Delete the part that was not finished."""
        with suppress(OSError, pa.ArrowException):  # a full disk may be why
            if self._part is not None:
                self._part.close()
        self._part = None
        self._aside.unlink(missing_ok=True)
        os.close(self._lock)

    @property
    def _name(self) -> str:
        return f"part-{self._worker:03d}-{self._count + 1:06d}"

    @property
    def _aside(self) -> Path:
        return self._folder / f".{self._name}.tmp"


def _keys(path: Path) -> Iterator[str]:
    if path.suffix == ".parquet":
        from pyarrow import parquet

        yield from parquet.read_table(path, columns=["key"]).column("key").to_pylist()
        return
    with path.open("rb") as file:
        for line in file:
            yield orjson.loads(line)["key"]


def _number(state: Path) -> tuple[int, int]:
    """The first number that no living worker has, and the lock that holds it."""
    number = 0
    while True:
        number += 1
        handle = os.open(state / f"worker-{number:03d}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            continue
        return number, handle
