"""The ASGI application in front: addresses that matter for speed are answered here, all others by the app behind it.

It reads the body within its bounds, gives each request an id and a deadline, lets go of what nobody waits for, and turns every
error into the shape that the address's clients read.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
import uuid
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl

from cauce.errors import BodyTooLarge, CauceError, Expired, InputError, WrongBody, WrongMediaType
from cauce.online.admission import Admission
from cauce.online.metrics import Metrics
from cauce.online.protocols.native import problem
from cauce.online.request import Request, Response
from cauce.online.routes import Route, Table

log = logging.getLogger("cauce.online")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

PATIENT = 0.05  # seconds after which it is worth to see whether the sender is still there
SLOW = 10.0  # seconds in which a body has to come
READ_ON = 10  # times the largest body: up to here a larger one is read to its end, and forgotten
LONGEST_ID = 128
GONE = 499  # the status in our counts of a request whose sender has gone


class Front:
    """The application.

    Args:
        app: what answers the addresses that are not in the table.
        admission: refuses who would be answered too late.
        max_body: bytes of a body, unpacked.
        timeout: seconds that a request waits, and the most that it may ask for.
        access_log: whether each request is logged.

    """

    def __init__(
        self,
        table: Table,
        app: App,
        admission: Admission,
        metrics: Metrics,
        *,
        max_body: int,
        timeout: float,
        access_log: bool = False,
    ) -> None:
        self._table, self._app, self._admission, self._metrics = table, app, admission, metrics
        self._max_body, self._timeout, self._access_log = max_body, timeout, access_log
        self._id, self._count = uuid.uuid4().hex[:20], itertools.count()

    def _next_id(self) -> str:
        """One that no other request has: a random number of this server's, and the count."""
        return f"{self._id}{next(self._count):012x}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method, path = scope["method"], scope["path"]
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        wanted = headers.get("x-request-id") or headers.get("x-amzn-trace-id")
        request_id = wanted[:LONGEST_ID] if wanted and wanted.isascii() and wanted.isprintable() else self._next_id()
        route: Route | None = None
        arrived = time.monotonic()
        self._metrics.in_flight += 1
        try:
            if (found := self._table.find(method, path)) is None:
                await self._behind(scope, receive, send, request_id)
                return
            route, parameters = found
            deadline = arrived + _patience(headers, self._timeout)
            async with _Sender(receive, min(arrived + SLOW, deadline)) as sender:
                body = await self._body(headers, sender)
                if method == "POST":
                    self._admission.admit(0, 0.0, deadline)  # who would be too late with any rows is told before they are read
                query = dict(parse_qsl(scope["query_string"].decode("latin-1"))) if scope["query_string"] else {}
                request = Request(method, path, headers, body, arrived, deadline, request_id, query)
                response = await route.handler(request, **parameters)
        except _Gone:
            self._seen(method, route, GONE, request_id, arrived)
            return
        except CauceError as error:
            response = self._refused(route, error, request_id)
        except Exception as error:
            log.exception("a request failed", extra={"request_id": request_id})
            wrong = CauceError(f"{type(error).__name__}", hint="this is a fault of Cauce; the server's log says more")
            response = self._refused(route, wrong, request_id)
        finally:
            self._metrics.in_flight -= 1
        self._seen(method, route, response.status, request_id, arrived)
        await _answer(send, response, request_id)

    async def _behind(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        """What is asked rarely: counted and logged without its path, which may be anything."""
        arrived = time.monotonic()

        async def told(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
                self._seen(scope["method"], scope.get("route"), message["status"], request_id, arrived)
            await send(message)

        await self._app(scope, receive, told)

    def _seen(self, method: str, route: Any, status: int, request_id: str, arrived: float) -> None:
        path, seconds = getattr(route, "path", ""), time.monotonic() - arrived
        self._metrics.ended(path, status, seconds)
        if self._access_log:
            told = {"method": method, "path": path, "status": status, "ms": round(1e3 * seconds, 2)}
            log.info("request", extra={**told, "request_id": request_id})

    def _refused(self, route: Route | None, error: CauceError, request_id: str) -> Response:
        self._metrics.rejected(error.code)
        return (route.envelope if route else problem)(error, request_id)

    async def _body(self, headers: dict[str, str], sender: _Sender) -> bytes:
        """The whole body, unpacked.

        One that is too large is read on for a while and forgotten: a client that is still sending would not read the answer.

        Raises:
            BodyTooLarge, WrongBody, WrongMediaType
            _Gone

        """
        length, most = headers.get("content-length", ""), READ_ON * self._max_body
        if length.isdigit() and int(length) > most:
            raise self._too_large()
        parts: list[bytes] = []
        size, more = 0, True
        while more and size <= most:
            message = await sender.receive()
            if message["type"] == "http.disconnect":
                raise _Gone
            size += len(message.get("body", b""))
            more = message.get("more_body", False)
            if size <= self._max_body:
                parts.append(message.get("body", b""))
        sender.sent = True
        if size > self._max_body:
            raise self._too_large()
        kind = headers.get("content-encoding", "identity").lower()
        return b"".join(parts) if kind == "identity" else self._unpacked(b"".join(parts), kind)

    def _unpacked(self, body: bytes, kind: str) -> bytes:
        windows = {"gzip": 31, "deflate": 15}
        if kind not in windows:
            raise WrongMediaType(f"the body is packed as {kind[:40]}", hint="send it as it is, or as gzip or deflate")
        engine = zlib.decompressobj(windows[kind])
        try:
            unpacked = engine.decompress(body, self._max_body + 1)
        except zlib.error:
            raise WrongBody(f"the body is not {kind}", hint="send it as it is") from None
        if len(unpacked) > self._max_body:
            raise self._too_large()
        if not engine.eof or engine.unused_data:
            raise WrongBody(f"the body is not one whole {kind} stream", hint="send it whole, and nothing after it")
        return unpacked

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"the body is larger than {self._max_body} bytes", hint="send fewer rows at once")


def _patience(headers: dict[str, str], most: float) -> float:
    """Seconds that the sender waits."""
    given = headers.get("x-request-timeout")
    if given is None:
        return most
    try:
        seconds = float(given)
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        raise InputError(f'X-Request-Timeout is "{given[:40]}"', hint="give seconds, as 2.5")
    return min(seconds, most)


class _Gone(Exception):  # noqa: N818  (it is no error)
    """The sender has gone: nobody reads an answer."""


class _Sender:
    """Who sent the request that is answered within: whoever is too slow with it, or has gone before the answer, is given up.

    Nothing is computed for nobody. One timer does both, and it looks after a while only: most answers are quicker than a look.

    Args:
        slow: when a body that is not here is too late, of the monotonic clock.

    Attributes:
        sent: whether the body is here.

    Raises:
        Expired: the body came too slowly.
        _Gone

    """

    def __init__(self, receive: Receive, slow: float) -> None:
        self.receive, self.sent, self._slow = receive, False, slow
        self._watch: asyncio.Task[None] | None = None
        self._reason: Exception | None = None

    async def __aenter__(self) -> _Sender:
        self._began, self._loop, self._task = time.monotonic(), asyncio.get_running_loop(), asyncio.current_task()
        self._timer = self._loop.call_later(min(PATIENT, self._slow - self._began), self._look)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._timer.cancel()
        if self._watch is not None:
            self._watch.cancel()
        if self._reason and kind is asyncio.CancelledError and self._task is not None and not self._task.uncancel():
            raise self._reason from None

    def _look(self) -> None:
        now = time.monotonic()
        if self.sent:
            self._watch = self._loop.create_task(self._until_gone())
        elif now < self._slow:
            self._timer = self._loop.call_later(min(PATIENT, self._slow - now), self._look)
        else:
            late = f"the body did not come within {now - self._began:.3g} s"
            self._give_up(Expired(late, hint="send it faster, or in parts"))

    async def _until_gone(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass
        self._give_up(_Gone())

    def _give_up(self, reason: Exception) -> None:
        self._reason = reason
        if self._task is not None:
            self._task.cancel()


async def _answer(send: Send, response: Response, request_id: str) -> None:
    headers = [
        (b"content-type", response.media_type.encode()),
        (b"content-length", str(len(response.body)).encode()),
        (b"x-request-id", request_id.encode()),
        *((name.encode(), value.encode()) for name, value in response.headers),
    ]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
