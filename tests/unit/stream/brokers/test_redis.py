"""What a group of Redis does besides the contract of all brokers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from brokers import streams

from cauce.settings import Stream
from cauce.stream import places
from cauce.stream.contract import Source
from cauce.stream.patience import Patience
from cauce.stream.schemes import Opening

TAKEOVER = 0.3


@pytest.fixture
def broker() -> Iterator[tuple[Any, str]]:
    with streams() as found:
        yield found


def opened(address: str, **settings: Any) -> Source:
    return places.source(
        address, Opening(Stream(takeover=TAKEOVER, **settings), Patience(0, lambda line: None, threading.Event()))
    )


def left(broker: tuple[Any, str], *attempts: int) -> list[bytes]:
    """Entries that a dead worker held, each given out so often."""
    client, address = broker
    stream = address.rpartition("/")[2]
    client.xgroup_create(stream, "cauce", id="0", mkstream=True)
    names = [client.xadd(stream, {"data": str(n)}) for n in range(len(attempts))]
    client.xreadgroup("cauce", "dead", {stream: ">"})
    for name, count in zip(names, attempts, strict=True):
        client.execute_command("XCLAIM", stream, "cauce", "dead", 0, name, "RETRYCOUNT", count)
    time.sleep(TAKEOVER)
    return names


def test_what_came_too_often_to_be_innocent_is_taken_over_alone_and_after_the_others(broker: tuple[Any, str]) -> None:
    left(broker, 1, 2, 1, 4, 1)
    source = opened(broker[1])
    found = [source.fetch(100, 1 << 20, 0.05) for _ in range(3)]
    assert [(one.data.to_pylist(), one.attempts.tolist()) for one in found if one] == [
        ([b"0", b"2", b"4"], [2, 2, 2]),
        ([b"1"], [3]),
        ([b"3"], [5]),
    ]
    source.close()


def test_what_another_took_over_meanwhile_is_passed_by_at_once(broker: tuple[Any, str]) -> None:
    left(broker, 2, 2, 2)
    one, other = opened(broker[1]), opened(broker[1])
    found = [source.fetch(100, 1 << 20, 0.05) for source in (one, other, one)]
    assert [some and some.data.to_pylist() for some in found] == [[b"0"], [b"1"], [b"2"]]
    one.close()
    other.close()


@pytest.mark.parametrize(("most", "expected"), [(3, [1000, 200]), (2, [1] * 4)])
def test_what_a_dead_worker_held_is_taken_over_together_if_each_can_be_tried_alone_yet(
    most: int, expected: list[int], broker: tuple[Any, str]
) -> None:
    left(broker, *[1] * (1200 if most == 3 else 4))
    source = opened(broker[1], max_attempts=most)
    found = [source.fetch(16_384, 1 << 30, 0.05) for _ in expected]
    assert [(len(one), {*one.attempts}) for one in found if one] == [(count, {2}) for count in expected]
    source.close()


def test_an_entry_that_was_deleted_while_it_was_held_is_in_nobody_s_way(broker: tuple[Any, str]) -> None:
    client, address = broker
    stream = address.rpartition("/")[2]
    client.xdel(stream, *left(broker, 1))
    client.xadd(stream, {"data": "new"})
    source = opened(address)
    found = source.fetch(100, 1 << 20, 0.05)
    assert found is not None
    assert (found.data.to_pylist(), found.attempts.tolist()) == ([b"new"], [1])
    source.close()
