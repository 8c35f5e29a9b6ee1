"""A real Redis for tests: the one at the standard address, or one of a test's own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis


def missing(reason: str) -> None:
    """Skip; fail where everything must be there."""
    if os.environ.get("CAUCE_REQUIRE_ALL"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def streams() -> Iterator[tuple[Any, str]]:
    """A client of the Redis that is here, and the beginning of an address below which all is deleted at the end."""
    client: Any = redis.Redis(port=6379, protocol=2)
    try:
        client.ping()
    except redis.ConnectionError:
        missing("no Redis runs at 127.0.0.1:6379")
    prefix = f"cauce-test-{os.getpid()}-{time.monotonic_ns()}"
    try:
        yield client, f"redis://127.0.0.1:6379/{prefix}"
    finally:
        for some in client.scan_iter(f"{prefix}*", count=10_000):
            client.delete(some)
        client.close()


class OwnRedis:
    """A Redis that a test starts, stops and starts again."""

    def __init__(self, folder: Path, *options: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        command = ["redis-server", "--port", str(self.port), "--dir", str(folder), "--appendonly", "yes", "--save", ""]
        self._command = [*command, *options]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        for _ in range(600):
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        pytest.fail("redis-server does not start")

    def stop(self) -> None:
        """Stop it; what it holds is on the disk."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None


@contextmanager
def own_redis(folder: Path, *options: str) -> Iterator[OwnRedis]:
    """A Redis of one's own, not started yet."""
    if shutil.which("redis-server") is None:
        missing("redis-server is not installed")
    server = OwnRedis(folder, *options)
    try:
        yield server
    finally:
        server.stop()
