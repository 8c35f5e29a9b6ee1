"""Tables out: CSV, TSV and JSON lines, written aside and renamed, so that a file that exists is whole."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from cauce.data.tables import read_table
from cauce.errors import CannotWrite, CauceError, UnknownName, writing

DELIMITED = {".csv": ",", ".tsv": "\t"}
JSON_LINES = (".jsonl", ".ndjson")
KINDS = (*DELIMITED, *JSON_LINES)


def check_kind(path: Path) -> None:
    """Say now what would fail at the end.

    Raises:
        UnknownName: the name does not end in one of `KINDS`.

    """
    if path.suffix.lower() not in KINDS:
        raise UnknownName(f"{path.name} is of a kind that is not written", hint=f"written are: {', '.join(KINDS)}")


def write_table(table: pa.Table, path: Path, *, ready: Callable[[str], None] = lambda sha256: None) -> None:
    """Write a table in the kind that the path's name says; a file that is there is replaced.

    A CSV or TSV file is read again before it gets its name: a kind that cannot hold these cells is refused.

    Args:
        ready: called with the content's hash when all is on the disk, just before the rename.

    Raises:
        UnknownName, CannotWrite, StorageFull

    """
    check_kind(path)
    path = path.resolve()  # a link stays a link
    room = path.with_name(f".{path.stem}.{secrets.token_hex(4)}{path.suffix}")
    content = _render(table, path.suffix.lower())
    try:
        with writing(path), os.fdopen(os.open(room, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if path.suffix.lower() in DELIMITED:
            _check(table, room, path)
        ready(hashlib.sha256(content).hexdigest())
        _into_place(room, path)
    finally:
        room.unlink(missing_ok=True)


@contextmanager
def aside(path: Path) -> Iterator[Path]:
    """A new file beside `path` to write to; it gets that name at the end, and is removed on any error.

    Raises:
        CannotWrite, StorageFull

    """
    path = path.resolve()  # a link stays a link
    room = path.with_name(f".{path.stem}.{secrets.token_hex(4)}{path.suffix}")
    with writing(path, instead="OUT"):
        if not path.parent.exists():
            path.parent.mkdir(parents=True)
        os.close(os.open(room, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    try:
        with writing(path, instead="OUT"):
            yield room
            with room.open("rb") as file:
                os.fsync(file.fileno())
        _into_place(room, path)
    finally:
        room.unlink(missing_ok=True)


def _into_place(room: Path, path: Path) -> None:
    """Give a file that is on the disk its name."""
    with writing(path):
        if path.exists():
            shutil.copymode(path, room)
        room.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _cell(value: Any) -> str:
    """A value as a cell of text; none is empty, what is not a text is JSON."""
    return "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _render(table: pa.Table, kind: str) -> bytes:
    if kind in JSON_LINES:
        return "".join(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in table.to_pylist()).encode()
    columns = [map(_cell, column.to_pylist()) for column in table.columns]
    rows = [table.column_names, *zip(*columns, strict=True)]
    if DELIMITED[kind] == "\t":  # read without quotes, so written without
        return "".join("\t".join(row) + "\n" for row in rows).encode()
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _check(table: pa.Table, aside: Path, path: Path) -> None:
    """What is read from the file is what was meant.

    Raises:
        CannotWrite: it is not.

    """
    hint = "write .jsonl: --out NAME.jsonl"
    try:
        found = read_table(aside).table
        same = found.column_names == table.column_names and all(
            [_cell(value) for value in mine.to_pylist()] == [_cell(value) for value in theirs.to_pylist()]
            for mine, theirs in zip(table.columns, found.columns, strict=True)
        )
    except CauceError as error:
        raise CannotWrite(f"{path.name} cannot hold these rows: {error.message}", hint=hint) from error
    if not same:
        raise CannotWrite(f"{path.name} cannot hold these rows as they are", hint=hint)
