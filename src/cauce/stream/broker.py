"""The contracts of the outside world: where messages come from, where documents go, and what joins the two."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from cauce.faults import fault
from cauce.stream.message import Document


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as it was given out.

    Attributes:
        data: its bytes; of one that is over the limit, perhaps only the beginning.
        source: what it came from, in its key.
        place: the broker's own name for it.
        attempts: how many times it was given out, this one too.

    """

    data: bytes
    source: str
    place: str
    attempts: int = 1


class Source(Protocol):
    """Where messages come from. What was given out and not acknowledged is given out again, to whoever comes next."""

    @property
    def ended(self) -> bool:
        """Whether nothing will come any more."""
        ...

    def fetch(self, most: int, room: int, wait: float) -> list[Delivery]:
        """Up to `most` messages, of about `room` bytes together; waits up to `wait` seconds for the first."""
        ...

    def acknowledge(self, places: Sequence[str]) -> None:
        """These are done, in the order in which they were given out; never given out again."""
        ...

    def close(self) -> None:
        """Let go of what is not acknowledged."""
        ...


class Sink(Protocol):
    """Where documents go, each under its `key`."""

    def write(self, documents: Sequence[Document]) -> None:
        """Take documents; one whose key is known may be left out. They are safe once `flush` returned."""
        ...

    def due(self) -> bool:
        """Whether it is time for `flush`."""
        ...

    def flush(self) -> None:
        """Make what was written safe: from here on no crash loses it."""
        ...

    def recent(self) -> Iterable[str]:
        """Keys that were written lately, by any worker, and that `write` does not know by itself."""
        ...

    def close(self) -> None:
        """Let go; what was not flushed is not there."""
        ...


class Output(Protocol):
    """Documents and acknowledgements, in an order in which no crash loses a message."""

    def put(self, places: Sequence[str], documents: Sequence[Document | None], letters: Sequence[Document]) -> None:
        """Write what became of deliveries: of each a document, or None where there is nothing to write. Letters are dead."""
        ...

    def settle(self, *, now: bool) -> None:
        """Flush and acknowledge where it is due, or in any case `now`."""
        ...


class Apart:
    """Write, flush, acknowledge. A crash before the last leads to a second delivery, whose key is known by then."""

    def __init__(self, source: Source, sink: Sink, dead: Sink) -> None:
        self._source, self._sink, self._dead = source, sink, dead
        self._pending: list[str] = []

    def put(self, places: Sequence[str], documents: Sequence[Document | None], letters: Sequence[Document]) -> None:
        """Write; acknowledged is in `settle`."""
        self._sink.write([one for one in documents if one is not None])
        self._dead.write(letters)
        self._pending += places

    def settle(self, *, now: bool) -> None:
        """Flush both, then acknowledge."""
        if self._pending and (now or self._sink.due() or self._dead.due()):
            self._sink.flush()
            self._dead.flush()
            fault("stream.written")
            self._source.acknowledge(self._pending)
            self._pending = []
            fault("stream.acknowledged")
