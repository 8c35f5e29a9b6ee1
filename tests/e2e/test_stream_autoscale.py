"""`cauce stream autoscale`: a second worker comes when messages wait, and each decision says why."""

from __future__ import annotations

import re
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from brokers import streams
from crews import Start, children, ended, fill, name_of, results, small, starter, until

Command = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def start() -> Iterator[Start]:
    with starter() as found:
        yield found


def test_a_second_worker_comes_when_messages_wait_and_nothing_is_lost(tmp_path: Path, start: Start) -> None:
    slow = {**small(tmp_path / "home"), "CAUCE_STREAM_MAX_BATCH": "1", "CAUCE_STREAM_MAX_BYTES": "1"}
    with streams() as (client, address):
        raw, scored = f"{address}-raw", f"{address}-scored"
        places, sent = ("--from", raw, "--to", scored), 6000
        fill(client, raw, range(sent))
        crew = start("autoscale", "echo", *places, "--max", "2", "--target-lag", "100ms", env=slow)
        until(lambda: client.exists(name_of(scored)))
        while len(children(crew.pid)) < 2:
            assert sent < 100_000
            if client.xinfo_groups(name_of(raw))[0]["lag"] < 500:
                fill(client, raw, range(sent, sent + 500))
                sent += 500
            time.sleep(0.05)
        until(lambda: client.xlen(name_of(scored)) == sent)
        said = ended(crew)
        assert results(client, scored) == Counter(range(sent))
    found = re.findall(r"2 workers instead of 1: the oldest message waits for [\d.]+ s, and should for 0.1 s at most", said)
    assert len(found) == 1
    assert said.count("workers instead of") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--from", "redis://host/raw", "--to", "redis://host/scored", "--min", "3", "--max", "2"), "--min 3 --max 2"),
        (("--from", "redis://host/raw", "--to", "redis://host/scored", "--target-lag", "soon"), '"soon" is no time'),
        (("--from", "file:posts.jsonl", "--to", "file:out"), "several workers cannot share"),
        (
            (
                "--from",
                "redis://host/raw",
            ),
            "--to is missing",
        ),
    ],
)
def test_what_cannot_be_is_said(arguments: tuple[str, ...], said: str, tmp_path: Path, cauce_command: Command) -> None:
    done = cauce_command("stream", "autoscale", "echo", *arguments, env=small(tmp_path), cwd=tmp_path)
    assert (done.returncode, said in done.stderr.decode()) == (2, True), done.stderr.decode()
