"""A server that is measured: started in a folder of its own, asked, ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PEERS = HERE.parent.parent / ".venv" / "peers"
PORT = 8765


@dataclass(frozen=True)
class Server:
    """How it is started, and where and how it is asked.

    Attributes:
        environment: its own, of those that `run.py --install` makes; without one Cauce's.
        body: of a request, where `%s` stands for the text as JSON, or for the list of them.

    """

    name: str
    command: tuple[str, ...]
    path: str
    environment: str = ""
    body: str = '{"text": %s}'

    @property
    def python(self) -> Path:
        """The interpreter of its environment."""
        return PEERS / self.environment / "bin" / "python" if self.environment else Path(sys.executable)

    def bodies(self, asked: list[Any]) -> list[str]:
        """A request's body for each text, or for each list of them."""
        return [self.body % json.dumps(one) for one in asked]


def ours(folder: Path, *options: str, body: str = Server.body) -> Server:
    """Cauce, with a model."""
    return Server("cauce", ("-m", "cauce", "serve", str(folder), *options, "--port", str(PORT)), "/v1/predict", body=body)


@contextmanager
def running(server: Server, body: str, environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """It answers from the start of the block, and ends with it."""
    process = start(server, environment, log)
    try:
        first_answer(server, process, body)
        yield process
    except RuntimeError:
        sys.stderr.write(log.read_text("utf-8")[-2000:])
        raise
    finally:
        end(process)


def start(server: Server, environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Its process, which does not answer yet."""
    with log.open("ab") as out:
        return subprocess.Popen(
            [server.python, *server.command],
            cwd=HERE / "peers",
            env=environment,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )


def first_answer(server: Server, process: subprocess.Popen[bytes], body: str, every: float = 0.1) -> Any:
    """What it answers as soon as it does; it is asked every so many seconds.

    Raises:
        RuntimeError: it ended, or does not answer within a minute.

    """
    patience = time.monotonic() + 60
    url, headers = f"http://127.0.0.1:{PORT}{server.path}", {"content-type": "application/json"}
    while process.poll() is None and time.monotonic() < patience:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, body.encode(), headers), timeout=5) as answer:
                return json.load(answer)
        except OSError:  # not there, or not ready
            time.sleep(every)
    raise RuntimeError(f"{server.name} does not answer")


def end(process: subprocess.Popen[bytes]) -> None:
    """The server and its workers."""
    for number in (15, 9):
        try:
            os.killpg(process.pid, number)
            process.wait(10)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
    time.sleep(0.5)
