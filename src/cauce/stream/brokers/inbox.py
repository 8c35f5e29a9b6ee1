"""Messages that others sent us, until they are safe: some wait, some were given out, and their senders wait for an answer."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Sequence

from cauce.errors import NotReady, Overloaded

Message = tuple[bytes, float]  # and when it came, in seconds since 1970


class Inbox:
    """Senders put messages in, on an event loop; a worker takes them out and says which are done, on threads of its own.

    Messages have numbers from 0 on, in the order in which they came.

    Args:
        most: messages that may wait.

    Attributes:
        bytes: of those that wait.
        closed: nothing is taken any more.

    """

    def __init__(self, most: int) -> None:
        self.bytes = 0
        self.closed = False
        self._most = most
        self._waiting: deque[Message] = deque()
        self._given = 0
        self._senders: deque[tuple[int, asyncio.Future[None]]] = deque()  # each with the number behind its last message
        self._changed = threading.Condition()

    def put(self, messages: Sequence[bytes]) -> asyncio.Future[None]:
        """Add messages; the answer is there once they are done.

        Raises:
            Overloaded: too many wait.
            NotReady: it is closed.

        """
        safe = asyncio.get_running_loop().create_future()
        now = time.time()
        with self._changed:
            if self.closed:
                raise ending()
            if len(self._waiting) + len(messages) > self._most:
                raise full()
            self._waiting.extend((one, now) for one in messages)
            self.bytes += sum(map(len, messages))
            if messages:
                self._senders.append((self._given + len(self._waiting), safe))
            else:
                safe.set_result(None)
            self._changed.notify_all()
        return safe

    def take(self, most: int, room: int, wait: float) -> tuple[int, list[Message]]:
        """The number of the next message, and up to `most` of them, of about `room` bytes; waits for the first."""
        given: list[Message] = []
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self.closed, wait)
            first = self._given
            while self._waiting and len(given) < most and (not given or room > 0):
                message = self._waiting.popleft()
                given.append(message)
                room -= len(message[0])
                self.bytes -= len(message[0])
            self._given += len(given)
        return first, given

    def done(self, last: int) -> None:
        """All messages up to this number are safe: tell their senders."""
        safe: list[asyncio.Future[None]] = []
        with self._changed:
            while self._senders and self._senders[0][0] <= last + 1:
                safe.append(self._senders.popleft()[1])
        if safe:
            safe[0].get_loop().call_soon_threadsafe(_tell, safe)

    def close(self) -> None:
        """Take nothing any more, and tell all who wait to send it again. On the event loop."""
        with self._changed:
            self.closed = True
            left = [future for _, future in self._senders]
            self._senders.clear()
            self._waiting.clear()
            self._changed.notify_all()
        for one in left:
            one.set_exception(ending())


def full() -> Overloaded:
    """No room for more."""
    return Overloaded("more messages wait than may", retry_after=1.0, hint="send it again in a second, or start more workers")


def ending() -> NotReady:
    """A worker that ends."""
    return NotReady("this worker ends, and what was sent is not answered for sure", hint="send it again, to the next one")


def _tell(safe: Sequence[asyncio.Future[None]]) -> None:
    for one in safe:
        if not one.done():
            one.set_result(None)
