"""`cauce stream` as a process of its own, between two Redis streams."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

Start = Callable[..., subprocess.Popen[bytes]]


def small(home: Path) -> dict[str, str]:
    """An environment with small batches and a quick take-over."""
    own = {"CAUCE_HOME": str(home), "CAUCE_STREAM_MAX_BATCH": "50", "CAUCE_STREAM_TAKEOVER": "1"}
    return {**os.environ, **own}


def name_of(address: str) -> str:
    """The key of a stream."""
    return address.rpartition("/")[2]


def fill(client: Any, address: str, ids: range) -> None:
    """Add messages."""
    with client.pipeline() as together:
        for n in ids:
            together.xadd(name_of(address), {"data": json.dumps({"id": n, "text": f"me encanta {n}"})})
        together.execute()


def results(client: Any, address: str) -> Counter[int]:
    """The ids of the results, and how often each is there."""
    return Counter(json.loads(fields[b"data"])["id"] for _, fields in client.xrange(name_of(address)))


@contextmanager
def starter() -> Iterator[Start]:
    """Starts `cauce stream` commands; none of them outlives it, and no worker its parent."""
    with ExitStack() as started:

        def start(*arguments: str, env: dict[str, str], **options: Any) -> subprocess.Popen[bytes]:
            command = [sys.executable, "-m", "cauce", "stream", *arguments]
            process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options)
            started.enter_context(process)
            started.callback(process.kill)
            return process

        yield start


def ended(process: subprocess.Popen[bytes], code: int = 0, by: int = signal.SIGTERM) -> str:
    """Told to end, and does; what it said."""
    process.send_signal(by)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code, said.decode()
    return said.decode()


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait for it."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def children(process: int) -> list[int]:
    """The processes that a process has started and that run."""
    return [int(one) for one in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def free_port() -> int:
    """A port that nobody listens on, and the one behind it."""
    for port in range(20_000 + os.getpid() % 5000 * 2, 32_000, 2):
        if not (listens(port) or listens(port + 1)):
            return port
    raise AssertionError("no port is free")


def listens(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0
