"""`file:`: JSON lines as a stream. The position is kept, so that a worker that starts again goes on where it was."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from cauce.errors import CannotWrite, FileChanged, FileMissing, InUse, writing
from cauce.model import files
from cauce.settings import settings
from cauce.stream.broker import Delivery
from cauce.stream.pace import Pace

HEAD = 4096  # bytes by which a file is known again
NAP = 0.05  # seconds of a pace that are waited for at a time


class Replay:
    """Gives out the lines of a file.

    Args:
        group: whose position it is: another group begins at the first line.
        limit: bytes of the longest message: of a longer line only the beginning is given out.
        loop: begin again at the end, for ever. Each pass is another source, so its results are others.

    Raises:
        FileMissing: no such file.
        FileChanged: the position is one of another file.
        InUse: another worker of the group reads the file.
        CannotWrite, StorageFull: the position cannot be kept.

    """

    def __init__(self, path: Path, group: str, limit: int, pace: Pace, *, loop: bool = False) -> None:
        self.ended = False
        if not path.is_file():
            raise FileMissing(f"there is no file {path}", hint="name a file of JSON lines: file:posts.jsonl")
        self._name, self._limit, self._pace, self._loop = path.name, limit, pace, loop
        self._path, self._group = path, group
        self._position = position_file(path, group)
        with writing(self._position, instead="CAUCE_HOME"):
            self._position.parent.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self._position.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise InUse(f"another worker of the group {group} reads {path}", hint="stop it, or give a --group") from None
        self._file = path.open("rb")
        self._pass, start = self._begin()
        self._file.seek(start)
        self._ends: dict[str, tuple[int, int]] = {}
        self._next: tuple[int, bytes] | None = None

    def fetch(self, most: int, room: int, wait: float) -> list[Delivery]:
        """The next lines, when their time has come."""
        given: list[Delivery] = []
        until = time.monotonic() + wait
        while len(given) < most and room > 0:
            line = self._next or self._line()
            if line is None:
                break
            self._next = line
            while not given and (left := min(self._pace.wait(line[1]), until - time.monotonic())) > 0:
                time.sleep(min(left, NAP))
            if self._pace.wait(line[1]) > 0:
                break
            self._next = None
            self._pace.given()
            start, data = line
            place = f"{self._pass}:{start}"
            self._ends[place] = self._pass, self._file.tell()
            source = f"file:{self._name}" + (f"#{self._pass}" if self._pass else "")
            given.append(Delivery(data, source, place))
            room -= len(data)
        return given

    def acknowledge(self, places: Sequence[str]) -> None:
        """Keep the position behind the last of them."""
        for place in places:
            number, end = self._ends.pop(place)
        content = {"path": str(self._path.resolve()), "pass": number, "at": end, "head": self._head(end)}
        with writing(self._position, instead="CAUCE_HOME"):
            files.put(self._position, json.dumps(content).encode())

    def close(self) -> None:
        """Let another worker read the file."""
        self._file.close()
        os.close(self._lock)

    def _begin(self) -> tuple[int, int]:
        """The pass and the byte to begin at."""
        known = read_position(self._position)
        if known is None:
            return 0, 0
        if self._file.seek(0, os.SEEK_END) < known["at"] or self._head(known["at"]) != known["head"]:
            self.close()
            raise FileChanged(
                f"{self._path} is not the file that the group {self._group} was reading",
                hint="put it back, or give another --group to begin at its first line",
            )
        return known["pass"], known["at"]

    def _line(self) -> tuple[int, bytes] | None:
        """The next line that is not blank, and where it starts."""
        while True:
            start = self._file.tell()
            data = self._file.readline(self._limit + 1)
            if not data:
                if self._loop and start:
                    self._file.seek(0)
                    self._pass += 1
                    continue
                self.ended = True
                return None
            if len(data) > self._limit and not data.endswith(b"\n"):
                while (rest := self._file.readline(1 << 20)) and not rest.endswith(b"\n"):
                    pass
            elif not (data := data.strip(b"\r\n")) or data.isspace():
                continue
            return start, data

    def _head(self, end: int) -> str:
        """The hash of the file's first bytes, up to those that were read."""
        with self._path.open("rb") as file:
            return sha256(file.read(min(HEAD, end))).hexdigest()


def position_file(path: Path, group: str) -> Path:
    """Where the position of a group in a file is kept."""
    return settings().home / "stream" / f"{sha256(f'{group} {path.resolve()}'.encode()).hexdigest()[:32]}.json"


def read_position(place: Path) -> dict[str, Any] | None:
    """A position that was kept, or None.

    Raises:
        CannotWrite: it cannot be read.

    """
    try:
        found: dict[str, Any] = json.loads(place.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise CannotWrite(f"cannot read the position {place}: {error}", hint="delete it to begin at the first line") from None
    return found
