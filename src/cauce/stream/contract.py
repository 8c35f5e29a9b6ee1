"""The contracts of the outside world: where messages come from, where results go, and what joins the two."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from cauce.faults import fault
from cauce.stream.deliveries import Deliveries
from cauce.stream.records import Records
from cauce.stream.results import Results

R = TypeVar("R", bound=Records, contravariant=True)


class Source(Protocol):
    """Where messages come from. What was given out and not acknowledged is given out again, to whoever comes next.

    One thread fetches, while another acknowledges what that one fetched before.
    """

    @property
    def ended(self) -> bool:
        """Whether nothing will come any more."""
        ...

    def fetch(self, most: int, room: int, wait: float) -> Deliveries | None:
        """Up to `most` messages, of about `room` bytes together; waits up to `wait` seconds for the first. None: none came."""
        ...

    def acknowledge(self, places: Sequence[str]) -> None:
        """These are done, in the order in which they were given out; never given out again."""
        ...

    def close(self) -> None:
        """Let go of what is not acknowledged."""
        ...


class Sink(Protocol[R]):
    """Where records go, each under its key. Dead letters have no columns: who needs those takes `Results` alone."""

    def write(self, records: R) -> None:
        """Take records; one whose key is known may be left out. They are safe once `flush` returned."""
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


class AtOnce:
    """What is the same in sinks of which nothing waits to be flushed, and that know their keys or cannot."""

    def due(self) -> bool:
        """Always: nothing is gained by waiting."""
        return True

    def flush(self) -> None:
        """Nothing to do."""

    def recent(self) -> Iterable[str]:
        """None."""
        return ()


class Output(Protocol):
    """Results and acknowledgements, in an order in which no crash loses a message."""

    def put(self, places: Sequence[str], results: Results, letters: Records) -> None:
        """Write what became of deliveries: `results.rows` says of which; the others are dead letters, or have no result."""
        ...

    def settle(self, *, now: bool) -> None:
        """Flush and acknowledge where it is due, or in any case `now`."""
        ...


class Apart:
    """Write, flush, acknowledge. A crash before the last leads to a second delivery, whose key is known by then."""

    def __init__(self, source: Source, sink: Sink[Results], dead: Sink[Records]) -> None:
        self._source, self._sink, self._dead = source, sink, dead
        self._pending: list[str] = []
        self._decides: Sink[Results] | Sink[Records] | None = None  # when it is time: the sink, if there were any results

    def put(self, places: Sequence[str], results: Results, letters: Records) -> None:
        """Write; acknowledged is in `settle`."""
        if len(results):
            self._sink.write(results)
            self._decides = self._sink
        if len(letters):
            self._dead.write(letters)
            self._decides = self._decides or self._dead
        self._pending += places

    def settle(self, *, now: bool) -> None:
        """Flush both, then acknowledge."""
        if self._pending and (now or self._decides is None or self._decides.due()):
            self._sink.flush()
            self._dead.flush()
            fault("stream.written")
            self._source.acknowledge(self._pending)
            self._pending, self._decides = [], None
            fault("stream.acknowledged")
