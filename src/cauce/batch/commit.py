"""The output folder: a file is written aside, flushed and renamed, so what is there is whole.

A fragment counts once its record is there, and the record comes last.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from cauce.errors import InUse, UnreadableData, writing
from cauce.faults import fault

STATE = ".cauce"  # the folder in the output where plan and records lie
RECORDS = f"{STATE}/done"
PLAN = f"{STATE}/plan.json"
MANIFEST = "manifest.json"
DEAD = "dead_letters"


class Store(Protocol):
    """A place that files are put into under names, each whole or not at all."""

    def aside(self, name: str) -> Path:
        """A local path where the file of this name is written first."""
        ...

    def commit(self, name: str, step: str) -> None:
        """Give what was written aside its name; one that is there is replaced."""
        ...

    def read(self, name: str) -> bytes | None:
        """A file's bytes, or None where there is none."""
        ...

    def names(self, folder: str) -> list[str]:
        """The names of the files in a folder ("" for the place itself), of folders too, sorted."""
        ...

    def size(self, name: str) -> int:
        """A file's bytes."""
        ...

    def remove(self, name: str) -> None:
        """Delete a file, if it is there, and what was written aside for it."""
        ...

    def lock(self, shard: tuple[int, int] | None) -> AbstractContextManager[None]:
        """A context in which no other run works on the same fragments."""
        ...

    def room(self, name: str) -> AbstractContextManager[Path]:
        """An empty local folder for copies, deleted at the end."""
        ...


class Folder:
    """A local folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def aside(self, name: str) -> Path:
        """Beside its place, hidden."""
        path = self.path / name
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        return path.with_name(f".{path.name}.tmp")

    def commit(self, name: str, step: str) -> None:
        """Flush, rename, flush the folder.

        Raises:
            StorageFull, CannotWrite

        """
        path, aside = self.path / name, self.aside(name)
        with writing(path):
            _flush(aside)
            fault(f"{step}.written")
            aside.replace(path)
            _flush(path.parent)
            fault(f"{step}.renamed")

    def read(self, name: str) -> bytes | None:
        """A file's bytes, or None."""
        try:
            return (self.path / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def names(self, folder: str) -> list[str]:
        """Files and folders in a folder."""
        place = self.path / folder
        return sorted(entry.name for entry in place.iterdir()) if place.is_dir() else []

    def size(self, name: str) -> int:
        """A file's bytes."""
        return (self.path / name).stat().st_size

    def remove(self, name: str) -> None:
        """Delete a file and what was written aside for it."""
        path = self.path / name
        for one in (path, path.with_name(f".{path.name}.tmp")):
            with suppress(FileNotFoundError), writing(one):
                one.unlink()

    @contextmanager
    def lock(self, shard: tuple[int, int] | None) -> Iterator[None]:
        """A run of all fragments excludes any other run; one of a shard, another of the same shard.

        Raises:
            InUse: another run works here.

        """
        state = self.path / STATE
        with writing(state):
            state.mkdir(parents=True, exist_ok=True)
        names = ["lock"] if shard is None else ["lock", f"lock-{shard[0]}-of-{shard[1]}"]
        held = []
        try:
            for name in names:
                with writing(state / name):
                    held.append(os.open(state / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666))
                self._hold(held[-1], shared=shard is not None and name == "lock")
            yield
        finally:
            for handle in held:
                os.close(handle)

    @contextmanager
    def room(self, name: str) -> Iterator[Path]:
        """Among the state: the next run deletes what a killed one left."""
        path = self.path / STATE / name
        with writing(path):
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir(parents=True)
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def _hold(self, handle: int, *, shared: bool) -> None:
        try:
            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            hint = "wait until it ends, or write into another folder"
            raise InUse(f"another run writes into {self.path}", hint=hint) from None


def put(store: Store, name: str, content: bytes, step: str) -> None:
    """Write a whole file.

    Raises:
        StorageFull, CannotWrite

    """
    aside = store.aside(name)
    with writing(aside):
        aside.write_bytes(content)
    store.commit(name, step)


def read_json(store: Store, name: str) -> dict[str, Any] | None:
    """A file of ours, or None where there is none.

    Raises:
        UnreadableData: it is none of ours.

    """
    raw = store.read(name)
    if raw is None:
        return None
    try:
        found = json.loads(raw)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise UnreadableData("not a file of a job", where=name, hint="write the job into a new folder")
    return found


def as_bytes(content: dict[str, Any]) -> bytes:
    """A file of ours, to be read by people too."""
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def part_name(fragment: int, kind: str) -> str:
    """The name of a fragment's part."""
    return f"part-{fragment:05d}.{kind}"


def dead_name(fragment: int) -> str:
    """The name of a fragment's dead letters."""
    return f"{DEAD}/part-{fragment:05d}.jsonl"


def record_name(fragment: int) -> str:
    """The name of a fragment's record."""
    return f"{RECORDS}/{fragment:05d}.json"


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
