"""An HTTP connection within bounds: on what is of no body, on the time without a request, on how many there are.

uvicorn bounds none of them: half a request would hold a connection for ever, and headers without end would fill the memory.
"""

from __future__ import annotations

import asyncio
import math
from functools import cache

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD = 65_536  # bytes before a body, or after it: a request line and headers, trailers
PATIENCE = 10.0  # seconds from a connection's begin, or its last answer, to the end of the next request's head
FILES = 64  # descriptors that connections leave to others: a version that is promoted has files to read


class Connection(HttpToolsProtocol):
    """uvicorn's connection, within bounds. A request costs no timer: a connection has one."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, where there is room for one more."""
        super().connection_made(transport)
        self._outside = 0  # bytes in a row that were of no body
        self._refused = False
        self._free = self.loop.time()  # since when no request is here
        self._timer = self.loop.call_later(PATIENCE, self._look)
        if len(self.connections) > most_connections():
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless what comes is no part of a body and does not end."""
        if self._refused:
            return
        self._outside += len(data)
        super().data_received(data)
        if self._outside > MOST_HEAD and not self._refused:
            self._refuse()

    def on_headers_complete(self) -> None:
        """Begin a request. Its head may have come at one go, and the body with it."""
        if self._outside > MOST_HEAD and len(self.url) + sum(len(name + value) + 4 for name, value in self.headers) > MOST_HEAD:
            self._refuse()
            raise ValueError("the head is too large")  # ends the parsing
        self._outside = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of a body: the application has bounds for it."""
        self._outside = 0
        super().on_body(body)

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self._free = self.loop.time()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Of what is no request."""
        if not self._refused:
            self._refused = True
            super().send_400_response(msg)

    def answer_large_head(self) -> None:
        """Say why the connection is closed, where there is a form for it."""
        self.transport.close()

    @property
    def _busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _refuse(self) -> None:
        """Read no more of it. Who still waits for another answer would take a reason for it: that one is only left."""
        self._refused = True
        if self._busy:
            self.transport.close()
        else:
            self.answer_large_head()

    def _look(self) -> None:
        """Close a connection that has been without a request for too long."""
        left = PATIENCE if self._busy else self._free + PATIENCE - self.loop.time()
        if left > 0:
            self._timer = self.loop.call_later(left, self._look)
        else:
            self.transport.close()


@cache
def most_connections() -> float:
    """How many may be open at a time, of what the process may open."""
    try:
        import resource
    except ImportError:  # not on every system
        return math.inf
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return math.inf if descriptors == resource.RLIM_INFINITY else descriptors - FILES
