"""Who is let in: a request that cannot be answered in time is told so at once, not after it has waited."""

from __future__ import annotations

import math
import time

from cauce.errors import BodyTooLarge, Expired, NotReady, Overloaded
from cauce.text.threads import threads

MARGIN = 0.9  # of the time that is left: an estimate is no promise
LATELY = 0.5  # seconds of estimated work: older calls hardly count
STANDSTILL = 20.0  # times an estimate: the most that one call says about the others
TRUST = 0.1  # of these, with which the estimates begin


class Load:
    """What waits and runs, of all models together: they share the threads.

    Seconds are estimates, of full calls on a machine with nothing else to do. `pace` says how far they are off now.

    Attributes:
        backlog: seconds of work that waits or runs, on one thread; 0.0 where nobody waits for an answer.
        waiting: rows that no worker has yet.
        requests: that wait for an answer.
        pace: how many times longer rows have taken lately than was estimated.

    """

    def __init__(self) -> None:
        self.backlog, self.waiting, self.pace = 0.0, 0, 1.0
        self.requests = 0
        self._ended = 0.0  # when the last call did, where rows were waiting then
        self._expected = self._took = TRUST * LATELY

    @property
    def wait(self) -> float:
        """Seconds until work that comes now is begun."""
        return self.pace * self.backlog / threads()

    def learn(self, expected: float, took: float) -> None:
        """A call that was estimated at so many seconds has ended, and took so many.

        While rows wait, what counts is how soon one call follows another: that holds what lies between them too.
        """
        now = time.monotonic()
        if self._ended:
            took = threads() * (now - self._ended)
        self._ended = now if self.waiting else 0.0
        took = min(took, STANDSTILL * expected)
        keep = math.exp(-expected / LATELY)
        self._expected, self._took = keep * self._expected + expected, keep * self._took + took
        self.pace = self._took / self._expected

    def add(self, rows: int, seconds: float) -> None:
        """A request waits."""
        self.backlog += seconds
        self.waiting += rows
        self.requests += 1

    def lighten(self, seconds: float) -> None:
        """So much is done."""
        self.backlog = max(0.0, self.backlog - seconds)

    def settle(self, rows: int, seconds: float) -> None:
        """Nobody waits for a request any longer; so much of it was not done."""
        self.waiting -= rows
        self.requests -= 1
        if self.requests:
            self.backlog = max(0.0, self.backlog - seconds)
        else:
            self.backlog = self._ended = 0.0  # without what rounding left


class Admission:
    """Lets a request in or refuses it whole.

    Args:
        load: of all models.
        max_rows: that may wait in all.

    """

    def __init__(self, load: Load, max_rows: int) -> None:
        self._load, self.max_rows = load, max_rows
        self.draining = False

    def admit(self, rows: int, seconds: float, deadline: float) -> None:
        """Let so many rows in, that are answered after so many seconds (estimated) where nothing else is to be done.

        Raises:
            Overloaded: the answer would come after the deadline, or too many rows wait.
            BodyTooLarge: more rows than may ever wait.
            Expired: the deadline has passed, before its body was here.
            NotReady: the server drains.

        """
        if self.draining:
            raise NotReady("the server is going down", hint="ask again: another one, or this one in a moment")
        if rows > self.max_rows:
            raise BodyTooLarge(f"{rows} rows are more than the {self.max_rows} that may wait", hint="send fewer rows at once")
        wait, seconds, left = self._load.wait, self._load.pace * seconds, deadline - time.monotonic()
        if left <= 0:
            raise Expired("the request came too late to be answered in its time", hint="send it faster, or wait longer")
        if wait + seconds > MARGIN * left:
            raise Overloaded(
                f"{wait:.1f} s of work are waiting: the request would be answered too late",
                retry_after=max(1, math.ceil(wait)),
                hint="send fewer rows at once, wait longer (X-Request-Timeout), or try again after Retry-After",
            )
        if rows + self._load.waiting > self.max_rows:
            raise Overloaded(
                f"{rows} rows more than the {self.max_rows} that may wait",
                retry_after=max(1, math.ceil(wait)),
                hint="send fewer rows at once, or try again after Retry-After",
            )
