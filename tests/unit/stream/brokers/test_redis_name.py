"""Two workers with one name: the second is refused while the first lives, and has its name once it is dead."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from brokers import streams

from cauce.errors import InUse
from cauce.settings import Stream
from cauce.stream import places
from cauce.stream.patience import Patience
from cauce.stream.schemes import Opening


@pytest.fixture
def broker() -> Iterator[tuple[Any, str]]:
    with streams() as found:
        yield found


def opened(address: str, name: str = "w1", takeover: float = 1.0) -> Any:
    settings = Stream(worker_name=name, takeover=takeover)
    return places.source(address, Opening(settings, Patience(0, lambda line: None, threading.Event())))


def test_a_second_worker_with_the_name_is_refused_until_the_first_leaves(broker: tuple[Any, str]) -> None:
    client, address = broker
    first, other = opened(address), opened(address, "w2")
    assert {one["name"] for one in client.xinfo_consumers(address.rpartition("/")[2], "cauce")} <= {b"w1", b"w2"}
    for _ in range(2):
        with pytest.raises(InUse, match="another worker has the name w1"):
            opened(address)
    first.close()
    opened(address).close()
    other.close()


def test_the_name_of_a_worker_that_was_killed_is_free_once_it_does_not_renew_it(broker: tuple[Any, str]) -> None:
    client, address = broker
    key = f"{address.rpartition('/')[2]}:worker:cauce:w1"
    client.set(key, "of one that was killed", px=1000)
    began = time.monotonic()
    opened(address).close()
    assert time.monotonic() - began > 0.5
    assert not client.exists(key)


def test_a_worker_that_stood_still_until_another_took_its_name_gives_out_nothing_more(broker: tuple[Any, str]) -> None:
    client, address = broker
    first = opened(address, takeover=0.6)
    client.set(f"{address.rpartition('/')[2]}:worker:cauce:w1", "of another", px=60_000)
    time.sleep(0.6)
    with pytest.raises(InUse):
        first.fetch(1, 1000, 0.1)
    first.close()
    assert client.exists(f"{address.rpartition('/')[2]}:worker:cauce:w1")  # it is not ours to let go
