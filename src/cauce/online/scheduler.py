"""Which rows run together, and when: for one model.

Work starts at once where a worker is idle; while all are busy, requests gather. Each turn begins with the request that waits
longest and gives it one call: rows of like length of the others fill the call up, so a list of a thousand rows delays nobody by
more than a call, and nothing starves. No call takes more than its share of what waits, so that all workers have some. Rows of
`single` variants run one by one; a worker gets a handful. What is cheaper than handing it to a thread is answered on the spot,
all requests of one turn of the event loop together. A call that fails whole is tried again request by request: it is nobody's
neighbor who pays.

All this happens on the event loop, so nothing is locked. The workers only compute.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from cauce.errors import Expired
from cauce.model.model import Model
from cauce.model.spent import Spent, counted
from cauce.online.admission import Load
from cauce.online.speed import Speed
from cauce.online.work import Kind, Result, Work, ask, cut
from cauce.text.threads import alone, start, threads

LIKE = 3  # rows of a third to three times the first one's length go into its call
AT_ONCE = 0.004  # seconds that the event loop computes itself; more goes to a worker
AHEAD = 1  # calls that are ready when a worker ends, so that it does not wait for the event loop


@dataclass(slots=True, eq=False)
class Call:
    """Rows of one or several requests that run together."""

    kind: Kind
    rows: list[Any]
    longest: int
    shares: list[tuple[Work, list[int]]]
    begun: float = 0.0


@dataclass(frozen=True, slots=True)
class Seen:
    """A call that ended, for whoever measures.

    Attributes:
        longest: characters of its longest row.
        seconds: in all.
        spent: what the runtime did in them.

    """

    rows: int
    longest: int
    seconds: float
    spent: Spent
    failed: bool


class Scheduler:
    """The queue of one model.

    Args:
        model: warmed up.
        speed: its own, fitted.
        load: of all models; this one's is added.
        max_wait: seconds that rows wait for others to share a call with, where a worker is idle.
        seen: called after each call.

    Attributes:
        requests: that wait for an answer.

    """

    def __init__(
        self,
        model: Model,
        speed: Speed,
        load: Load,
        seen: Callable[[Seen], None] = lambda one: None,
        *,
        max_wait: float = 0.0,
    ) -> None:
        self.model, self.speed, self._load, self._seen, self._max_wait = model, speed, load, seen, max_wait
        self.requests = 0
        self._rows = 0  # that no worker has yet
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Work] = deque()
        self._quick: deque[Work] = deque()
        self._running: set[Call] = set()
        self._flushes = False

    @property
    def longest_call(self) -> float:
        """Seconds for which the oldest call has been running; 0.0 where none is."""
        now = time.monotonic()
        return max((now - call.begun for call in self._running if call.begun), default=0.0)

    def least(self, work: Work) -> float:
        """Seconds until this work is answered where nothing else is to be done: a call's, or more."""
        rows, longest = len(work.rows), max(work.lengths)
        call = self.speed.call(min(rows, self.speed.fit(longest)), longest)
        return max(call, self._cost(work) / min(rows, threads()))

    def _cost(self, work: Work) -> float:
        """Seconds that the rows take on one thread; a long list is estimated once."""
        work.cost = work.cost or self.speed.shares(work.lengths)
        return work.cost

    def submit(self, work: Work) -> asyncio.Future[Result]:
        """Let work wait for its turn. Its answer may be cancelled: what nobody waits for is not computed."""
        work.seconds = self._cost(work)
        self.requests += 1
        self._rows += len(work.rows)
        self._load.add(len(work.rows), work.seconds)
        work.answer.add_done_callback(lambda _: self._settled(work))
        if self.speed.cheap and work.seconds <= AT_ONCE:
            self._quick.append(work)
            if not self._flushes:
                self._flushes = True
                self._loop.call_soon(self._flush)
            return work.answer
        self._set_alarm(work)
        self._waiting.append(work)
        if self._max_wait and self._rows < self.speed.fit(work.next_length):
            self._loop.call_later(self._max_wait, self._dispatch)
        else:
            self._dispatch()
        return work.answer

    def _set_alarm(self, work: Work) -> None:
        work.alarm = self._loop.call_later(max(0.0, work.deadline - time.monotonic()), self._expire, work)

    def _settled(self, work: Work) -> None:
        if work.alarm is not None:
            work.alarm.cancel()
        left = len(work.take(work.left))  # of an answer that came too late, or that nobody waits for
        self.requests -= 1
        self._rows -= left
        self._load.settle(left, work.seconds)
        work.seconds = 0.0

    def _expire(self, work: Work) -> None:
        if not work.answer.done():
            waited = time.monotonic() - work.arrived
            work.answer.set_exception(
                Expired(f"the answer was not ready after {waited:.1f} s", hint="send fewer rows, or wait longer")
            )

    def _flush(self) -> None:
        """Answer what came in this turn of the event loop, here if that is quick."""
        self._flushes = False
        while call := self._next(self._quick):
            if self.speed.call(len(call.rows), call.longest) > AT_ONCE:
                for work, _ in call.shares:
                    if work.alarm is None:
                        self._set_alarm(work)
                self._start(call)
            else:
                call.begun = time.monotonic()
                with alone():
                    outcome, spent = _outcome(call, self.model)
                self._answered(call, outcome, spent, time.monotonic())

    def _dispatch(self) -> None:
        while len(self._running) < threads() + AHEAD and (call := self._next(self._waiting)):
            self._start(call)

    def _start(self, call: Call) -> None:
        lone = self._load.requests == 1 and not self._running and len(call.rows) == 1
        self._running.add(call)
        start(partial(self._compute, call), lone=lone)

    def _next(self, line: deque[Work]) -> Call | None:
        """The next call: of the request whose turn it is, filled up with rows of like length; None where nobody waits."""
        while line and line[0].answer.done():
            line.popleft()
        if not line:
            return None
        first = line.popleft()
        usual = longest = first.next_length
        fair = self._rows if line is self._quick else self.speed.fair(self._rows, longest)
        most = min(fair, self.speed.fit(longest))
        shares = [(first, first.take(most))]
        count = len(shares[0][1])
        kept: list[Work] = []
        while line and count < most:
            other = line.popleft()
            if other.answer.done():
                continue
            length = other.next_length
            if other.kind == first.kind and length <= LIKE * usual and usual <= LIKE * length + LIKE:
                fits = most if length <= longest else min(fair, self.speed.fit(length))
                if fits > count:
                    longest, most = max(longest, length), fits
                    shares.append((other, other.take(most - count)))
                    count += len(shares[-1][1])
            if other.left:
                kept.append(other)
        line.extendleft(reversed(kept))
        if first.left:
            line.append(first)  # its next call comes after the others' turn
        self._rows -= count
        self._load.waiting -= count
        return _call(first.kind, longest, shares)

    def _compute(self, call: Call) -> None:
        """On a worker's thread."""
        call.begun = time.monotonic()
        outcome, spent = _outcome(call, self.model) if _awaited(call) else (None, Spent())
        ended = time.monotonic()
        self._loop.call_soon_threadsafe(self._finished, call, outcome, spent, ended)

    def _finished(self, call: Call, outcome: Result | Exception | None, spent: Spent, ended: float) -> None:
        self._running.discard(call)
        self._dispatch()  # the workers first: nobody waits for the loop
        if outcome is not None:
            self._answered(call, outcome, spent, ended)

    def _answered(self, call: Call, outcome: Result | Exception, spent: Spent, ended: float) -> None:
        seconds, failed = ended - call.begun, isinstance(outcome, Exception)
        if not failed:
            self._load.learn(sum(work.cost * len(places) / len(work.rows) for work, places in call.shares), seconds)
        elif len(call.shares) > 1:
            for share in call.shares:
                self._start(_call(call.kind, call.longest, [share]))
            self._seen(Seen(len(call.rows), call.longest, seconds, spent, failed))
            return
        begin = 0
        for work, places in call.shares:
            work.started = work.started or call.begun
            work.computed += seconds
            work.reading += spent.reading
            done = work.seconds * len(places) / work.unanswered
            work.seconds -= done
            self._load.lighten(done)
            if not failed:
                work.receive(places, cut(outcome, begin, begin + len(places)) if len(call.shares) > 1 else outcome)
            elif not work.answer.done():
                work.answer.set_exception(outcome)
            begin += len(places)
        self._seen(Seen(len(call.rows), call.longest, seconds, spent, failed))


def _call(kind: Kind, longest: int, shares: list[tuple[Work, list[int]]]) -> Call:
    return Call(kind, [work.rows[place] for work, places in shares for place in places], longest, shares)


def _awaited(call: Call) -> bool:
    """Whether anybody still waits for it."""
    return not all(work.answer.done() for work, _ in call.shares)


def _outcome(call: Call, model: Model) -> tuple[Result | Exception, Spent]:
    """What the model says, or what it raised: a row that fails has its own error, so this is the whole call's."""
    with counted() as spent:
        try:
            return ask(call.kind, model, call.rows), spent
        except Exception as error:  # noqa: BLE001  (it goes to those who wait)
            return error, spent
