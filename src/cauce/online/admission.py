"""Who is let in: a request that cannot be answered in time is told so at once, not after it has waited."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from typing import Protocol

from cauce.errors import BodyTooLarge, Expired, NotReady, Overloaded
from cauce.text.threads import threads

MARGIN = 0.9  # of the time that is left: an estimate is no promise


class Queue(Protocol):
    """What waits for a model."""

    @property
    def backlog(self) -> float:
        """Seconds of work that waits or runs, on one thread."""
        ...

    @property
    def waiting(self) -> int:
        """Rows that no worker has yet."""
        ...


class Admission:
    """Lets a request in or refuses it whole.

    Args:
        queues: those of all models: they share the threads.
        max_rows: that may wait in all.

    """

    def __init__(self, queues: Iterable[Queue], max_rows: int) -> None:
        self._queues, self.max_rows = queues, max_rows
        self.draining = False

    @property
    def wait(self) -> float:
        """Seconds until work that comes now is begun."""
        return sum(queue.backlog for queue in self._queues) / threads()

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
        wait, left = self.wait, deadline - time.monotonic()
        if left <= 0:
            raise Expired("the request came too late to be answered in its time", hint="send it faster, or wait longer")
        if wait + seconds > MARGIN * left:
            raise Overloaded(
                f"{wait:.1f} s of work are waiting, the request takes {seconds:.2g} s and would be answered too late",
                retry_after=max(1, math.ceil(wait)),
                hint="send fewer rows at once, wait longer (X-Request-Timeout), or try again after Retry-After",
            )
        if rows + sum(queue.waiting for queue in self._queues) > self.max_rows:
            raise Overloaded(
                f"{rows} rows more than the {self.max_rows} that may wait",
                retry_after=max(1, math.ceil(wait)),
                hint="send fewer rows at once, or try again after Retry-After",
            )
