"""A connection has bounds: on what is of no body, on the time before a request, on how many there are."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import pytest
import uvicorn

from cauce import connection
from cauce.connection import MOST_HEAD
from cauce.online.connection import Connection

PATIENCE = 1.0
GET = b"GET / HTTP/1.1\r\nHost: x\r\n"
SLOW = GET.replace(b"/", b"/slow", 1)
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """The length of the body; at `/slow` it takes longer than a head may."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message["body"]), message["more_body"]
    if scope["path"] == "/slow":
        await asyncio.sleep(1.5 * PATIENCE)
    told = b"%d" % size
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(told))]})
    await send({"type": "http.response.body", "body": told})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Of a server."""
    server = uvicorn.Server(uvicorn.Config(answer, http=Connection, lifespan="off", log_config=None))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join()


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> float:
    """Seconds that a head may take: few."""
    monkeypatch.setattr(connection, "PATIENCE", PATIENCE)
    return PATIENCE


def connected(port: int) -> closing[socket.socket]:
    return closing(socket.create_connection(("127.0.0.1", port), timeout=10))


def answered(sock: socket.socket, count: int) -> None:
    """As many requests."""
    found = b""
    while found.count(b"200 OK") < count:
        part = sock.recv(1 << 16)
        assert part, found[-1000:]
        found += part


def head(size: int, header: int = 1000) -> bytes:
    """A head of about so many bytes, in headers of so many."""
    return GET + (b"A: " + b"x" * (header - 5) + b"\r\n") * (size // header) + b"\r\n"


@pytest.mark.parametrize("header", [6, 1000, 60_000])
def test_a_large_head_is_read_and_one_too_large_refused_however_it_comes(port: int, header: int) -> None:
    for pieces in (1, 7):
        for size, status in ((MOST_HEAD - 1000, b"200"), (2 * MOST_HEAD, b"431"), (40 * MOST_HEAD, b"431")):
            with connected(port) as sock:
                whole = head(size, header)
                step = len(whole) // pieces + 1
                for start in range(0, len(whole), step):
                    sock.sendall(whole[start : start + step])
                    time.sleep(0.01)
                found = sock.recv(1000)
                assert found.split()[1] == status, (pieces, size)
                assert status == b"200" or b'"code":"head_too_large"' in found


@pytest.mark.parametrize("begun", [b"", b"GET /", GET + b"A", GET + b"A: ", GET, CHUNKED + b"0\r\n", CHUNKED + b"1;"])
def test_what_is_of_no_body_and_does_not_end_is_not_kept(port: int, begun: bytes) -> None:
    """It is refused; where another answer is due, only left."""
    more = b"a" if begun and not begun.endswith(b"\n") else b"A: b\r\n" if begun else b"\r\n"
    with connected(port) as sock:
        sock.sendall(begun)
        try:
            sock.sendall(more * 10 * MOST_HEAD)
            found = sock.recv(1000)
        except ConnectionError:
            found = b""
        assert found[:12] == (b"" if CHUNKED in begun else b"HTTP/1.1 431")


def test_bodies_are_not_bound_by_it(port: int) -> None:
    large = b"x" * (4 * MOST_HEAD)
    with connected(port) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(large) + large)
        assert sock.recv(1000).endswith(b"%d" % len(large))
        sock.sendall(CHUNKED + b"1\r\nx\r\n" * MOST_HEAD + b"0\r\n\r\n")
        assert sock.recv(1000).endswith(b"%d" % MOST_HEAD)
        many = MOST_HEAD // len(GET) * 2
        sock.sendall((GET + b"\r\n") * many)
        answered(sock, many)


@pytest.mark.parametrize(
    ("first", "drop"),
    [(b"", b""), (GET, b""), (GET, b"x"), (b"", b"\r\n"), (GET + b"\r\n" + GET, b""), (GET + b"\r\n" + GET, b"x")],
)
def test_a_request_that_does_not_begin_in_time_ends_its_connection(
    port: int, patience: float, first: bytes, drop: bytes
) -> None:
    """Nothing comes, half a head, or one in drops."""
    with connected(port) as sock:
        began = time.monotonic()
        sock.sendall(first)
        sock.settimeout(patience / 20)
        with suppress(ConnectionError):
            while time.monotonic() < began + 4 * patience:
                with suppress(TimeoutError):
                    sock.sendall(drop)
                    if not sock.recv(1000):
                        break
        assert 0.9 * patience < time.monotonic() - began < 4 * patience


def test_an_answer_may_take_longer_than_a_head_and_the_next_request_has_its_own_time(port: int, patience: float) -> None:
    with connected(port) as sock:
        sock.sendall(GET + b"\r\n" + SLOW + b"\r\n")  # the second waits for the first
        answered(sock, 2)
        time.sleep(0.7 * patience)
        sock.sendall(GET + b"\r\n")
        answered(sock, 1)


def test_there_are_no_more_than_there_is_room_for(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "most_connections", lambda: 1)
    with connected(port) as one:
        one.sendall(GET + b"\r\n")
        answered(one, 1)
        with connected(port) as other, suppress(ConnectionResetError):
            assert other.recv(1000) == b""
        one.sendall(GET + b"\r\n")
        answered(one, 1)
