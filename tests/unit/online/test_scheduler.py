"""Which rows run together, and who waits: on a real event loop, around echo runtimes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from cauce.errors import Expired
from cauce.model.model import echo_model
from cauce.online.admission import Load
from cauce.online.scheduler import Scheduler, Seen
from cauce.online.speed import Speed
from cauce.online.work import Work
from cauce.runtimes.base import Output
from cauce.runtimes.echo import Echo, Texts
from cauce.text.threads import at_hand, threads

SLOW = 0.02  # seconds of a call of an echo that is no cheap one


@dataclass(frozen=True)
class Counting(Echo):
    """An echo that keeps what it was asked."""

    asked: list[tuple[str, ...]] = field(default_factory=list)
    hands: list[int] = field(default_factory=list)

    def forward(self, encoded: Texts, output: Output = "logits") -> Any:
        self.asked.append(encoded.texts)
        self.hands.append(at_hand())
        return super().forward(encoded, output)

    @property
    def texts(self) -> list[str]:
        return [text for call in self.asked for text in call]


def run(test: Callable[[Scheduler], Awaitable[None]], runtime: Echo, **options: float) -> list[Seen]:
    """Run a test on a scheduler of this echo, whose backlog is 0 in the end; the calls that it made."""
    seen: list[Seen] = []

    async def whole() -> None:
        model = echo_model(runtime)
        load = Load()
        scheduler = Scheduler(model, Speed(model), load, seen.append, **options)
        if isinstance(runtime, Counting):
            runtime.asked.clear()
            runtime.hands.clear()
        await test(scheduler)
        for _ in range(500):
            if not (load.backlog or load.waiting or scheduler._running):
                break
            await asyncio.sleep(0.01)
        assert (load.backlog, load.waiting, scheduler.requests, scheduler.longest_call) == (0.0, 0, 0, 0.0)

    asyncio.run(whole())
    return seen


def work(rows: list[Any], seconds: float = 30) -> Work:
    return Work("labels", rows, time.monotonic() + seconds, asyncio.get_running_loop().create_future())


def shares(texts: list[str]) -> list[float]:
    """The logits of an echo, as its scores tell them."""
    return [round(10 * text.count("a") / len(text) - 1, 4) for text in texts]


def found(answer: Any) -> list[float]:
    return [round(float(np.log(many / few)), 4) for few, many in answer.scores]


@pytest.mark.parametrize("runtime", [Echo(), Echo(delay=0.005), Echo(delay=0.001, batching="single"), Echo(batch_cost=200)])
def test_each_row_gets_its_own_answer_in_its_place(runtime: Echo) -> None:
    texts = ["a" * (n % 7 + 1) + "b" * (n * 37 % 101) for n in range(150)]

    async def test(scheduler: Scheduler) -> None:
        lists = [texts[:1], texts[1:40], texts[40:41], texts[41:]]
        answers = await asyncio.gather(*(scheduler.submit(work(rows)) for rows in lists))
        assert [found(answer) for answer in answers] == [pytest.approx(shares(rows), abs=2e-3) for rows in lists]

    run(test, runtime)


@pytest.mark.parametrize("batching", ["free", "single"])
def test_a_long_list_delays_a_single_row_by_a_call_or_two(batching: Any) -> None:
    runtime = Counting(delay=SLOW, batching=batching, batch_cost=None if batching == "single" else 100)

    async def test(scheduler: Scheduler) -> None:
        many = scheduler.submit(work(["b" * 10] * 1000))
        await asyncio.sleep(2 * SLOW)
        before = len(runtime.asked)
        await scheduler.submit(work(["the single one"]))
        (place,) = (number for number, call in enumerate(runtime.asked) if "the single one" in call)
        assert place - before <= 3  # after the one that was ready, and one turn of the list
        assert not many.done()
        many.cancel()

    run(test, runtime)


def test_two_long_lists_take_turns() -> None:
    runtime = Counting(delay=SLOW, batching="single")

    async def test(scheduler: Scheduler) -> None:
        first, second = scheduler.submit(work(["b"] * 20)), scheduler.submit(work(["c"] * 20))
        await asyncio.sleep(6 * SLOW)
        counts = runtime.texts.count("b"), runtime.texts.count("c")
        assert abs(counts[0] - counts[1]) <= threads() + 2
        await asyncio.gather(first, second)

    run(test, runtime)


def test_requests_that_wait_share_a_call_with_rows_of_like_length_alone() -> None:
    runtime = Counting(delay=SLOW)

    async def test(scheduler: Scheduler) -> None:
        busy = [scheduler.submit(work(["busy" + "b" * 4000 * n])) for n in range(threads() + 1)]
        rows = ["a" * 10, "b" * 12, "c" * 900, "d" * 11]
        await asyncio.gather(*busy, *(scheduler.submit(work([row])) for row in rows))
        assert (rows[0], rows[1], rows[3]) in runtime.asked
        assert (rows[2],) in runtime.asked

    run(test, runtime)


def test_a_call_stays_within_what_it_was_cut_for_as_longer_rows_join_it() -> None:
    runtime = Counting(delay=SLOW, batch_cost=400)

    async def test(scheduler: Scheduler) -> None:
        busy = [scheduler.submit(work(["busy" + "b" * 4000 * n])) for n in range(threads() + 1)]
        lists = [["a" * length] * 40 for length in (4, 10, 30, 90, 270)]
        await asyncio.gather(*busy, *(scheduler.submit(work(rows)) for rows in lists))
        assert scheduler.speed.fit(10) < 400

    for call in run(test, runtime):
        assert call.rows == 1 or call.rows * call.longest <= 1.5 * 400


def test_an_answer_that_comes_too_late_is_not_computed() -> None:
    runtime = Counting(delay=SLOW, batching="single")

    async def test(scheduler: Scheduler) -> None:
        busy = scheduler.submit(work(["busy"] * 20))
        late = scheduler.submit(work(["late"] * 5, seconds=SLOW / 2))
        with pytest.raises(Expired, match="was not ready"):
            await late
        await busy
        assert runtime.texts.count("late") <= threads() + 1  # those that were begun, or were ready, in its time
        assert runtime.texts.count("busy") == 20

    run(test, runtime)


def test_what_nobody_waits_for_is_not_computed() -> None:
    runtime = Counting(delay=SLOW, batching="single")

    async def test(scheduler: Scheduler) -> None:
        busy = scheduler.submit(work(["busy"] * 10))
        gone = scheduler.submit(work(["gone"] * 10))
        gone.cancel()
        await busy
        await scheduler.submit(work(["next"]))
        assert runtime.texts.count("gone") <= 2
        assert runtime.texts.count("next") == 1

    run(test, runtime)


@pytest.mark.parametrize("delay", [0.0, SLOW])
def test_a_row_that_the_engine_fails_on_is_alone(delay: float) -> None:
    async def test(scheduler: Scheduler) -> None:
        lists = [["a", "b"], ["poison"], ["a", "poison", "b"], ["c"]]
        answers = await asyncio.gather(*(scheduler.submit(work(rows)) for rows in lists))
        assert [[one.error for one in answer] for answer in answers] == [
            [None, None],
            ["runtime_failed"],
            [None, "runtime_failed", None],
            [None],
        ]

    run(test, Echo(delay=delay, fails_on="poison"))


class Odd(dict):  # type: ignore[type-arg]
    """A row that cannot even be looked at."""

    def get(self, *_: Any) -> Any:
        raise RuntimeError("odd")


@pytest.mark.parametrize("delay", [0.0, SLOW])
def test_a_request_that_fails_whole_does_not_take_its_neighbors_along(delay: float) -> None:
    async def test(scheduler: Scheduler) -> None:
        busy = [scheduler.submit(work(["b" * 2000])) for _ in range(threads() + 1)]
        requests: list[list[Any]] = [["a"], [Odd(text="odd")], ["c", "d"]]
        good, odd, more = await asyncio.gather(*(scheduler.submit(work(rows)) for rows in requests), return_exceptions=True)
        await asyncio.gather(*busy)
        assert isinstance(odd, RuntimeError)
        assert [good[0].error, more[0].error, more[1].error] == [None] * 3

    run(test, Echo(delay=delay))


def test_a_cheap_model_answers_a_short_request_beside_a_long_list() -> None:
    async def test(scheduler: Scheduler) -> None:
        assert scheduler.speed.cheap
        many = scheduler.submit(work(["b" * 2000] * 15_000))
        await asyncio.sleep(0)
        assert scheduler._load.waiting > 5_000  # not all is handed out: others may have their turn, and it may be given up
        single = scheduler.submit(work(["single"]))
        done, _ = await asyncio.wait({many, single}, return_when=asyncio.FIRST_COMPLETED)
        assert done == {single}
        assert len(await many) == 15_000

    run(test, Echo())


@hypothesis(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from(["a", "bb" * 40, "poison", "", None]), min_size=1, max_size=12),
            st.sampled_from(["wait", "cancel", "cancel later", "expire"]),
        ),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from(["free", "single"]),
    st.sampled_from([0.0, 0.001]),
)
def test_any_mix_of_requests_leaves_nothing_behind(requests: Any, batching: Any, delay: float) -> None:
    async def test(scheduler: Scheduler) -> None:
        answers = []
        for rows, fate in requests:
            answers.append(scheduler.submit(work(rows, seconds=0.001 if fate == "expire" else 30)))
            if fate == "cancel":
                answers[-1].cancel()
        await asyncio.sleep(delay)
        for answer, (_, fate) in zip(answers, requests, strict=True):
            if fate == "cancel later":
                answer.cancel()
        for (rows, fate), result in zip(requests, await asyncio.gather(*answers, return_exceptions=True), strict=True):
            if fate == "wait" or not isinstance(result, BaseException):
                codes = {"poison": "runtime_failed", "": "empty_text", None: "missing_input"}
                assert [one.error for one in result] == [codes.get(row) for row in rows]

    run(test, Echo(delay=delay, fails_on="poison", batching=batching))


def test_a_list_of_rows_that_run_one_by_one_is_shared_out_between_the_workers() -> None:
    runtime = Counting(delay=0.001, batching="single")

    async def test(scheduler: Scheduler) -> None:
        await scheduler.submit(work(["a" * 10] * 8))

    calls = run(test, runtime)
    assert len(calls) >= min(8, threads())
    assert max(one.rows for one in calls) <= -(-8 // threads())


def test_many_short_rows_go_to_a_worker_by_the_handful() -> None:
    async def test(scheduler: Scheduler) -> None:
        await asyncio.gather(*(scheduler.submit(work(["a" * 10])) for _ in range(200)))

    calls = run(test, Counting(delay=0.001, batching="single"))
    assert sum(one.rows for one in calls) == 200
    assert len(calls) < 100


def test_a_lone_text_has_all_threads_and_texts_side_by_side_have_one_each() -> None:
    runtime = Counting(delay=SLOW, batching="single")

    async def test(scheduler: Scheduler) -> None:
        await scheduler.submit(work(["alone"]))
        assert runtime.hands == [threads()]
        runtime.hands.clear()
        await asyncio.gather(*(scheduler.submit(work([row])) for row in "abcdef"))
        assert sorted(runtime.hands)[:5] == [1] * 5  # the first came to an idle server

    run(test, runtime)


def test_rows_wait_for_others_where_that_is_wanted() -> None:
    async def test(scheduler: Scheduler) -> None:
        first = scheduler.submit(work(["first"]))
        await asyncio.sleep(SLOW)
        await asyncio.gather(first, scheduler.submit(work(["other"])))

    assert [one.rows for one in run(test, Echo(delay=SLOW), max_wait=5 * SLOW)] == [2]
    assert [one.rows for one in run(test, Echo(delay=SLOW))] == [1, 1]
