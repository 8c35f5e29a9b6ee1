"""`cauce stream run --from http://…` as those see it who send: what was answered with 200 is written, whoever is killed."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

Command = Callable[..., subprocess.CompletedProcess[bytes]]
Start = Callable[[int, Path, dict[str, str]], subprocess.Popen[bytes]]
COUNT, TOGETHER = 300, 20
LONG = ("part.written", "stream.predicted", "stream.written", "stream.acknowledged")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    small = {"MAX_BATCH": "50", "PART_SECONDS": "0.05"}
    return {
        **os.environ,
        "CAUCE_HOME": str(tmp_path / "home"),
        **{f"CAUCE_STREAM_{name}": value for name, value in small.items()},
    }


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a worker: `start(port, out, environment)`. None outlives the test."""
    with ExitStack() as started:

        def start(port: int, out: Path, env: dict[str, str]) -> subprocess.Popen[bytes]:
            arguments = ("--from", f"http://127.0.0.1:{port}/posts", "--to", f"file:{out}")
            command = [sys.executable, "-m", "cauce", "stream", "run", "echo", *arguments]
            worker = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            started.enter_context(worker)
            started.callback(worker.kill)
            return worker

        yield start


def send(port: int, body: bytes) -> int:
    """The status of the answer; 0: there was none."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        line.request("POST", "/posts", body, {"Content-Type": "application/x-ndjson"})
        return line.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        line.close()


def ids(folder: Path) -> list[int]:
    return [json.loads(line)["id"] for part in folder.glob("part-*") for line in part.read_text("utf-8").splitlines()]


@pytest.mark.parametrize(
    "step", ["stream.fetched:2", "part.renamed:2", *(pytest.param(f"{one}:2", marks=pytest.mark.prove) for one in LONG)]
)
def test_what_was_answered_is_written_and_what_was_sent_again_is_written_once(
    step: str, tmp_path: Path, environment: dict[str, str], start: Start
) -> None:
    port, out, statuses = free_port(), tmp_path / "out", list[int]()
    worker = start(port, out, {**environment, "CAUCE_FAULT": step})
    end = time.monotonic() + 60
    for first in range(0, COUNT, TOGETHER):
        together = range(first, first + TOGETHER)
        body = b"\n".join(json.dumps({"id": n, "text": f"número {n}"}).encode() for n in together)
        while (status := send(port, body)) != 200:
            assert time.monotonic() < end
            statuses.append(status)
            if worker.poll() == -signal.SIGKILL:
                worker.communicate()
                worker = start(port, out, environment)
            time.sleep(0.1)
        assert set(together) <= set(ids(out))  # at the moment of the answer
    worker.terminate()
    _, said = worker.communicate(timeout=60)
    assert worker.returncode == 0, said.decode()
    assert b"Traceback" not in said
    assert Counter(ids(out)) == Counter(range(COUNT))
    assert set(statuses) == {0}


def test_a_worker_that_is_told_to_end_answers_what_it_fetched(
    tmp_path: Path, environment: dict[str, str], start: Start
) -> None:
    port, out = free_port(), tmp_path / "out"
    worker = start(port, out, {**environment, "CAUCE_STREAM_PART_SECONDS": "60"})
    with ThreadPoolExecutor(1) as pool:
        end = time.monotonic() + 60
        while send(port, b"") != 200:
            assert time.monotonic() < end
            time.sleep(0.1)
        answer = pool.submit(send, port, b'{"id": 1, "text": "hola"}\nnot json')
        time.sleep(2)
        assert not answer.done()
        worker.terminate()
        assert answer.result(30) == 200
    _, said = worker.communicate(timeout=60)
    assert worker.returncode == 0, said.decode()
    assert ids(out) == [1]
    (letter,) = (json.loads(part.read_bytes()) for part in (out / "dead_letters").glob("part-*"))
    assert letter["code"] == "not_json"


def test_a_worker_does_not_listen_to_strangers(tmp_path: Path, cauce_command: Command) -> None:
    done = cauce_command("stream", "run", "echo", "--from", "http://0.0.0.0:9/posts", "--to", "-", cwd=tmp_path)
    assert done.returncode == 2
    assert b"error: at 0.0.0.0 anybody" in done.stderr
    assert b"hint: set CAUCE_STREAM_HTTP_TOKEN" in done.stderr
