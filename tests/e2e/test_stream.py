"""`cauce stream` as a team runs it: what cannot be is said, and what could not be answered is seen and given out again."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streaming import ended, entries, fill, messages, start, stream, until

Command = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.mark.parametrize(
    ("from_", "to", "code", "said"),
    [
        ("kafka2://host/raw", "-", 2, '"kafka2:" is no place of a stream'),
        ("posts.jsonl", "-", 2, "without a scheme"),
        ("redis://localhost", "-", 2, "names nothing"),
        ("file:nowhere.jsonl", "-", 2, "there is no file nowhere.jsonl"),
        ("file:x.jsonl?rat=3", "-", 2, 'did you mean "rate"?'),
        ("-", "file:out?format=csv", 2, 'not written as "csv"'),
    ],
)
def test_what_cannot_be_is_said(
    from_: str, to: str, code: int, said: str, tmp_path: Path, environment: dict[str, str], cauce_command: Command
) -> None:
    done = cauce_command("stream", "run", "echo", "--from", from_, "--to", to, env=environment, cwd=tmp_path)
    assert (done.returncode, said in done.stderr.decode()) == (code, True), done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_a_model_that_is_not_there_is_said(tmp_path: Path, environment: dict[str, str], cauce_command: Command) -> None:
    done = cauce_command("stream", "run", "nowhere", "--from", "-", "--to", "-", env=environment, cwd=tmp_path)
    assert done.returncode == 2
    assert b"nowhere" in done.stderr


def test_messages_of_50_mb_are_dead_letters_and_touch_no_neighbor(environment: dict[str, str], cauce_command: Command) -> None:
    large = b'{"id": 1, "text": "' + b"x" * 50_000_000 + b'"}'
    sent = b"\n".join([b'{"id": 0, "text": "hola"}', large, b'{"id": 2, "text": "hola"}'])
    done = cauce_command("stream", "run", "echo", "--from", "-", "--to", "-", env=environment, input=sent)
    assert done.returncode == 5, done.stderr.decode()[-500:]
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [0, 2]
    assert b'"code":"too_large"' in done.stderr


def test_dead_letters_are_seen_and_given_out_again(
    broker: tuple[Any, str], environment: dict[str, str], cauce_command: Command
) -> None:
    client, address = broker
    raw, scored, dead = f"{address}-raw", f"{address}-scored", f"{address}-raw:dead"
    fill(client, raw, messages(range(10)))
    worker = start("--from", raw, "--to", scored, env=environment)
    until(lambda: len(entries(client, scored)) == 9)
    ended(worker)
    (state,) = json.loads(cauce_command("stream", "status", "--from", raw, "--json", env=environment).stdout)
    assert (state["name"], state["waiting"], state["held"]) == ("cauce", 0, 0)
    done = cauce_command("stream", "redrive", "--dead", dead, "--to", raw, "--json", env=environment)
    assert json.loads(done.stdout) == {"redriven": {"empty_text": 1}, "left": {}}, done.stderr.decode()
    assert client.xlen(stream(dead)) == 0
    (state,) = json.loads(cauce_command("stream", "status", "--from", raw, "--json", env=environment).stdout)
    assert state["waiting"] == 1
