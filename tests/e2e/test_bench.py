"""`cauce bench`: requests on schedule, times that count from then, and what it says to a server that stalls or is not there."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import Server, serving

Command = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving("echo") as server:
        yield server


def test_a_load_is_measured(server: Server, messages: Path, tmp_path: Path, cauce_command: Command) -> None:
    out = tmp_path / "report.json"
    before = answered(server)
    done = cauce_command("bench", server.url, "--rate", "40", "--seconds", "1", "--data", messages, "--out", out)
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(out.read_text("utf-8"))
    assert (found["sent"], found["answered"], found["refused"], found["failed"]) == (40, 40, 0, 0)
    assert answered(server) - before == 41  # one beforehand
    times = list(found["answered_ms"].values())
    assert list(found["answered_ms"]) == ["p50", "p90", "p95", "p99", "max"]
    assert times[0] > 0
    assert times == sorted(times)
    assert found["goodput"] == pytest.approx(40 / found["elapsed"], rel=0.01)
    lines = [line.split("\t") for line in done.stdout.decode().splitlines()]
    assert lines[0] == ["sent", "answered", "refused", "failed", "goodput"]
    assert lines[1][:4] == ["40", "40", "0", "0"]
    assert lines[4][:2] == ["answered", f"{times[0]:.2f}"]


def test_a_server_that_stalls_pays_for_what_came_meanwhile(tmp_path: Path) -> None:
    """One connection, one second without an answer: all requests that were due in it were slow, not the one that was sent."""
    with serving("echo") as server:
        found = stalled(server, tmp_path / "report.json", "--rate", "20", "--seconds", "2", "--connections", "1")
    assert found["answered"] == 40
    assert found["answered_ms"]["p90"] > 300


def test_refused_and_late_requests_are_told_apart(tmp_path: Path) -> None:
    """After a stall everything comes at once: a server that lets one row wait refuses others."""
    with serving("echo", env={"CAUCE_SERVE_MAX_ROWS": "1"}) as server:
        options = ("--rate", "40", "--seconds", "3", "--connections", "16", "--timeout", "0.8")
        found = stalled(server, tmp_path / "report.json", *options)
    assert found["refused"] > 0
    assert found["failures"].get("timeout", 0) > 0
    assert found["answered"] + found["refused"] + found["failed"] == found["sent"] == 120


def test_ctrl_c_keeps_what_was_measured(tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    with serving("echo") as server, started(server, out, "--rate", "20", "--seconds", "60") as bench:
        wait_for(server, 6)  # one beforehand
        bench.send_signal(signal.SIGINT)
        said, told = bench.communicate(timeout=60)
    assert bench.returncode == 130
    assert b"stopped by Ctrl-C" in told
    found = json.loads(out.read_text("utf-8"))
    assert 5 <= found["answered"] == found["sent"] < 1200
    assert said.decode().splitlines()[1].startswith(f"{found['sent']}\t{found['answered']}")


def test_a_terminal_gets_a_chart(server: Server) -> None:
    main, side = pty.openpty()
    command = [sys.executable, "-m", "cauce", "bench", server.url, "--rate", "50", "--seconds", "0.2"]
    with subprocess.Popen(command, stdout=side, stderr=subprocess.DEVNULL, env={**os.environ, "COLUMNS": "80"}) as bench:
        os.close(side)
        shown = b""
        while part := read(main):
            shown += part
        assert bench.wait(60) == 0
    lines = shown.decode().splitlines()
    drawn = [line for line in lines if "█" in line and line.endswith(" ms")]
    assert re.fullmatch(r"   max  █+  [\d,.]+ ms", drawn[-1])
    assert [line.split()[0] for line in lines if line.endswith(" ms")][-4:] == ["p95", "p99", "p99.9", "max"]


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("{url}/nowhere",), 2, "there is no /nowhere here"),
        (("{url}/v1/embed",), 2, "gives labels, not vectors"),
        (("localhost:8000",), 2, "no address"),
        (("http://127.0.0.1:1",), 4, "no server answers"),
        (("{url}", "--out", "{here}"), 2, "exists already"),
        (("{url}", "--data", "{here}/none.csv"), 2, "none.csv"),
        (("{url}", "--rate", "0"), 2, "--rate"),
    ],
)
def test_what_cannot_be_measured_is_told(
    server: Server, tmp_path: Path, cauce_command: Command, options: tuple[str, ...], code: int, said: str
) -> None:
    done = cauce_command("bench", *(one.format(url=server.url, here=tmp_path) for one in options))
    assert done.returncode == code
    assert said in done.stderr.decode()
    assert b"Traceback" not in done.stderr


def started(server: Server, out: Path, *options: str) -> subprocess.Popen[bytes]:
    """A bench that runs."""
    command = [sys.executable, "-m", "cauce", "bench", server.url, "--out", str(out), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def stalled(server: Server, out: Path, *options: str) -> dict[str, Any]:
    """The report of a bench during which the server stood still for a second."""
    with started(server, out, *options) as bench:
        wait_for(server, 3)
        server.process.send_signal(signal.SIGSTOP)
        time.sleep(1)
        server.process.send_signal(signal.SIGCONT)
        _, told = bench.communicate(timeout=60)
    assert bench.returncode == 0, told.decode()
    report: dict[str, Any] = json.loads(out.read_text("utf-8"))
    return report


def answered(server: Server) -> int:
    """Requests that the server has answered."""
    found = re.search(r'cauce_requests_total\{path="/v1/predict",status="200"\} (\d+)', server.get("/metrics").body.decode())
    return int(found[1]) if found else 0


def wait_for(server: Server, count: int) -> None:
    """Until the server has answered so many."""
    while answered(server) < count:
        time.sleep(0.02)


def read(terminal: int) -> bytes:
    """What comes next; empty once the other side is closed."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""
