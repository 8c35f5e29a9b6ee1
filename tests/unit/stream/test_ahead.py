"""What is fetched ahead is bounded, in order, and ends in time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from cauce.errors import BrokerGone
from cauce.stream.ahead import Ahead
from cauce.stream.deliveries import Deliveries

ROOM = 1 << 20
SOON = 0.4  # seconds in which whatever is going to be fetched has been


class Tape:
    """Gives out batches of what was recorded: a number of messages, of these bytes, given out so often; or an error.

    Attributes:
        fetched: how many messages were given out.
        asked: `most` and `room` of each fetch.

    """

    def __init__(self, batches: Sequence[tuple[int, int, int] | Exception], *, ends: bool = True) -> None:
        self._batches, self._ends = list(batches), ends
        self.fetched, self.asked = 0, list[tuple[int, int]]()
        self.fetching = False

    @property
    def ended(self) -> bool:
        return self._ends and not self._batches

    def fetch(self, most: int, room: int, wait: float) -> Deliveries | None:
        self.asked.append((most, room))
        if not self._batches:
            self.fetching = True
            time.sleep(wait)
            self.fetching = False
            return None
        batch = self._batches.pop(0)
        if isinstance(batch, Exception):
            raise batch
        count, size, attempts = batch
        given = min(count, most)
        if given < count:
            self._batches.insert(0, (count - given, size, attempts))
        places = [str(self.fetched + n) for n in range(given)]
        self.fetched += given
        return Deliveries.of("tape", [b"x" * size] * given, places, attempts=[attempts] * given)

    def acknowledge(self, places: Sequence[str]) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""


@contextmanager
def ahead(source: Tape, room: int = ROOM) -> Iterator[tuple[Ahead, threading.Event]]:
    stop = threading.Event()
    made = Ahead(source, room, stop)
    try:
        yield made, stop
    finally:
        made.close()


def places(given: Sequence[Deliveries] | None) -> list[int]:
    return [int(place) for one in given or () for place in one.places.to_pylist()]


def some(from_: Ahead, most: int = 10, delay: float = 0.0) -> list[Deliveries]:
    """The next batch that is not empty."""
    end = time.monotonic() + 10
    while not (given := from_.batch(most, delay)):
        assert given is not None
        assert time.monotonic() < end
    return given


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_all_messages_come_in_order_and_then_none() -> None:
    with ahead(Tape([(7, 10, 1)] * 30)) as (made, _):
        found = list[int]()
        while (given := made.batch(10, 0.0)) is not None:
            assert sum(map(len, given)) <= 10
            found += places(given)
        assert found == list(range(210))
        assert made.batch(10, 0.0) is None


def test_one_batch_is_held_ahead_and_no_more() -> None:
    source = Tape([(1, 10, 1)] * 1000, ends=False)
    with ahead(source) as (made, _):
        given = len(some(made, most=10))
        time.sleep(SOON)
        assert source.fetched <= given + 10


def test_no_more_bytes_are_held_than_there_is_room_for() -> None:
    source = Tape([(1, 300, 1)] * 1000, ends=False)
    with ahead(source, room=1000) as (made, _):
        given = sum(one.size for one in some(made, most=500))
        assert given <= 1200
        time.sleep(SOON)
        assert 300 * source.fetched - given <= 1200
        assert all(most > 0 and room > 0 for most, room in source.asked)


def test_what_comes_within_the_delay_is_given_out_together_and_a_full_batch_at_once() -> None:
    with ahead(Tape([(1, 10, 1)] * 20, ends=False)) as (made, _):
        begun = time.monotonic()
        found = [len(places(some(made, most=10, delay=60.0))) for _ in range(2)]
        assert found == [10, 10]
        assert time.monotonic() - begun < 10


def test_an_error_of_the_source_comes_after_all_that_was_fetched_before() -> None:
    with ahead(Tape([(1, 10, 1)] * 5 + [BrokerGone("it is gone")])) as (made, _):
        found = list[int]()
        with pytest.raises(BrokerGone, match="it is gone"):
            while True:
                found += places(made.batch(2, 0.0))
        assert found == list(range(5))
        with pytest.raises(BrokerGone):
            made.batch(2, 0.0)


def test_nothing_is_fetched_behind_what_was_given_out_before_until_that_is_answered() -> None:
    source = Tape([(3, 10, 1), (2, 10, 2), (1, 10, 3), (5, 10, 1)], ends=False)
    with ahead(source) as (made, _):
        until(lambda: source.fetched == 1)  # the first fetch is one of one message
        assert places(some(made, delay=60.0)) == [0, 1, 2, 3, 4]  # it does not wait for others behind those
        time.sleep(SOON)
        assert source.fetched == 5
        assert places(some(made, delay=60.0)) == [5]
        time.sleep(SOON)
        assert source.fetched == 6
        assert places(some(made, delay=SOON)) == [6, 7, 8, 9, 10]


@pytest.mark.parametrize("held", [0, 10])
def test_told_to_stop_it_gives_out_what_it_holds_and_ends(held: int) -> None:
    source = Tape([(1, 10, 1)] * 10 * held, ends=False)
    with ahead(source) as (made, stop):
        first = places(some(made)) if held else []
        until(lambda: source.fetched >= len(first) + held)
        time.sleep(SOON)
        stop.set()
        begun, rest = time.monotonic(), list[int]()
        while (given := made.batch(10, 60.0)) is not None:
            rest += places(given)
        assert time.monotonic() - begun < 5
        assert first + rest == list(range(source.fetched))


def test_closed_it_fetches_no_more() -> None:
    source = Tape([], ends=False)
    with ahead(source):
        until(lambda: source.fetching)
    assert not source.fetching
    asked = len(source.asked)
    time.sleep(SOON)
    assert len(source.asked) == asked
