"""How far a group has read a file: kept, so that a worker that starts again goes on where it was."""

from __future__ import annotations

import fcntl
import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Any

from cauce.errors import CannotWrite, FileChanged, FileMissing, InUse, writing
from cauce.model import files
from cauce.settings import settings

HEAD = 4096  # bytes by which a file is known again


class Position:
    """The position of a group in a file, held by one worker.

    Attributes:
        number, at: the pass and the place in it to begin at.

    Raises:
        FileMissing: no such file.
        FileChanged: the position is one of another file.
        InUse: another worker of the group reads the file.
        CannotWrite, StorageFull: the position cannot be kept.

    """

    def __init__(self, path: Path, group: str) -> None:
        if not path.is_file():
            raise FileMissing(f"there is no file {path}", hint="name a file of messages: file:posts.jsonl")
        self._path, self._place = path, position_file(path, group)
        with writing(self._place, instead="CAUCE_HOME"):
            self._place.parent.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self._place.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            known = read_position(self._place) or {"pass": 0, "at": 0, "read": 0, "head": self._head(0)}
            if path.stat().st_size < known["read"] or self._head(known["read"]) != known["head"]:
                raise FileChanged(
                    f"{path} is not the file that the group {group} was reading",
                    hint="put it back, or give another --group to begin at its first line",
                )
        except BlockingIOError:
            os.close(self._lock)
            raise InUse(f"another worker of the group {group} reads {path}", hint="stop it, or give a --group") from None
        except BaseException:
            os.close(self._lock)
            raise
        self.number, self.at = int(known["pass"]), int(known["at"])

    def keep(self, number: int, at: int, read: int) -> None:
        """Keep a position.

        Args:
            read: bytes of the file that were read by then.

        Raises:
            CannotWrite, StorageFull

        """
        facts = {"path": str(self._path.resolve()), "pass": number, "at": at, "read": read, "head": self._head(read)}
        with writing(self._place, instead="CAUCE_HOME"):
            files.put(self._place, json.dumps(facts).encode())

    def close(self) -> None:
        """Let another worker read the file."""
        os.close(self._lock)

    def _head(self, read: int) -> str:
        """The hash of the file's first bytes, of those that were read."""
        with self._path.open("rb") as file:
            return sha256(file.read(min(HEAD, read))).hexdigest()


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
