"""`memory:`: topics within this process, for tests, examples and those who build on the worker."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

import orjson

from cauce.stream.contract import AtOnce
from cauce.stream.deliveries import Deliveries
from cauce.stream.message import Document
from cauce.stream.records import Records
from cauce.stream.schemes import Place, Scheme


class Topic:
    """Messages in the order in which they came.

    Attributes:
        waiting: of each its bytes, its place and how often it was given out.

    """

    def __init__(self, name: str = "memory") -> None:
        self.name = name
        self.waiting: deque[tuple[bytes, str, int]] = deque()
        self.changed = threading.Condition()
        self._count = 0

    def put(self, data: bytes) -> None:
        """Add a message."""
        with self.changed:
            self.waiting.append((data, str(self._count), 0))
            self._count += 1
            self.changed.notify_all()


class MemorySource:
    """Reads a topic. Several may read the same one: each message goes to one of them.

    Args:
        ends: there is nothing to wait for once the topic is empty.

    """

    def __init__(self, topic: Topic, *, ends: bool = False) -> None:
        self._topic, self._ends = topic, ends
        self._held: dict[str, tuple[bytes, str, int]] = {}

    @property
    def ended(self) -> bool:
        """Whether nothing will come any more."""
        return self._ends and not self._topic.waiting

    def fetch(self, most: int, room: int, wait: float) -> Deliveries | None:
        """Messages, once there are any."""
        given: list[tuple[bytes, str, int]] = []
        with self._topic.changed:
            waiting = self._topic.waiting
            if not self._ends:
                self._topic.changed.wait_for(lambda: bool(waiting), wait)
            while waiting and len(given) < most and (not given or room > 0):
                data, place, attempts = waiting.popleft()
                given.append((data, place, attempts + 1))
                room -= len(data)
            self._held |= {one[1]: one for one in given}
        if not given:
            return None
        data_of, places, attempts_of = zip(*given, strict=True)
        return Deliveries.of(self._topic.name, data_of, places, attempts=attempts_of)

    def acknowledge(self, places: Sequence[str]) -> None:
        """Forget them."""
        with self._topic.changed:
            for place in places:
                del self._held[place]

    def close(self) -> None:
        """Give back what was not acknowledged, before all others."""
        with self._topic.changed:
            self._topic.waiting.extendleft(reversed(self._held.values()))
            self._held = {}
            self._topic.changed.notify_all()


class MemorySink(AtOnce):
    """Adds to a topic, each key once."""

    def __init__(self, topic: Topic | None = None) -> None:
        self.topic = topic or Topic()
        self._keys: set[str] = set()

    @property
    def documents(self) -> list[Document]:
        """What is in the topic."""
        return [orjson.loads(data) for data, _, _ in self.topic.waiting]

    def write(self, records: Records) -> None:
        """Add those whose key is new."""
        for key, line in zip(records.keys.to_pylist(), records.lines.to_pylist(), strict=True):
            if key not in self._keys:
                self._keys.add(key)
                self.topic.put(line)

    def close(self) -> None:
        """Nothing to do: it may be read, and written to again."""


TOPICS: dict[str, Topic] = {}  # of this process, by name


def _topic(place: Place) -> Topic:
    return TOPICS.setdefault(place.path, Topic(place.path))


SCHEME = Scheme(
    "memory:NAME",
    source=lambda place, opening: MemorySource(_topic(place)),
    sink=lambda place, opening: MemorySink(_topic(place)),
    dead=lambda place, opening: MemorySink(_topic(place)),
    beside=lambda place: f"memory:{place.path}.dead",
    one_reader="it is the memory of one process",
    one_writer="it is the memory of one process",
)
