"""Topics within this process: for tests, examples and those who build on the worker."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Sequence

from cauce.stream.broker import Delivery
from cauce.stream.message import Document


class Topic:
    """Messages in the order in which they came."""

    def __init__(self, name: str = "memory") -> None:
        self.name = name
        self.waiting: deque[Delivery] = deque()
        self.changed = threading.Condition()
        self._count = 0

    def put(self, data: bytes) -> None:
        """Add a message."""
        with self.changed:
            self.waiting.append(Delivery(data, self.name, str(self._count)))
            self._count += 1
            self.changed.notify_all()


class MemorySource:
    """Reads a topic. Several may read the same one: each message goes to one of them.

    Args:
        ends: there is nothing to wait for once the topic is empty.

    """

    def __init__(self, topic: Topic, *, ends: bool = False) -> None:
        self._topic, self._ends = topic, ends
        self._held: dict[str, Delivery] = {}

    @property
    def ended(self) -> bool:
        """Whether nothing will come any more."""
        return self._ends and not self._topic.waiting

    def fetch(self, most: int, room: int, wait: float) -> list[Delivery]:
        """Messages, once there are any."""
        given: list[Delivery] = []
        with self._topic.changed:
            waiting = self._topic.waiting
            if not self._ends:
                self._topic.changed.wait_for(lambda: bool(waiting), wait)
            while waiting and len(given) < most and (not given or room > 0):
                given.append(waiting.popleft())
                room -= len(given[-1].data)
        self._held |= {one.place: one for one in given}
        return given

    def acknowledge(self, places: Sequence[str]) -> None:
        """Forget them."""
        for place in places:
            del self._held[place]

    def close(self) -> None:
        """Give back what was not acknowledged, before all others."""
        with self._topic.changed:
            back = [Delivery(one.data, one.source, one.place, one.attempts + 1) for one in self._held.values()]
            self._topic.waiting.extendleft(reversed(back))
            self._held = {}
            self._topic.changed.notify_all()


class MemorySink:
    """A list of documents, each key once."""

    def __init__(self) -> None:
        self.documents: list[Document] = []
        self._keys: set[str] = set()

    def write(self, documents: Sequence[Document]) -> None:
        """Add those whose key is new."""
        for one in documents:
            if one["key"] not in self._keys:
                self._keys.add(one["key"])
                self.documents.append(one)

    def due(self) -> bool:
        """Always: nothing is gained by waiting."""
        return True

    def flush(self) -> None:
        """Nothing to do."""

    def recent(self) -> Iterable[str]:
        """None: `write` knows them all."""
        return ()

    def close(self) -> None:
        """Nothing to do."""
