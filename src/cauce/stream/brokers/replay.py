"""JSON lines of a file as a stream, at once or at a pace."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cauce.stream.brokers.lines import Lines, read_lines
from cauce.stream.brokers.pace import Pace
from cauce.stream.brokers.position import Position
from cauce.stream.deliveries import Deliveries
from cauce.stream.splice import spliced

NAP = 0.05  # seconds of a pace that are waited for at a time


class Replay:
    """Gives out the lines of a file.

    Args:
        group: whose position it is: another group begins at the first line.
        limit: bytes of the longest message: of a longer line only the beginning is given out.
        loop: begin again at the end, for ever. Each pass is another source, so its results are others.

    Raises:
        FileMissing, FileChanged, InUse, CannotWrite, StorageFull: see `Position`.

    """

    def __init__(self, path: Path, group: str, limit: int, pace: Pace, *, loop: bool = False) -> None:
        self.ended = False
        self._name, self._limit, self._pace, self._loop = path.name, limit, pace, loop
        self._position = Position(path, group)
        self._pass = self._position.number
        self._file = path.open("rb")
        self._file.seek(self._position.at)
        self._lines: Lines | None = None
        self._given: deque[tuple[int, Lines]] = deque()  # what is not acknowledged, by pass

    def fetch(self, most: int, room: int, wait: float) -> Deliveries | None:
        """The next lines, when their time has come."""
        lines = self._lines or self._read()
        if lines is None:
            return None
        fitting = int(np.searchsorted(np.cumsum(lines.sizes[:most]), room, side="right"))
        count = self._due(lines, min(most, len(lines), max(1, fitting)), time.monotonic() + wait)
        given, self._lines = lines.part(0, count), lines.part(count, len(lines))
        if not count:
            return None
        self._given.append((self._pass, given))
        places = pc.binary_join_element_wise(f"{self._pass}:", pa.array(given.places).cast(pa.string()), "")
        source = f"file:{self._name}" + (f"#{self._pass}" if self._pass else "")
        return Deliveries.of(source, spliced(given.data, given.starts, given.sizes), places)

    def acknowledge(self, places: Sequence[str]) -> None:
        """Keep the position behind the last of them."""
        number, place = map(int, places[-1].split(":"))
        while self._given[0][0] != number or self._given[0][1].places[-1] < place:
            self._given.popleft()
        lines = self._given[0][1]
        at = int(lines.ends[np.searchsorted(lines.places, place)])
        self._position.keep(number, at, at)

    def close(self) -> None:
        """Let another worker read the file."""
        self._file.close()
        self._position.close()

    def _read(self) -> Lines | None:
        """The lines of the next block that has any; None at the end of the last pass."""
        begun = self._file.tell()
        while (lines := read_lines(self._file, self._limit)) is not None:
            if len(lines):
                return lines
        if not (self._loop and begun):
            self.ended = True
            return None
        self._file.seek(0)
        self._pass += 1
        return self._read()

    def _due(self, lines: Lines, most: int, until: float) -> int:
        """How many of the lines may be given out; waits for the first."""
        if self._pace.none:
            return most
        for row, (start, size) in enumerate(zip(lines.starts[:most].tolist(), lines.sizes[:most].tolist(), strict=True)):
            data = lines.data[start : start + size].tobytes()
            while not row and (left := min(self._pace.wait(data), until - time.monotonic())) > 0:
                time.sleep(min(left, NAP))
            if self._pace.wait(data) > 0:
                return row
            self._pace.given()
        return most
