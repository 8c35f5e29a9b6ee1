"""Who is let in, and that a promise of an answer in time is kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from cauce.errors import BodyTooLarge, Expired, NotReady, Overloaded
from cauce.model.model import echo_model
from cauce.online.admission import Load
from cauce.online.plane import Plane
from cauce.online.scheduler import Seen
from cauce.online.served import Served
from cauce.runtimes.echo import Echo
from cauce.text.threads import threads

SLOW = 0.02


def run(test: Callable[[Plane], Awaitable[None]], runtime: Echo, seen: Any = lambda *_: None, **options: Any) -> None:
    served = Served(echo_model(runtime), seen=seen)
    served.load()

    async def whole() -> None:
        plane = Plane([served], every=60, **options)
        await asyncio.sleep(2 * SLOW)  # its own golden row
        try:
            await test(plane)
            assert await plane.drain(10)
            assert plane.load.wait == 0
        finally:
            await plane.close()

    asyncio.run(whole())


def within(seconds: float) -> float:
    return time.monotonic() + seconds


def test_a_list_that_cannot_be_answered_in_time_is_refused_whole_and_at_once() -> None:
    async def test(plane: Plane) -> None:
        before = time.monotonic()
        with pytest.raises(Overloaded, match="too late") as caught:
            await plane.predict(["a"] * 1000, deadline=within(1))
        assert time.monotonic() - before < 0.5
        assert caught.value.retry_after >= 1
        assert caught.value.http_status == 429
        assert plane.load.wait == 0  # nothing of it was begun

    run(test, Echo(delay=SLOW, batching="single"))


def test_one_call_that_takes_longer_than_there_is_time_is_refused() -> None:
    async def test(plane: Plane) -> None:
        with pytest.raises(Overloaded):
            await plane.predict(["a"], deadline=within(0.05))  # rows are cheap in a full call; a call is not

    run(test, Echo(delay=0.1))


def test_who_waits_long_enough_is_let_in_and_retry_after_says_when() -> None:
    async def test(plane: Plane) -> None:
        first = asyncio.create_task(plane.predict(["a"] * 100 * threads(), deadline=within(20)))  # 2 s
        await asyncio.sleep(SLOW)
        with pytest.raises(Overloaded) as caught:
            await plane.predict(["b"], deadline=within(1))
        assert 1 <= caught.value.retry_after <= 10
        assert len((await plane.predict(["b"], deadline=within(20))).result) == 1
        assert not first.done()  # it did not wait for the whole list
        first.cancel()

    run(test, Echo(delay=SLOW, batching="single"))


def test_only_so_many_rows_wait() -> None:
    async def test(plane: Plane) -> None:
        first = asyncio.create_task(plane.predict(["a"] * 40))
        await asyncio.sleep(SLOW)
        with pytest.raises(Overloaded, match="that may wait"):
            await plane.predict(["b"] * 45)
        with pytest.raises(BodyTooLarge, match="51 rows"):  # no retry would help
            await plane.predict(["b"] * 51)
        assert len((await plane.predict(["b"] * 5)).result) == 5
        await first

    run(test, Echo(delay=SLOW / 4, batching="single"), max_rows=50)


def test_a_request_whose_time_is_over_when_it_comes_expires() -> None:
    async def test(plane: Plane) -> None:
        with pytest.raises(Expired):
            await plane.predict(["a"], deadline=within(-1))

    run(test, Echo())


def test_a_server_that_goes_down_answers_what_it_has_and_refuses_more() -> None:
    async def test(plane: Plane) -> None:
        first = asyncio.create_task(plane.predict(["a"] * 10))
        await asyncio.sleep(SLOW)
        assert plane.ready == ""
        drained = asyncio.create_task(plane.drain(10))
        await asyncio.sleep(0)
        assert "going down" in plane.ready
        with pytest.raises(NotReady):
            await plane.predict(["b"])
        assert await drained
        assert len((await first).result) == 10

    run(test, Echo(delay=SLOW, batching="single"))


def test_under_three_times_the_load_nearly_all_work_is_for_answers_in_time() -> None:
    """An open loop against a call of 20 ms, one row each."""
    seconds, patience = 2.0, 0.5
    counts = {"answered": 0, "refused": 0, "late": 0}
    calls: list[Seen] = []

    async def one(plane: Plane) -> None:
        before = time.monotonic()
        try:
            await plane.predict(["a"], deadline=before + patience)
            counts["answered"] += 1
        except Overloaded:
            counts["refused"] += 1
        except Expired:
            counts["late"] += 1

    async def test(plane: Plane) -> None:
        began, tasks = time.monotonic(), []
        while (now := time.monotonic() - began) < seconds:
            tasks += [asyncio.create_task(one(plane)) for _ in range(int(now * 3 * threads() / SLOW) - len(tasks))]
            await asyncio.sleep(0.002)
        await asyncio.gather(*tasks)

    run(test, Echo(delay=SLOW, batching="single"), lambda _, one: calls.append(one))
    assert sum(one.seconds for one in calls) >= 0.85 * seconds * threads()  # nobody was idle
    assert counts["answered"] >= 0.85 * len(calls)  # for nothing
    assert counts["refused"] >= counts["answered"]


def test_the_estimate_follows_what_calls_take() -> None:
    load = Load()
    for _ in range(200):
        load.learn(0.01, 0.03)
    assert load.pace == pytest.approx(3, rel=0.05)
    for _ in range(200):
        load.learn(0.01, 0.01)
    assert load.pace == pytest.approx(1, rel=0.05)


def test_a_call_that_stood_still_does_not_shut_the_door() -> None:
    load = Load()
    load.learn(0.004, 600.0)
    assert load.pace < 5


def test_a_pause_between_two_loads_is_no_work() -> None:
    load = Load()
    load.add(2, 0.02)
    load.learn(0.01, 0.01)  # while a row waits
    load.settle(2, 0.02)
    time.sleep(0.2)
    load.learn(0.01, 0.01)
    assert load.pace == pytest.approx(1)
