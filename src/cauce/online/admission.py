"""Who is let in: a request that cannot be answered in time is told so at once, not after it has waited."""

from __future__ import annotations

import math
import time

from cauce.errors import BodyTooLarge, Expired, NotReady, Overloaded
from cauce.text.threads import threads

MARGIN = 0.9  # of the time that is left: an estimate is no promise


class Load:
    """What waits and runs, of all models together: they share the threads.

    Attributes:
        backlog: seconds of work that waits or runs, on one thread; 0.0 where nobody waits for an answer.
        waiting: rows that no worker has yet.

    """

    def __init__(self) -> None:
        self.backlog, self.waiting = 0.0, 0
        self._requests = 0

    @property
    def wait(self) -> float:
        """Seconds until work that comes now is begun."""
        return self.backlog / threads()

    def add(self, rows: int, seconds: float) -> None:
        """A request waits."""
        self.backlog += seconds
        self.waiting += rows
        self._requests += 1

    def lighten(self, seconds: float) -> None:
        """So much is done."""
        self.backlog = max(0.0, self.backlog - seconds)

    def settle(self, rows: int, seconds: float) -> None:
        """Nobody waits for a request any longer; so much of it was not done."""
        self.waiting -= rows
        self._requests -= 1
        self.backlog = max(0.0, self.backlog - seconds) if self._requests else 0.0  # without what rounding left


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
        """Let so many rows in, that are answered after so many seconds where nothing else is to be done.

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
        wait, left = self._load.wait, deadline - time.monotonic()
        if left <= 0:
            raise Expired("the request came too late to be answered in its time", hint="send it faster, or wait longer")
        if wait + seconds > MARGIN * left:
            raise Overloaded(
                f"{wait:.1f} s of work are waiting, the request takes {seconds:.2g} s and would be answered too late",
                retry_after=max(1, math.ceil(wait)),
                hint="send fewer rows at once, wait longer (X-Request-Timeout), or try again after Retry-After",
            )
        if rows + self._load.waiting > self.max_rows:
            raise Overloaded(
                f"{rows} rows more than the {self.max_rows} that may wait",
                retry_after=max(1, math.ceil(wait)),
                hint="send fewer rows at once, or try again after Retry-After",
            )
