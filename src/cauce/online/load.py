"""Open-loop load on a server: requests are due at a fixed rate, whether or not earlier ones were answered.

The time of a request counts from when it was due, where it waited for a free connection too. So a server that stalls pays for
all that came meanwhile: nothing is left out because nobody asked (no coordinated omission).
"""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Any, cast
from urllib.parse import urlsplit

import httptools
import numpy as np
import orjson

from cauce.errors import InputError, Unavailable

PERCENTILES = (50, 90, 95, 99, 100)
REFUSED = (429, 503)
LOOK = 0.2  # seconds between two looks at whether to stop
PATH = "/v1/predict"
SAMPLES = (
    "Me encanta, llegó antes de tiempo",
    "La app se cierra sola desde la última actualización y nadie responde.",
    "¿A qué hora abre la sucursal del centro?",
    "Thanks, works as promised!",
    "Brilliant, it logged me out again 🙄",
    "I have been waiting for my parcel for three weeks. Support says that it will be here tomorrow, and it never is.",
    "no",
    "Ni fu ni fa: el precio está bien, la calidad es la que se puede esperar por ese dinero.",
)


@dataclass(frozen=True, kw_only=True)
class Load:
    """What is asked of a server.

    Attributes:
        rate: requests a second.
        seconds: for which requests become due.
        connections: that may be open at once; a request that is due while all are busy waits for one.
        timeout: seconds, from when it was due, after which nobody waits for the answer.

    """

    rate: float
    seconds: float
    connections: int
    timeout: float


@dataclass
class Measured:
    """What came of it; times in seconds.

    Attributes:
        due: how many requests were.
        answered, refused: times of the requests that got an answer, or were told to come again (429, 503).
        failed: how many others, by what happened.
        late: how late this side itself was, for each request: what a busy machine adds.
        elapsed: from the first request to the last answer.

    """

    load: Load
    due: int = 0
    answered: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)
    late: list[float] = field(default_factory=list)
    elapsed: float = 0.0

    @property
    def goodput(self) -> float:
        """Answers a second."""
        return len(self.answered) / self.elapsed if self.elapsed else 0.0

    def as_dict(self) -> dict[str, Any]:
        """The report, times in milliseconds."""
        return {
            "rate": self.load.rate,
            "seconds": self.load.seconds,
            "connections": self.load.connections,
            "timeout": self.load.timeout,
            "sent": self.due,
            "answered": len(self.answered),
            "refused": len(self.refused),
            "failed": self.failed.total(),
            "failures": dict(self.failed),
            "elapsed": round(self.elapsed, 3),
            "goodput": round(self.goodput, 2),
            "answered_ms": milliseconds(self.answered),
            "refused_ms": milliseconds(self.refused),
            "late_ms": milliseconds(self.late),
        }


def milliseconds(seconds: Sequence[float], percentiles: Sequence[float] = PERCENTILES) -> dict[str, float]:
    """Percentiles by name, each a time that was seen; empty where there is none."""
    if not seconds:
        return {}
    found = 1e3 * np.percentile(np.array(seconds), percentiles, method="inverted_cdf")
    names = ("max" if one == 100 else f"p{one:g}" for one in percentiles)
    return {name: round(float(value), 3) for name, value in zip(names, found, strict=True)}


def run(
    url: str,
    texts: Sequence[str],
    load: Load,
    *,
    token: str | None = None,
    stop: Event,
    progress: Callable[[Measured, float], None] = lambda measured, seconds: None,
) -> Measured:
    """Put a server under load and measure.

    Args:
        url: with the path of `/v1/predict` where it has none.
        texts: sent in turn.
        stop: once it is set no more requests become due; those on their way are waited for.
        progress: called now and then, with the seconds that went by.

    Raises:
        InputError: the address is none, or the server does not take such a request.
        Unavailable: no server answers.

    """
    return asyncio.run(_Run(url, texts, load, token, stop, progress).measure())


class _Connection(asyncio.Protocol):
    """A connection that stays open: one request at a time."""

    def __init__(self) -> None:
        self.open = False
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Status and body of the answer.

        Raises:
            ConnectionError: it was closed, or what came is not HTTP.

        """
        self._answer, self._body = asyncio.get_running_loop().create_future(), b""
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        """Let go of it."""
        self.open = False
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)  # uvloop's are none by their class
        self._transport, self._parser, self.open = transport, httptools.HttpResponseParser(self), True

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.close()

    def on_body(self, body: bytes) -> None:
        """Called by the parser."""
        self._body += body

    def on_message_complete(self) -> None:
        """Called by the parser."""
        self.open = self._parser.should_keep_alive()
        if self._answer and not self._answer.done():
            self._answer.set_result((self._parser.get_status_code(), self._body))

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        if self._answer and not self._answer.done():
            self._answer.set_exception(ConnectionError("the connection was closed"))


class _Run:
    """One measurement."""

    def __init__(
        self,
        url: str,
        texts: Sequence[str],
        load: Load,
        token: str | None,
        stop: Event,
        progress: Callable[[Measured, float], None],
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(f'"{url}" is no address of a server', hint="write it as http://127.0.0.1:8000")
        self._host, self._port = parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        path = (parts.path if parts.path.strip("/") else PATH) + (f"?{parts.query}" if parts.query else "")
        self._head = (
            f"POST {path} HTTP/1.1\r\nHost: {parts.netloc.rpartition('@')[2]}\r\nContent-Type: application/json\r\n"
            + (f"Authorization: Bearer {token}\r\n" if token else "")
        ).encode()
        self._bodies = [orjson.dumps({"text": text}) for text in texts]
        self._load, self._stop, self._progress = load, stop, progress
        self._measured = Measured(load)
        self._queue: asyncio.Queue[tuple[float, bytes] | None] = asyncio.Queue()

    async def measure(self) -> Measured:
        """All of it."""
        await self._try()
        start = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as group:
            for _ in range(self._load.connections):
                group.create_task(self._send())
            await self._schedule(start)
            for _ in range(self._load.connections):
                self._queue.put_nowait(None)
        self._measured.elapsed = max(self._measured.elapsed - start, self._measured.due / self._load.rate)
        return self._measured

    async def _try(self) -> None:
        """One request beforehand: a load of requests that are wrong would measure nothing."""
        try:
            async with asyncio.timeout(self._load.timeout):
                connection = await self._connect()
                status, body = await connection.ask(self._request(self._bodies[0], self._load.timeout))
                connection.close()
        except OSError as error:  # TimeoutError is one
            raise Unavailable(
                f"no server answers at {self._host}:{self._port}: {str(error) or 'it takes too long'}",
                hint="check the address, and whether the server runs",
            ) from None
        if status >= 300 and status not in REFUSED:
            raise InputError(
                f"the server answers {status}: {body[:300].decode(errors='replace')}",
                hint="give the whole address, as http://127.0.0.1:8000/v1/models/NAME/predict",
            )

    async def _schedule(self, start: float) -> None:
        """Let requests become due."""
        loop, told = asyncio.get_running_loop(), start
        for number in range(max(1, round(self._load.rate * self._load.seconds))):
            due = start + number / self._load.rate
            await asyncio.sleep(0)  # where this side is late the answers are read nevertheless
            while (ahead := due - loop.time()) > 0 and not self._stop.is_set():
                await asyncio.sleep(min(ahead, LOOK))
            if self._stop.is_set():
                return
            now = loop.time()
            self._measured.due += 1
            self._measured.late.append(now - due)
            self._queue.put_nowait((due, self._bodies[number % len(self._bodies)]))
            if now - told > LOOK:
                told = now
                self._progress(self._measured, now - start)

    async def _send(self) -> None:
        """What one connection does: take the next request that is due, and wait for its answer."""
        loop, measured, connection = asyncio.get_running_loop(), self._measured, None
        while (taken := await self._queue.get()) is not None:
            due, body = taken
            try:
                if loop.time() >= due + self._load.timeout:
                    raise TimeoutError  # while it waited for a connection
                async with asyncio.timeout_at(due + self._load.timeout):
                    if connection is None or not connection.open:
                        connection = await self._connect()
                    status, _ = await connection.ask(self._request(body, due + self._load.timeout - loop.time()))
            except OSError as error:
                measured.failed["timeout" if isinstance(error, TimeoutError) else "connection"] += 1
                if connection is not None:
                    connection.close()
                    connection = None
            else:
                measured.elapsed = loop.time()
                if status < 300:
                    measured.answered.append(measured.elapsed - due)
                elif status in REFUSED:
                    measured.refused.append(measured.elapsed - due)
                else:
                    measured.failed[f"status {status}"] += 1
        if connection is not None:
            connection.close()

    async def _connect(self) -> _Connection:
        _, connection = await asyncio.get_running_loop().create_connection(_Connection, self._host, self._port, ssl=self._tls)
        return connection

    def _request(self, body: bytes, left: float) -> bytes:
        told = b"X-Request-Timeout: %.3f\r\nContent-Length: %d\r\n\r\n" % (max(left, 0.001), len(body))
        return self._head + told + body
