"""A server's life: load, listen, serve, drain, end."""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import uvicorn

from cauce.errors import BadSetting, InUse
from cauce.online.app import application
from cauce.online.connection import Connection
from cauce.online.metrics import Metrics
from cauce.online.plane import Plane
from cauce.online.served import Served
from cauce.settings import Serve

log = logging.getLogger("cauce.online")

LOOK = 1.0  # seconds between two looks at whether a call hangs
LOOKS = 5  # at one that hangs, before the process ends: for a probe to see it, and for a process that was only stopped a while
SWITCH = 0.0005  # seconds that a worker with a result waits for a busy event loop; Python's own 5 ms are more than a call
HANGS = 70  # exit code of a process with a call that hangs: whoever watches it starts another


def bind(settings: Serve) -> list[socket.socket]:
    """The addresses to listen on, taken before models are loaded: the operating system refuses who comes until then.

    Raises:
        InUse: another process listens there.
        BadSetting: no such host, or no right to this port.

    """
    host, port = settings.host, settings.port
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise BadSetting(f'there is no host "{host}": {error.strerror}', hint="listen on 127.0.0.1, or on 0.0.0.0") from None
    sockets: list[socket.socket] = []
    for family, kind, protocol, _, address in dict.fromkeys(found):
        one = socket.socket(family, kind, protocol)
        sockets.append(one)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, os.name == "posix")
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            one.bind((address[0], port, *address[2:]))
        except OSError as error:
            for each in sockets:
                each.close()
            if error.errno == errno.EADDRINUSE:
                raise InUse(f"port {port} of {host} is taken", hint="stop who has it, or choose another with --port") from None
            reason = (error.strerror or str(error)).lower()
            raise BadSetting(f"cannot listen on {host}, port {port}: {reason}", hint="choose others: --host, --port") from None
        port = one.getsockname()[1]  # the same one for all, where any would do
    return sockets


def run(
    served: Sequence[Served],
    settings: Serve,
    metrics: Metrics,
    sockets: Sequence[socket.socket],
    ready: Callable[[str], None],
) -> None:
    """Serve until SIGTERM or SIGINT; what was let in by then is answered, for at most `settings.drain` seconds.

    Args:
        served: opened.
        sockets: bound.
        ready: called with the address once the server listens.

    """
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        plane = runner.run(_serve(served, settings, metrics, sockets, ready))
    if plane.longest_call:
        log.critical("a call does not end: this process ends without it")
        _exit()


async def _serve(
    served: Sequence[Served],
    settings: Serve,
    metrics: Metrics,
    sockets: Sequence[socket.socket],
    ready: Callable[[str], None],
) -> Plane:
    sys.setswitchinterval(SWITCH)
    gc.collect()
    gc.freeze()  # models and modules stay: looking through them again and again would stop everybody
    plane = Plane(served, max_rows=settings.max_rows, max_call=settings.max_call, observers=[metrics.recorded])
    config = uvicorn.Config(
        application(plane, metrics, settings),
        http=Connection,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
    )
    server, ended = _Server(config, plane, settings.drain, ready), threading.Event()
    threading.Thread(target=_watch, args=(plane, asyncio.get_running_loop(), ended), name="watch", daemon=True).start()
    try:
        await server.serve(list(sockets))
    finally:
        ended.set()
        await plane.close()
    return plane


class _Server(uvicorn.Server):
    """uvicorn's server, which says when it listens, and drains before it closes its doors."""

    def __init__(self, config: uvicorn.Config, plane: Plane, drain: float, ready: Callable[[str], None]) -> None:
        super().__init__(config)
        self._plane, self._drain, self._ready = plane, drain, ready

    async def startup(self, sockets: list[Any] | None = None) -> None:
        """Listen."""
        await super().startup(sockets)
        if self.started:
            host, port = (sockets or [])[0].getsockname()[:2]
            self._ready(f"http://{f'[{host}]' if ':' in host else host}:{port}")

    async def shutdown(self, sockets: list[Any] | None = None) -> None:
        """Refuse what comes, answer what is here, close."""
        end = time.monotonic() + self._drain
        log.info("going down: what was let in is answered, for at most %g s", self._drain)
        if not await self._plane.drain(self._drain, lambda: self.force_exit):
            log.warning("requests were left unanswered")
        self.config.timeout_graceful_shutdown = max(1, round(end - time.monotonic()))
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End on SIGTERM and Ctrl-C. They are not raised again afterwards: a server that was told to end, and did, is fine."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()


def _watch(plane: Plane, loop: asyncio.AbstractEventLoop, ended: threading.Event) -> None:
    """End the process where a call hangs, on a worker or on the event loop: no thread can be ended, a process can be begun.

    On a thread of its own: an event loop that stands still watches nothing.
    """
    seen, problem, bad = time.monotonic(), "", 0

    def look() -> None:
        nonlocal seen, problem
        seen, problem = time.monotonic(), plane.live

    while not ended.wait(LOOK):
        loop.call_soon_threadsafe(look)
        still = time.monotonic() - seen
        wrong = problem if still < plane.max_call else f"the event loop has stood still for {still:.0f} s"
        bad = bad + 1 if wrong else 0
        if bad == 1:
            log.critical("%s: this process ends soon", wrong)
        if bad > LOOKS:
            _exit()


def _exit() -> None:
    """End at once: an ordinary end waits for all threads."""
    logging.shutdown()
    os._exit(HANGS)


def _loop_factory() -> Any:
    try:
        import uvloop
    except ImportError:  # not on every system
        return asyncio.new_event_loop
    return uvloop.new_event_loop
