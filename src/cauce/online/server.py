"""A server's life: load, listen, serve, drain, end."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from typing import Any

import uvicorn

from cauce.online.app import application
from cauce.online.metrics import Metrics
from cauce.online.plane import Plane
from cauce.online.served import Served
from cauce.settings import Serve

log = logging.getLogger("cauce.online")

LOOK = 1.0  # seconds between two looks at whether a call hangs
HANGS = 70  # exit code of a process whose worker hangs: whoever watches it starts another


def run(served: Sequence[Served], settings: Serve, metrics: Metrics, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; what was let in by then is answered, for at most `settings.drain` seconds.

    Args:
        served: opened.
        ready: called with the address once the server listens.

    """
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(served, settings, metrics, ready))


async def _serve(served: Sequence[Served], settings: Serve, metrics: Metrics, ready: Callable[[str], None]) -> None:
    plane = Plane(served, max_rows=settings.max_rows, observers=[metrics.recorded])
    config = uvicorn.Config(
        application(plane, metrics, settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=max(1, round(settings.drain)),
    )
    server = _Server(config, plane, settings.drain, ready)
    watch = asyncio.get_running_loop().create_task(_watch(plane))
    try:
        await server.serve()
    finally:
        watch.cancel()
        await asyncio.to_thread(plane.close)


class _Server(uvicorn.Server):
    """uvicorn's server, which says when it listens, and drains before it closes its doors."""

    def __init__(self, config: uvicorn.Config, plane: Plane, drain: float, ready: Callable[[str], None]) -> None:
        super().__init__(config)
        self._plane, self._drain, self._ready = plane, drain, ready

    async def startup(self, sockets: list[Any] | None = None) -> None:
        """Listen."""
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._ready(f"http://{f'[{host}]' if ':' in host else host}:{port}")

    async def shutdown(self, sockets: list[Any] | None = None) -> None:
        """Refuse what comes, answer what is here, close."""
        self._plane.admission.draining = True
        if not await self._plane.drain(self._drain):
            log.warning("requests were left unanswered after %g s", self._drain)
        await super().shutdown(sockets)


async def _watch(plane: Plane) -> None:
    """End the process where a worker hangs: a thread cannot be ended, and a new process can be begun."""
    while True:
        await asyncio.sleep(LOOK)
        if plane.live:
            log.critical("%s: this process ends", plane.live)
            await asyncio.sleep(5 * LOOK)  # for a probe to see it
            if plane.live:
                os._exit(HANGS)


def _loop_factory() -> Any:
    try:
        import uvloop
    except ImportError:  # not on every system
        return asyncio.new_event_loop
    return uvloop.new_event_loop
