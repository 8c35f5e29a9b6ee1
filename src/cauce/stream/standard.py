"""`-`: messages from stdin, a line each, and documents to stdout or stderr."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Iterable, Sequence
from typing import BinaryIO

import orjson

from cauce.stream.broker import Delivery
from cauce.stream.message import Document

BLOCK = 1 << 16


class Stdin:
    """The lines of stdin. What a pipe gave out it cannot give out again: after a crash it is for its sender to send it again.

    Args:
        limit: bytes of the longest message: of a longer line only the beginning is given out.

    """

    def __init__(self, limit: int, file: BinaryIO | None = None) -> None:
        self._limit, self._handle = limit, (file or sys.stdin.buffer).fileno()
        self._rest, self._lines, self._count = b"", list[bytes](), 0
        self._skipping = self._over = False

    @property
    def ended(self) -> bool:
        """Whether the pipe was closed and every line given out."""
        return self._over and not self._lines

    def fetch(self, most: int, room: int, wait: float) -> list[Delivery]:
        """The next lines."""
        until = time.monotonic() + wait
        while len(self._lines) < most and not self._over:
            left = 0.0 if self._lines else max(until - time.monotonic(), 0.0)
            if not select.select([self._handle], [], [], left)[0]:
                break
            self._take(os.read(self._handle, BLOCK))
        given: list[Delivery] = []
        while self._lines and len(given) < most and room > 0:
            data = self._lines.pop(0)
            given.append(Delivery(data, "stdin", str(self._count)))
            self._count += 1
            room -= len(data)
        return given

    def acknowledge(self, places: Sequence[str]) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""

    def _take(self, block: bytes) -> None:
        """Cut what was read into lines; a line over the limit into its beginning."""
        self._over = not block
        *lines, rest = (self._rest + (block or b"\n")).split(b"\n")
        if lines and self._skipping:
            lines, self._skipping = lines[1:], False
        self._rest = b"" if self._skipping else rest
        if len(self._rest) > self._limit:
            lines, self._rest, self._skipping = [*lines, self._rest[: self._limit + 1]], b"", True
        self._lines += [line for line in lines if line and not line.isspace()]


class Lines:
    """Writes a JSON line for each document to a stream of bytes, such as stdout."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, documents: Sequence[Document]) -> None:
        """Write them."""
        self._file.write(b"".join(orjson.dumps(one) + b"\n" for one in documents))

    def due(self) -> bool:
        """Always: somebody looks on."""
        return True

    def flush(self) -> None:
        """Hand them over."""
        self._file.flush()

    def recent(self) -> Iterable[str]:
        """None: what was shown is gone."""
        return ()

    def close(self) -> None:
        """Nothing to do: the stream is not ours."""
