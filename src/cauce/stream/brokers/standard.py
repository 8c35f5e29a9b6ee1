"""`-`: messages from stdin, a line each, and documents to stdout or stderr."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Sequence
from typing import BinaryIO

from cauce.stream.contract import AtOnce
from cauce.stream.deliveries import Deliveries
from cauce.stream.records import Records
from cauce.stream.schemes import Scheme

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

    def fetch(self, most: int, room: int, wait: float) -> Deliveries | None:
        """The next lines."""
        until = time.monotonic() + wait
        while len(self._lines) < most and not self._over:
            left = 0.0 if self._lines else max(until - time.monotonic(), 0.0)
            if not select.select([self._handle], [], [], left)[0]:
                break
            self._take(os.read(self._handle, BLOCK))
        count = 0
        while count < min(most, len(self._lines)) and room > 0:
            room -= len(self._lines[count])
            count += 1
        if not count:
            return None
        given, self._lines = self._lines[:count], self._lines[count:]
        self._count += count
        return Deliveries.of("stdin", given, [str(place) for place in range(self._count - count, self._count)])

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


class Lines(AtOnce):
    """Writes a JSON line for each document to a stream of bytes, such as stdout."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, records: Records) -> None:
        """Write them."""
        self._file.write(b"".join(line + b"\n" for line in records.lines.to_pylist()))

    def flush(self) -> None:
        """Hand them over."""
        self._file.flush()

    def close(self) -> None:
        """Nothing to do: the stream is not ours."""


SCHEME = Scheme(
    "-",
    source=lambda place, opening: Stdin(opening.settings.max_message_bytes),
    sink=lambda place, opening: Lines(sys.stdout.buffer),
    dead=lambda place, opening: Lines(sys.stderr.buffer),
    one_reader="a pipe gives each line to whoever comes first, and nobody could take over what a dead worker held",
    one_writer="their lines would be mixed",
)
