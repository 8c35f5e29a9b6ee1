"""The ASGI application that takes messages by POST. It answers 200 once they are safe: their results are written."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from hashlib import sha256
from hmac import compare_digest
from typing import Any

import orjson

from cauce.errors import (
    AccessDenied,
    BodyTooLarge,
    CauceError,
    Expired,
    NotReady,
    Overloaded,
    UnknownRoute,
    WrongMediaType,
    WrongMethod,
)
from cauce.stream.brokers.bodies import kind_of, messages_of
from cauce.stream.brokers.inbox import Inbox, ending, full

Asgi = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Asgi]]
Send = Callable[[Asgi], Awaitable[None]]

SLOW = 30.0  # seconds in which a body has to come
READ_ON = 4  # times the largest body: up to here a body that is refused is read, and forgotten


class Unauthorized(AccessDenied):
    """The token is missing or wrong."""

    http_status = 401


class Receiver:
    """The application.

    Args:
        path: where messages are taken.
        token: what a sender has to know; None: nothing.
        most_bytes: of a body, and of all that is being received and that waits.
        most: messages of a body.

    """

    def __init__(self, path: str, inbox: Inbox, token: str | None, *, most_bytes: int, most: int) -> None:
        self._path, self._inbox, self._most_bytes, self._most = path, inbox, most_bytes, most
        self._token = None if token is None else sha256(token.encode()).digest()
        self._receiving = 0  # bytes
        self._patience: set[asyncio.Timeout] = set()  # one for each body that is being received

    async def __call__(self, scope: Asgi, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["path"] == "/health" and scope["method"] in ("GET", "HEAD"):
            await _answer(send, 200, {"status": "ok"})
            return
        try:
            taken = await self._take(scope, receive)
        except _Gone:
            return
        except CauceError as error:
            again = [(b"retry-after", b"1")] if isinstance(error, Overloaded | NotReady) else []
            who = [(b"www-authenticate", b"Bearer")] if isinstance(error, Unauthorized) else []
            told = {"status": error.http_status, "title": error.message, **error.as_dict()}
            await _answer(send, error.http_status, told, *again, *who, kind=b"application/problem+json")
            return
        await _answer(send, 200, {"taken": taken})

    def close(self) -> None:
        """Refuse what comes, and what is not safe by now."""
        self._inbox.close()
        for one in self._patience:
            one.reschedule(0)

    async def _take(self, scope: Asgi, receive: Receive) -> int:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        body = await self._body(receive, self._refusal(scope, headers))
        messages = messages_of(body, kind_of(headers.get("content-type", "")), self._most)
        await self._inbox.put(messages)
        return len(messages)

    def _refusal(self, scope: Asgi, headers: dict[str, str]) -> CauceError | None:
        """What is wrong with a request before its body is looked at."""
        if self._token is not None:
            kind, _, given = headers.get("authorization", "").partition(" ")
            if not compare_digest(sha256(given.strip().encode("latin-1")).digest(), self._token) or kind.lower() != "bearer":
                return Unauthorized("the token is missing or wrong", hint="send it: Authorization: Bearer TOKEN")
        elif "origin" in headers:
            return AccessDenied("a web page may not send messages here", hint="set a token, and send from a program")
        if scope["path"] != self._path:
            return UnknownRoute("nothing is taken at this address", hint=f"send to {self._path}")
        if scope["method"] != "POST":
            return WrongMethod(f"messages are not taken by {scope['method'][:20]}", hint="send them by POST")
        if headers.get("content-encoding", "identity").lower() != "identity":
            return WrongMediaType("the body is packed", hint="send it as it is")
        return None

    async def _body(self, receive: Receive, refusal: CauceError | None) -> bytes:
        """The body. One that is refused is read on for a while: a client that is still sending would not read the answer.

        Raises:
            the refusal
            BodyTooLarge, Overloaded: there is no room for it.
            Expired: it came too slowly.
            NotReady: the server ends.
            _Gone

        """
        body, size, more = bytearray(), 0, True
        patience = asyncio.timeout(SLOW)
        self._patience.add(patience)
        try:
            async with patience:
                while more and size <= READ_ON * self._most_bytes:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _Gone
                    part, more = message["body"], message["more_body"]
                    size += len(part)
                    refusal = refusal or self._no_room(size, len(part))
                    if refusal is None:
                        body += part
                        self._receiving += len(part)
                    else:
                        self._receiving -= len(body)
                        body.clear()
        except TimeoutError:
            raise ending() if self._inbox.closed else Expired(f"the body did not come within {SLOW:g} s") from None
        finally:
            self._patience.discard(patience)
            self._receiving -= len(body)
        if refusal is not None:
            raise refusal
        return bytes(body)

    def _no_room(self, size: int, more: int) -> CauceError | None:
        if size > self._most_bytes:
            return BodyTooLarge(f"the body is larger than {self._most_bytes} bytes", hint="send fewer messages at once")
        return full() if self._inbox.bytes + self._receiving + more > self._most_bytes else None


class _Gone(Exception):  # noqa: N818  (it is no error)
    """The sender has gone: nobody reads an answer."""


async def _answer(
    send: Send, status: int, told: dict[str, Any], *headers: tuple[bytes, bytes], kind: bytes = b"application/json"
) -> None:
    body = orjson.dumps(told)
    fixed = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*fixed, *headers]})
    await send({"type": "http.response.body", "body": body})
