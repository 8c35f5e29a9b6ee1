"""A connection over HTTP within bounds: how many there are, how much comes outside of bodies, how long there may be no request.

uvicorn bounds none of them: half a request would hold a connection for ever, and headers without end would fill the memory.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST = 512  # connections at a time
HEAD = 1 << 16  # bytes in a row that belong to no body: a request line and headers, trailers
PATIENCE = 10.0  # seconds from a connection's begin, or its last answer, to the end of the next request's head


class Connection(HttpToolsProtocol):
    """uvicorn's connection. A request costs no timer: a connection has one."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, where there is room for one more."""
        super().connection_made(transport)
        self._outside = 0  # bytes in a row that belonged to no body
        self._free = self.loop.time()  # since when no request is here
        self._timer = self.loop.call_later(PATIENCE, self._look)
        if len(self.connections) > MOST:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless what comes is no part of a body and does not end."""
        self._outside += len(data)
        super().data_received(data)
        if self._outside > HEAD:
            self.transport.close()

    def on_headers_complete(self) -> None:
        """Begin a request."""
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

    def _look(self) -> None:
        """Close a connection that has been without a request for too long."""
        busy = self.cycle is not None and not self.cycle.response_complete
        left = PATIENCE if busy else self._free + PATIENCE - self.loop.time()
        if left > 0:
            self._timer = self.loop.call_later(left, self._look)
        else:
            self.transport.close()
