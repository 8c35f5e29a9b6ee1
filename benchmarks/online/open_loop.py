"""Open-loop load: requests are due at a fixed rate, whether or not earlier ones were answered.

`cauce bench` does this for people, with a timer for each request and room for every kind of server. This load shares the
processors with the server and comes at ten times what that can do, so it has to be cheap: the requests are ready-made, and a
look at the clock every millisecond sends those that are due.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import httptools
import uvloop
from servers import PORT

LOST = 0  # in place of a status


class Answer(NamedTuple):
    """What came of a request.

    Attributes:
        status: `LOST` where the connection broke, or none was free while somebody waited.
        took: seconds from when the request was due.
        at: seconds from the begin of the load.

    """

    status: int
    took: float
    at: float


def run(requests: Sequence[bytes], rate: float, seconds: float, *, patience: float, connections: int) -> list[Answer]:
    """Send requests in turn over connections that stay open. Somebody waits for each of them for `patience` seconds."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_Load(requests, rate, seconds, patience, connections).run())


class _Load:
    """One run."""

    def __init__(self, requests: Sequence[bytes], rate: float, seconds: float, patience: float, connections: int) -> None:
        self._requests, self._rate, self._patience, self._connections = requests, rate, patience, connections
        self._count = round(rate * seconds)
        self._answers: list[Answer] = []
        self.free: deque[_Connection] = deque()

    async def run(self) -> list[Answer]:
        """All of it."""
        self._loop = asyncio.get_running_loop()
        for _ in range(self._connections):
            await self._connect()
        self._start, sent = self._loop.time(), 0
        while sent < self._count:
            sent = self._send(sent)
            await asyncio.sleep(0.001)
        end = self._loop.time() + 2 * self._patience
        while len(self._answers) < sent and self._loop.time() < end:
            await asyncio.sleep(0.01)
        return self._answers + [Answer(LOST, self._patience, end - self._start)] * (sent - len(self._answers))

    def _send(self, number: int) -> int:
        """Send what is due, from this number on, while a connection is free; the number of the next."""
        now = self._loop.time()
        while number < self._count and (due := self._start + number / self._rate) <= now:
            if now - due > self._patience:
                self.seen(LOST, due)
            elif self.free:
                self.free.popleft().ask(self._requests[number % len(self._requests)], due)
            else:
                break
            number += 1
        return number

    def seen(self, status: int, due: float) -> None:
        """A request came to its end."""
        now = self._loop.time()
        self._answers.append(Answer(status, now - due, now - self._start))

    def closed(self, connection: _Connection) -> None:
        """Another takes its place."""
        if connection in self.free:
            self.free.remove(connection)
        self._loop.create_task(self._connect())

    async def _connect(self) -> None:
        _, connection = await self._loop.create_connection(lambda: _Connection(self), "127.0.0.1", PORT)
        self.free.append(connection)


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, load: _Load) -> None:
        self._load = load
        self._due: float | None = None

    def ask(self, request: bytes, due: float) -> None:
        """Send it."""
        self._due = due
        self._transport.write(request)

    def connection_made(self, transport: Any) -> None:
        self._transport, self._parser = transport, httptools.HttpResponseParser(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        self._end(self._parser.get_status_code())
        self._load.free.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(LOST)
        self._load.closed(self)

    def _end(self, status: int) -> None:
        if self._due is not None:
            self._load.seen(status, self._due)
            self._due = None
