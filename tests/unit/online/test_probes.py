"""What balancers and clusters ask: 200 only where requests should be sent."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from cauce.online.app import application
from cauce.online.front import Front
from cauce.online.metrics import Metrics
from cauce.online.plane import Plane
from cauce.online.served import Served
from cauce.settings import Serve

READY = ("/health/ready", "/v2/health/ready", "/v2/models/echo/ready", "/v1/models/echo", "/ping", "/health")
LIVE = ("/health/live", "/v2/health/live")


async def _status(front: Front, path: str) -> int:
    """The status of a GET, asked as a server asks its application."""
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    raw = {"path": path, "raw_path": path.encode(), "query_string": b"", "headers": [], "root_path": "", "scheme": "http"}
    await front({"type": "http", "method": "GET", "http_version": "1.1", "server": ("here", 80), **raw}, receive, send)
    status: int = sent[0]["status"]
    return status


async def _states(*, draining: bool, proven: float) -> dict[str, int]:
    """The status of each probe, of a server that drains, or whose model was last proven so many seconds ago."""
    served = Served("echo")
    served.load()
    plane = Plane([served])
    try:
        front = application(plane, Metrics(), Serve())
        await asyncio.sleep(0.2)  # the first golden row is answered by now
        plane.admission.draining, served.proven = draining, served.proven - proven
        return {path: await _status(front, path) for path in (*READY, *LIVE)}
    finally:
        await plane.close()


@pytest.mark.parametrize(
    ("draining", "proven", "expected"),
    [(False, 0.0, 200), (True, 0.0, 503), (False, 31.0, 503)],
    ids=["fine", "drains", "stuck"],
)
def test_probes_say_200_only_where_requests_should_be_sent(draining: bool, proven: float, expected: int) -> None:
    found = asyncio.run(_states(draining=draining, proven=proven))
    assert {path: found[path] for path in READY} == dict.fromkeys(READY, expected)
    assert {path: found[path] for path in LIVE} == dict.fromkeys(LIVE, 200)
