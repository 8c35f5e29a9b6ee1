"""A journal: entries that are on the disk before the next one is asked for. A process that is killed loses none."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any

from cauce.errors import InUse, UnreadableData, writing

Entry = dict[str, Any]


class Journal:
    """An append-only file, one JSON object a line, held by one process at a time.

    A last line without its line end is the one that was being written when the process ended: it is cut off.

    Raises:
        InUse: another process holds it.
        UnreadableData: a line is not a JSON object.
        CannotWrite, StorageFull

    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with writing(path):
            self._file = _locked(path)
        try:
            self.entries = self._read()
        except BaseException:
            self.close()
            raise

    def append(self, entry: Entry) -> None:
        """Write an entry and wait until the disk has it; on an error the file is as it was.

        Raises:
            StorageFull, CannotWrite

        """
        line = (json.dumps(entry, ensure_ascii=False) + "\n").encode()
        end = os.fstat(self._file).st_size
        with writing(self.path):
            try:
                written = 0
                while written < len(line):  # a disk that fills up takes a part first
                    written += os.write(self._file, line[written:])
                os.fsync(self._file)
            except OSError:
                os.ftruncate(self._file, end)
                raise
        self.entries.append(entry)

    def clear(self) -> None:
        """Drop every entry."""
        os.ftruncate(self._file, 0)
        self.entries = []

    def close(self) -> None:
        """Let others have it."""
        os.close(self._file)

    def remove(self) -> None:
        """Delete the file, then let go of it."""
        self.path.unlink()
        self.close()

    def _read(self) -> list[Entry]:
        with self.path.open("rb") as file:
            content = file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            with writing(self.path):
                os.ftruncate(self._file, whole)
        entries = []
        for number, line in enumerate(content[:whole].splitlines(), start=1):
            try:
                entry = json.loads(line)
            except ValueError:
                entry = None
            if not isinstance(entry, dict):
                hint = "this file is written by Cauce alone: restore it, or move it away and start again"
                raise UnreadableData("not an entry of a journal", where=f"{self.path}, line {number}", hint=hint)
            entries.append(entry)
        return entries


def _locked(path: Path) -> int:
    """The open file, made if it is not there, under a lock that ends with the process."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.path.samestat(os.fstat(file), path.stat()):
                _sync(path.parent)
                return file
        except BlockingIOError:
            os.close(file)
            raise InUse(
                f"{path} is held by another session", hint="end that session first, or write elsewhere with --out"
            ) from None
        except BaseException:
            os.close(file)
            raise
        os.close(file)  # removed by its last holder between the two calls: make it anew


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
