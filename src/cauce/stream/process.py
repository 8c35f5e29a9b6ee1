"""A worker in a process of its own: what its parent tells it, and what it says back.

The parent writes a line of JSON to the worker's stdin, the job, and keeps the pipe open: a worker whose pipe is closed ends in
good order, so none outlives its parent. The worker writes lines of JSON to its stdout: what it has counted so far.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import orjson

from cauce.stream.worker import Counts

EVERY = 0.5  # seconds between two reports
STDIN, STDOUT, BLOCK = 0, 1, 1 << 16


class Process:
    """The parent's end.

    Args:
        command: the arguments of `python -m cauce` that start a worker; `job` and `Reports` are its end.
        environment: variables that it is given besides those of this process.

    Attributes:
        counts: what it has counted.
        ready: whether it has begun to work.
        told: whether it ended because somebody told it to.

    """

    def __init__(self, command: Iterable[str], job: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        self.counts, self.ready, self.told = Counts(), False, False
        self._process = subprocess.Popen(  # noqa: S603  (our own command)
            [sys.executable, "-m", "cauce", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **environment},
            process_group=0,  # Ctrl-C reaches the parent alone, which passes it on once
        )
        with suppress(BrokenPipeError):  # it has died already: `code` says so
            os.write(self._stdin, orjson.dumps(job) + b"\n")
        self._reader = threading.Thread(target=self._read, name="cauce-crew-read", daemon=True)
        self._reader.start()

    def code(self) -> int | None:
        """How it ended, as `subprocess` has it; None while it runs."""
        code = self._process.poll()
        if code is not None:
            self._reader.join()
            if self._process.stdin is not None:
                self._process.stdin.close()
        return code

    def end(self) -> None:
        """Tell it to end in good order."""
        self._process.terminate()

    def end_at_once(self) -> None:
        """Tell it twice: by two signals, since two of a kind may arrive as one."""
        self._process.terminate()
        self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """End it without its doing."""
        self._process.kill()

    @property
    def _stdin(self) -> int:
        assert self._process.stdin is not None  # noqa: S101  (it is a pipe)
        return self._process.stdin.fileno()

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101
        with self._process.stdout as lines:
            for line in lines:
                with suppress(orjson.JSONDecodeError):  # what a library printed
                    found = orjson.loads(line)
                    self.ready, self.told = True, found.pop("told")
                    self.counts = Counts(**{**found, "dead": Counter(found["dead"])})


def job() -> dict[str, Any]:
    """The job of this process, a worker. Sends it SIGTERM when its parent is gone."""
    data = b""
    while not data.endswith(b"\n") and (block := os.read(STDIN, BLOCK)):
        data += block
    threading.Thread(target=_orphaned, name="cauce-parent", daemon=True).start()
    found: dict[str, Any] = orjson.loads(data)
    return found


def _orphaned() -> None:
    while os.read(STDIN, BLOCK):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


class Reports:
    """Tells the parent what this worker has counted: the first report says that it has begun to work."""

    def __init__(self, counts: Counts) -> None:
        self._counts, self._closed = counts, threading.Event()
        self._say(told=False)
        self._thread = threading.Thread(target=self._work, name="cauce-report", daemon=True)
        self._thread.start()

    def close(self, *, told: bool) -> None:
        """The last report: whether the worker ended because it was told to."""
        self._closed.set()
        self._thread.join()
        self._say(told=told)

    def _work(self) -> None:
        known = self._counts.read
        while not self._closed.wait(EVERY):
            if self._counts.read != known:
                known = self._counts.read
                self._say(told=False)

    def _say(self, *, told: bool) -> None:
        with suppress(BrokenPipeError):
            os.write(STDOUT, orjson.dumps({**vars(self._counts), "told": told}) + b"\n")


def total(many: Iterable[Counts]) -> Counts:
    """What several workers have counted together."""
    whole = Counts()
    for one in many:
        for name, count in vars(one).items():
            setattr(whole, name, getattr(whole, name) + count)
    return whole
