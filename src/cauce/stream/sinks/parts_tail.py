"""What is written into a folder of parts, as it comes: a part is there at one go."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from cauce.errors import FileMissing

NAP = 0.25  # seconds between two looks at the folder


def tail(folder: Path, last: int) -> Iterator[bytes]:
    """The last lines, then those of each new part. Never ends.

    Raises:
        FileMissing: there is no such folder.

    """
    if not folder.is_dir():
        raise FileMissing(f"there is no folder {folder}", hint="name the one that a worker writes: file:scored/")
    return _lines(folder, last)


def _lines(folder: Path, last: int) -> Iterator[bytes]:
    known = _parts(folder)
    found: list[bytes] = []
    for path in reversed(known):
        if len(found) >= last:
            break
        found = [*_read(path), *found]
    yield from found[len(found) - min(last, len(found)) :]
    while True:
        before, known = set(known), _parts(folder)
        new = [path for path in known if path not in before]
        for path in new:
            yield from _read(path)
        if not new:
            time.sleep(NAP)


def _parts(folder: Path) -> list[Path]:
    """The parts, the oldest first. One that is deleted meanwhile is none."""
    found: list[tuple[int, Path]] = []
    for path in folder.glob("part-*"):
        with suppress(FileNotFoundError):
            found.append((path.stat().st_mtime_ns, path))
    return [path for _, path in sorted(found)]


def _read(path: Path) -> Iterator[bytes]:
    with suppress(FileNotFoundError):
        if path.suffix == ".parquet":
            from pyarrow import parquet

            for batch in parquet.ParquetFile(path).iter_batches():
                yield from (orjson.dumps(_document(row)) for row in batch.to_pylist())
        else:
            with path.open("rb") as file:
                yield from (line.rstrip(b"\n") for line in file)


def _document(row: dict[str, Any]) -> dict[str, Any]:
    """A row as it would be in JSON lines, but for the order of its keys."""
    other, scores = row.pop("other"), row.pop("scores")
    kept = {name: value for name, value in row.items() if value is not None}
    return {**kept, "scores": dict(scores or ()), **orjson.loads(other or b"{}")}
