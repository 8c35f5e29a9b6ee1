"""The ASGI application in front: addresses that matter for speed are answered here, all others by the app behind it.

It reads the body within its bounds, gives each request an id and a deadline, lets go of what nobody waits for, and turns every
error into the shape that the address's clients read.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl

from cauce.errors import BodyTooLarge, CauceError, Expired, InputError, WrongBody, WrongMediaType
from cauce.online.metrics import Metrics
from cauce.online.plane import Plane
from cauce.online.request import Request, Response
from cauce.online.routes import Route, Table

log = logging.getLogger("cauce.online")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

PATIENT = 0.05  # seconds of waiting work from which on it is worth to see whether the sender is still there
SLOW = 10.0  # seconds in which a body has to come
READ_ON = 10  # times the largest body: up to here a larger one is read to its end, and forgotten
LONGEST_ID = 128
GONE = 499  # the status in our counts of a request whose sender has gone


class Front:
    """The application.

    Args:
        app: what answers the addresses that are not in the table.
        max_body: bytes of a body, unpacked.
        timeout: seconds that a request waits, and the most that it may ask for.

    """

    def __init__(self, plane: Plane, table: Table, app: App, metrics: Metrics, *, max_body: int, timeout: float) -> None:
        self._plane, self._table, self._app, self._metrics = plane, table, app, metrics
        self._max_body, self._timeout = max_body, timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method, path = scope["method"], scope["path"]
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        wanted = headers.get("x-request-id") or headers.get("x-amzn-trace-id")
        request_id = wanted[:LONGEST_ID] if wanted and wanted.isascii() and wanted.isprintable() else uuid.uuid4().hex
        route: Route | None = None
        try:
            if (found := self._table.find(method, path)) is None:
                await self._app(scope, receive, send)
                return
            route, parameters = found
            arrived = time.monotonic()
            deadline = arrived + _patience(headers, self._timeout)
            body = await self._body(headers, receive)
            query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
            request = Request(method, path, headers, body, arrived, deadline, request_id, query)
            response = await self._handled(route, request, parameters, receive)
            if response is None:
                self._metrics.requests.labels(route.path, GONE).inc()
                return
            self._metrics.total.observe(time.monotonic() - arrived)
        except CauceError as error:
            response = self._refused(path, route, error, request_id)
        except Exception as error:
            log.exception("a request failed: %s", request_id)
            wrong = CauceError(f"{type(error).__name__}", hint="this is a fault of Cauce; the server's log says more")
            response = self._refused(path, route, wrong, request_id)
        self._metrics.requests.labels(route.path if route else "", response.status).inc()
        await _answer(send, response, request_id)

    async def _handled(self, route: Route, request: Request, parameters: dict[str, str], receive: Receive) -> Response | None:
        """The response; None where the sender has gone: its work is cancelled, so that it is not computed."""
        if self._plane.admission.wait < PATIENT:
            return await route.handler(request, **parameters)
        work = asyncio.ensure_future(route.handler(request, **parameters))
        gone = asyncio.ensure_future(_until_gone(receive))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                return work.result()
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work
            return None
        finally:
            gone.cancel()

    def _refused(self, path: str, route: Route | None, error: CauceError, request_id: str) -> Response:
        from cauce.online.protocols.native import problem

        self._metrics.rejected.labels(error.code).inc()
        envelope = route.envelope if route else self._table.envelope(path) or problem
        return envelope(error, request_id)

    async def _body(self, headers: dict[str, str], receive: Receive) -> bytes:
        """The whole body, unpacked.

        Raises:
            BodyTooLarge, WrongBody, WrongMediaType
            Expired: it came too slowly.

        """
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > self._max_body:
            await self._discard(int(length), receive)
            raise self._too_large()
        message = await receive() if length else {"type": "http.request", "body": b"", "more_body": True}
        if message.get("more_body"):
            message = await self._rest(message, receive)
        if message["type"] == "http.disconnect":
            raise WrongBody("the body ended early", hint="send it whole")
        body: bytes = message.get("body", b"")  # type: ignore[assignment]
        kind = headers.get("content-encoding", "identity").lower()
        return body if kind == "identity" else self._unpacked(body, kind)

    async def _rest(self, message: MutableMapping[str, Any], receive: Receive) -> MutableMapping[str, Any]:
        """The message with the whole body, or the one that says that its sender has gone."""
        parts, size = [message.get("body", b"")], len(message.get("body", b""))
        try:
            async with asyncio.timeout(SLOW):
                while message.get("more_body"):
                    message = await receive()
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    if size > self._max_body:
                        raise self._too_large()
        except TimeoutError:
            raise Expired(f"the body did not come within {SLOW:g} s", hint="send it faster, or in parts") from None
        return {**message, "body": b"".join(parts)}

    async def _discard(self, length: int, receive: Receive) -> None:
        """Let a body that is too large pass: a client that is still sending would not read the answer."""
        with suppress(TimeoutError):
            async with asyncio.timeout(SLOW):
                while length < READ_ON * self._max_body and (await receive()).get("more_body"):
                    pass

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
        if not engine.eof:
            raise WrongBody(f"the {kind} body ends early", hint="send it whole")
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


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _answer(send: Send, response: Response, request_id: str) -> None:
    headers = [
        (b"content-type", response.media_type.encode()),
        (b"content-length", str(len(response.body)).encode()),
        (b"x-request-id", request_id.encode()),
        *((name.encode(), value.encode()) for name, value in response.headers),
    ]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
