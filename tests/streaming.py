"""Workers of `cauce stream` as processes of their own, and messages of which one in 100 cannot be answered."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

# The command, with a model that takes its time, and that a text kills as a bug of an engine does.
DEADLY = """
import os, signal, time
from cauce.runtimes.echo import Echo

answer = Echo.forward

def forward(self, encoded, output="logits"):
    time.sleep(len(encoded.texts) * float(os.environ.get("SLOW", 0)))
    if any("veneno" in text for text in encoded.texts):
        os.kill(os.getpid(), signal.SIGKILL)
    return answer(self, encoded, output)

Echo.forward = forward

from cauce.cli.main import main

main()
"""

Worker = subprocess.Popen[bytes]
STARTED: list[Worker] = []  # by the test that runs


def start(*arguments: str | Path, env: dict[str, str], deadly: bool = False, stderr: Any = subprocess.PIPE) -> Worker:
    """Start a worker; `echo` is the model where no other is named."""
    model = () if arguments[0] != "--from" else ("echo",)
    program = ["-c", DEADLY] if deadly else ["-m", "cauce"]
    command = [sys.executable, *program, "stream", "run", *model, *map(str, arguments)]
    STARTED.append(subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=stderr))
    return STARTED[-1]


def end_all() -> None:
    """End what a test that failed left running."""
    while STARTED:
        STARTED[-1].kill()
        STARTED.pop().communicate(timeout=60)


def ended(worker: Worker) -> str:
    """Told to end, and does; what it said."""
    worker.send_signal(signal.SIGTERM)
    _, said = worker.communicate(timeout=60)
    assert worker.returncode == 0, said
    return (said or b"").decode()


def killed(worker: Worker) -> None:
    """Killed, or found dead of a kill."""
    worker.kill()
    worker.communicate(timeout=60)
    assert worker.returncode == -signal.SIGKILL


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait for something to happen."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def messages(numbers: Iterable[int]) -> list[bytes]:
    """One in 100 cannot be answered."""
    return [json.dumps({"id": n, "text": "" if n % 100 == 7 else f"me encanta {n}"}).encode() for n in numbers]


def wanted(count: int) -> Counter[int]:
    """The ids of the results of so many messages."""
    return Counter(n for n in range(count) if n % 100 != 7)


def stream(address: str) -> str:
    """The name of an address's stream."""
    return address.rpartition("/")[2]


def fill(client: Any, address: str, these: Iterable[bytes]) -> None:
    """Add messages."""
    with client.pipeline() as together:
        for one in these:
            together.xadd(stream(address), {"data": one})
        together.execute()


def entries(client: Any, address: str) -> list[dict[str, Any]]:
    """What is in a stream."""
    return [json.loads(fields[b"data"]) for _, fields in client.xrange(stream(address))]


def rows(folder: Path) -> list[dict[str, Any]]:
    """What is in the parts of a folder."""
    return [json.loads(line) for part in sorted(folder.glob("part-*")) for line in part.read_bytes().splitlines()]


def held(client: Any, address: str) -> dict[int, int]:
    """How many messages are held by the workers of the group `cauce`, by process."""
    if not client.exists(stream(address)) or not client.xinfo_groups(stream(address)):
        return {}
    found = client.xinfo_consumers(stream(address), "cauce")
    return {int(one["name"].split(b"-")[-2]): one["pending"] for one in found if one["pending"]}
