"""`file:` as a sink: a folder of parts, JSON lines or Parquet.

A part is written aside, flushed and renamed: one that is there is whole. Several workers share a folder: each has a
number, which is in the names of its parts.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import orjson
import pyarrow as pa

from cauce.errors import writing
from cauce.faults import fault
from cauce.model.files import sync_one
from cauce.stream.message import Document

FORMATS = ("jsonl", "parquet")
LATELY = 300.0  # seconds: a dead worker's messages come to another one much sooner
GROUP_ROWS = 20_000  # of a group of rows in a Parquet file
SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("id", "text", "created_at", "op")),
        ("rev", pa.int64()),
        ("key", pa.string()),
        ("label", pa.string()),
        ("labels", pa.list_(pa.string())),
        ("score", pa.float32()),
        ("scores", pa.map_(pa.string(), pa.float32())),
        ("truncated", pa.bool_()),
        *((name, pa.string()) for name in ("model", "version", "variant")),
        ("other", pa.string()),  # the message's other keys, as JSON
    ]
)
COLUMNS = frozenset(SCHEMA.names) - {"other"}


class Part(Protocol):
    """A file that documents are written to."""

    def write(self, documents: Sequence[Document]) -> None:
        """Add documents."""
        ...

    def close(self) -> None:
        """Finish the file."""
        ...


class Parts:
    """Writes parts into a folder.

    Args:
        kind: one of `FORMATS`.
        seconds, rows: what a part holds at most; until it is full nothing of it is acknowledged.

    Raises:
        CannotWrite, StorageFull

    """

    def __init__(self, folder: Path, kind: str, seconds: float, rows: int) -> None:
        self._folder, self._kind, self._seconds, self._most = folder, kind, seconds, rows
        state = folder / ".cauce"
        with writing(folder, instead="--to"):
            state.mkdir(parents=True, exist_ok=True)
            self._worker, self._lock = _number(state)
            for left in folder.glob(f".part-{self._worker:03d}-*.tmp"):  # of one that was killed
                left.unlink()
        mine = [path.stem for path in folder.glob(f"part-{self._worker:03d}-*")]
        self._count = max((int(name.rsplit("-", 1)[1]) for name in mine), default=0)
        self._part: Part | None = None
        self._begun, self._rows = 0.0, 0
        self._read = set[str]()

    def write(self, documents: Sequence[Document]) -> None:
        """Add to the part that is open."""
        if not documents:
            return
        with writing(self._folder, instead="--to"):
            if self._part is None:
                kind = _Parquet if self._kind == "parquet" else _JsonLines
                self._part, self._begun, self._rows = kind(self._aside), time.monotonic(), 0
            self._part.write(documents)
        self._rows += len(documents)

    def due(self) -> bool:
        """Whether the part is old or full."""
        return self._part is not None and (time.monotonic() - self._begun >= self._seconds or self._rows >= self._most)

    def flush(self) -> None:
        """Give the part its name."""
        if self._part is None:
            return
        name = f"{self._name}.{self._kind}"
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
        last = {path.name.rsplit("-", 1)[0]: path for path in sorted(self._folder.glob("part-*"))}
        since = time.time() - LATELY
        for path in sorted(self._folder.glob("part-*")):
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


class _JsonLines:
    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("wb")

    def write(self, documents: Sequence[Document]) -> None:
        self._file.write(b"".join(orjson.dumps(one) + b"\n" for one in documents))

    def close(self) -> None:
        self._file.close()


class _Parquet:
    def __init__(self, path: Path) -> None:
        from pyarrow import parquet  # late: it takes time that JSON lines do not need

        self._writer = parquet.ParquetWriter(path, SCHEMA, compression="zstd")
        self._waiting: list[Document] = []

    def write(self, documents: Sequence[Document]) -> None:
        self._waiting += documents
        if len(self._waiting) >= GROUP_ROWS:
            self._put()

    def close(self) -> None:
        if self._waiting:
            self._put()
        self._writer.close()

    def _put(self) -> None:
        self._writer.write_table(table(self._waiting))
        self._waiting = []


def table(documents: Sequence[Document]) -> pa.Table:
    """Documents as columns. What of a message has no column, or does not fit into it, is in `other`, as JSON."""
    columns: list[pa.Array] = []
    for field in SCHEMA:
        if field.name == "other":
            values: list[Any] = [_other(one) for one in documents]
        elif field.name in ("id", "created_at", "text"):
            values = [_text(one.get(field.name)) for one in documents]
        elif field.name == "scores":
            values = [list(one["scores"].items()) for one in documents]
        else:
            values = [one.get(field.name) for one in documents]
        columns.append(pa.array(values, field.type))
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def _other(document: Document) -> str | None:
    if document.keys() <= COLUMNS:
        return None
    return orjson.dumps({name: value for name, value in document.items() if name not in COLUMNS}).decode()


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else orjson.dumps(value).decode()


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
