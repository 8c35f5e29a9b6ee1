"""What was given out of a log's partitions, and up to where all of it is done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass
class Span:
    """A partition that is read.

    Attributes:
        held: the offset of what was given out and is not done, by place, in order.
        end: the offset behind the last that was given out.
        kept: the offset that the broker keeps as the group's position.

    """

    held: dict[str, int] = field(default_factory=dict)
    end: int = -1
    kept: int = -1

    @property
    def done(self) -> int:
        """The offset below which all is done."""
        return next(iter(self.held.values()), self.end)


class Offsets:
    """The partitions that a worker reads now. A place is `partition:offset`."""

    def __init__(self) -> None:
        self._spans: dict[str, Span] = {}

    def begin(self, partitions: Iterable[int]) -> None:
        """These are read from now on."""
        for one in partitions:
            self._spans.setdefault(str(one), Span())

    def drop(self, partitions: Iterable[int]) -> None:
        """These are read by somebody else from now on."""
        for one in partitions:
            self._spans.pop(str(one), None)

    @property
    def partitions(self) -> set[int | None]:
        """Those that are read here."""
        return {int(name) for name in self._spans}

    def give(self, messages: Iterable[tuple[int, int]]) -> list[str]:
        """The places of messages that are given out, by partition and offset."""
        spans = {int(name): span for name, span in self._spans.items()}
        places = []
        for partition, offset in messages:
            span, place = spans[partition], f"{partition}:{offset}"
            span.held[place] = offset
            span.end = offset + 1
            places.append(place)
        return places

    def finish(self, places: Sequence[str]) -> None:
        """These are done. What is of a partition that is read elsewhere now is left to its reader."""
        spans = self._spans
        for place in places:
            span = spans.get(place.partition(":")[0])
            if span is not None:
                span.held.pop(place, None)

    def due(self) -> dict[int, int]:
        """Up to where partitions are done, where the broker does not know yet."""
        return {int(name): span.done for name, span in self._spans.items() if span.done > span.kept}

    def keep(self, partition: int, offset: int) -> None:
        """The broker knows."""
        if (span := self._spans.get(str(partition))) is not None:
            span.kept = offset
