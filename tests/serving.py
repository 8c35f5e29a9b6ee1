"""A real server for tests: the command `cauce serve` in a process of its own, on a port that is free."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LISTENS = re.compile(r"listening on (http://[^\s\"]+)")


@dataclass
class Answer:
    """A response: its body as JSON where it is JSON."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Server:
    """A server that listens."""

    url: str
    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, timeout: float = 30
    ) -> Answer:
        """One request over a connection of its own. A body that is not bytes goes as JSON."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data=data, method=method, headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as found:
                return Answer(found.status, {k.lower(): v for k, v in found.headers.items()}, found.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, {k.lower(): v for k, v in error.headers.items()}, error.read())

    def post(self, path: str, body: Any, **headers: str) -> Answer:
        return self.ask("POST", path, body, {"content-type": "application/json", **headers})

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, headers=headers)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@contextmanager
def serving(
    *models: str, port: int = 0, env: dict[str, str] | None = None, echo: dict[str, Any] | None = None
) -> Iterator[Server]:
    """A server of these models (and flags), stopped in the end; or of an echo with options: see `echo_server.py`."""
    command = [sys.executable, "-m", "cauce", "serve", *models, "--port", str(port)]
    if echo is not None:
        command = [sys.executable, str(Path(__file__).with_name("echo_server.py")), json.dumps(echo)]
    told = {**os.environ, **(env or {})}
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=told) as process:
        said: list[str] = []
        assert process.stderr is not None
        try:
            for line in process.stderr:
                said.append(line)
                if found := LISTENS.search(line):
                    break
            else:
                raise AssertionError("".join(said))
            reader = threading.Thread(target=lambda: said.extend(process.stderr or ()), daemon=True)
            reader.start()
            yield Server(found[1], process, said)
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()


@contextmanager
def overloaded(seconds: float = 15.0) -> Iterator[Server]:
    """A server that has more to do than may wait, for so many seconds."""
    slow, few = {"delay": 0.02, "seconds": seconds}, {"CAUCE_SERVE_MAX_ROWS": "1", "CAUCE_SERVE_DRAIN": "1"}
    with ThreadPoolExecutor(8) as pool, serving(echo=slow, env=few) as server:
        full = 0
        while full < 10:  # looks, half a second: a golden row that was in a worker's place is answered by then
            if not full:
                pool.submit(server.post, "/v1/predict", {"text": "slow"})
            full = full + 1 if re.search(r"cauce_waiting_rows [1-9]", server.get("/metrics").body.decode()) else 0
            time.sleep(0.05)
        yield server


def refused(server: Server) -> int:
    """How many requests the server has refused because it was overloaded."""
    found = re.search(r'cauce_rejected_total\{code="overloaded"\} (\d+)', server.get("/metrics").body.decode())
    return int(found[1]) if found else 0
