"""Jobs are done in order, one behind at most; after an error nothing is."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence

import pytest

from cauce.errors import StorageFull
from cauce.stream.behind import Behind
from cauce.stream.records import Records
from cauce.stream.results import Results


class Settled:
    """An output that notes when it is settled, and fails when it is told to."""

    def __init__(self) -> None:
        self.done: list[object] = []
        self.fails = False

    def put(self, places: Sequence[str], results: Results, letters: Records) -> None:
        """Jobs of these tests do not write."""

    def settle(self, *, now: bool) -> None:
        if self.fails:
            raise StorageFull("the disk is full")
        if now or self.done[-1:] != ["looked"]:
            self.done.append("settled" if now else "looked")


@pytest.fixture
def output() -> Settled:
    return Settled()


@pytest.fixture
def behind(output: Settled) -> Iterator[Behind]:
    made = Behind(output)
    yield made
    made.close()


def jobs(output: Settled) -> list[object]:
    return [one for one in output.done if isinstance(one, int)]


def test_jobs_are_done_in_order_and_settled(output: Settled, behind: Behind) -> None:
    for n in range(50):
        behind.do(lambda n=n: output.done.append(n))  # type: ignore[misc]
    behind.settle()
    assert jobs(output) == list(range(50))
    assert [one for one in output.done if one != "looked"][-1] == "settled"
    behind.do(lambda: output.done.append(50))
    behind.settle()
    assert jobs(output)[-1] == 50


def test_one_job_waits_and_no_more(output: Settled, behind: Behind) -> None:
    go, handed = threading.Event(), list[int]()

    def hand() -> None:
        for n in range(5):
            behind.do(lambda: go.wait(20))  # type: ignore[arg-type, return-value]
            handed.append(n)

    handing = threading.Thread(target=hand)
    handing.start()
    time.sleep(0.6)
    assert handed == [0, 1]
    go.set()
    handing.join(10)
    assert handed == [0, 1, 2, 3, 4]


def test_what_was_written_is_looked_at_again_without_a_job(output: Settled, behind: Behind) -> None:
    time.sleep(0.6)
    assert "looked" in output.done


@pytest.mark.parametrize("where", ["do", "settle", "check"])
def test_after_an_error_nothing_is_done_and_everybody_hears_of_it(where: str, output: Settled, behind: Behind) -> None:
    held = threading.Event()

    def full() -> None:
        held.wait(20)
        raise StorageFull("the disk is full")

    behind.do(full)
    behind.do(lambda: output.done.append(1))  # it waits behind that one
    threading.Timer(0.1, held.set).start()
    with pytest.raises(StorageFull):
        if where == "do":
            behind.do(lambda: output.done.append(2))
        elif where == "settle":
            behind.settle()
        else:
            while True:
                behind.check()
    with pytest.raises(StorageFull):
        behind.settle()
    behind.close()
    assert jobs(output) == []


def test_an_error_while_it_settles_is_heard_of(output: Settled, behind: Behind) -> None:
    output.fails = True
    with pytest.raises(StorageFull):
        behind.settle()


def test_closed_it_neither_does_what_waits_nor_settles_what_was_done(output: Settled, behind: Behind) -> None:
    begun, go = threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        go.wait(20)
        output.done.append(1)

    behind.do(slow)
    behind.do(lambda: output.done.append(2))
    assert begun.wait(10)
    output.done.clear()
    threading.Timer(0.3, go.set).start()
    behind.close()
    assert output.done == [1]  # its sink is closed next: what is not flushed will not be there, and must not be acknowledged
