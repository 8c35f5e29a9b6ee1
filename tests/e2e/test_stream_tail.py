"""What people see: `cauce stream tail`, and `--to console:`, on a terminal and elsewhere."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from brokers import streams

Command = Callable[..., subprocess.CompletedProcess[bytes]]
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
HOSTILE = "[red]x[/] \x1b]0;pwned\x07 \u009b31m"
SHOWN = "[red]x[/] ␛]0;pwned␇ ‹U+009B›31m"


@contextmanager
def tailed(*arguments: str, said: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """`cauce stream tail`; its lines come into `said`. It ends on Ctrl-C, and says nothing of it."""
    command = [sys.executable, "-m", "cauce", "stream", "tail", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        reader = threading.Thread(target=lambda: said.extend(line.decode().rstrip("\n") for line in process.stdout or ()))
        reader.start()
        try:
            yield process
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
            assert (process.stderr or sys.stderr).read() == b""
        finally:
            process.kill()
            reader.join()


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_redis_stream_is_shown_as_it_comes_and_nobody_gets_less_for_it() -> None:
    with streams() as (client, address):
        topic, said = address.rpartition("/")[2], list[str]()
        client.xgroup_create(topic, "g", id="0", mkstream=True)
        for n in range(5):
            client.xadd(topic, {"data": json.dumps({"id": n})})
        with tailed(address, "--last", "2", said=said):
            until(lambda: len(said) == 2)
            client.xadd(topic, {"data": b'{"id":\n 5}'})
            client.xadd(topic, {"text": "hola"})
            client.xadd(topic, {"data": b"not json \xff\n"})
            until(lambda: len(said) == 5)
        assert said == [
            '{"id": 3}',
            '{"id": 4}',
            '{"id":5}',
            '{"text":"hola"}',
            json.dumps("not json \ufffd\n", ensure_ascii=False),
        ]
        assert len(client.xreadgroup("g", "c", {topic: ">"})[0][1]) == 8


def test_a_stream_that_is_not_there_yet_is_waited_for_and_none_of_the_old_ones_may_be_wanted() -> None:
    with streams() as (client, address):
        topic, said = address.rpartition("/")[2], list[str]()
        for n in "12":
            with tailed(address, "--last", "0", said=said):
                until(lambda: "xread" in {one["cmd"] for one in client.client_list()})
                client.xadd(topic, {"data": n})
                until(lambda: n in said)  # noqa: B023
        assert said == ["1", "2"]


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_parts_are_shown_as_they_come(form: str, tmp_path: Path, cauce_command: Command) -> None:
    out, said = tmp_path / "out", list[str]()

    def write(*ids: int) -> None:
        sent = b"".join(json.dumps({"id": n, "text": "me encanta", "user": {"name": "eva"}}).encode() + b"\n" for n in ids)
        cauce_command("stream", "run", "echo", "--from", "-", "--to", f"file:{out}?format={form}", input=sent)

    write(1, 2, 3)
    with tailed(f"file:{out}", "--last", "2", said=said):
        until(lambda: len(said) == 2)
        write(4, 5)
        until(lambda: len(said) == 4)
    documents = [json.loads(line) for line in said]
    assert [int(one["id"]) for one in documents] == [2, 3, 4, 5]
    assert {one["user"]["name"] for one in documents} == {"eva"}
    assert all(set(one["scores"]) >= {one["label"]} for one in documents)


def test_what_cannot_be_shown_is_said(tmp_path: Path, cauce_command: Command) -> None:
    for address, said in (
        ("file:nowhere", b"there is no folder nowhere"),
        ("webhook2://x", b"is no place of a stream"),
        ("console:", b"cannot be looked at"),
        ("redis://127.0.0.1:1/raw", b"cannot be used"),
    ):
        done = cauce_command("stream", "tail", address, cwd=tmp_path)
        assert (done.returncode in (2, 4), said in done.stderr, b"Traceback" in done.stderr) == (True, True, False), done.stderr


class Terminal:
    """A command on a terminal of 100 columns."""

    def __init__(self, screen: int, process: subprocess.Popen[bytes]) -> None:
        self.process, self._screen = process, screen
        self._read = b""

    def shows(self, text: str, seconds: float = 30) -> str:
        """Wait until it does. Returns all that was written so far, without the escapes of the table."""
        end = time.monotonic() + seconds
        while text not in (shown := ESCAPES.sub("", self._read.decode(errors="replace"))):
            assert time.monotonic() < end, shown
            if select.select([self._screen], [], [], 0.1)[0]:
                try:
                    self._read += os.read(self._screen, 1 << 16)
                except OSError:  # it has ended
                    end = 0
        return shown


@contextmanager
def terminal(*arguments: str, sent: bytes = b"") -> Iterator[Terminal]:
    screen, there = pty.openpty()
    command = [sys.executable, "-m", "cauce", "stream", *arguments]
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "50"}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=there, stderr=there, env=env) as process:
        os.close(there)
        try:
            assert process.stdin is not None
            process.stdin.write(sent)
            process.stdin.close()
            yield Terminal(screen, process)
        finally:
            process.kill()
            os.close(screen)


def test_a_topic_is_a_table_on_a_terminal_and_its_texts_do_nothing_there() -> None:
    with streams() as (client, address):
        topic = address.rpartition("/")[2]
        client.xadd(topic, {"data": json.dumps({"text": HOSTILE, "label": "good", "score": 0.5})})
        with terminal("tail", address) as seen:
            shown = seen.shows(f"good   0.500  {SHOWN}")
            assert "\x1b]" not in shown
            client.xadd(topic, {"data": json.dumps({"text": "two", "label": "bad", "score": 0.25})})
            seen.shows("bad    0.250  two")
            seen.process.send_signal(signal.SIGTERM)
            assert seen.process.wait(30) == 0
        client.xadd(topic, {"data": '{"text": "C1 \u009b31m three"}'})
        with terminal("tail", address, "--json") as seen:
            assert "C1 ‹U+009B›31m" in seen.shows("three")


def test_results_are_a_table_on_a_terminal_and_lines_elsewhere(cauce_command: Command) -> None:
    sent = b"".join(json.dumps({"id": n, "text": f"{n} {HOSTILE}"}).encode() + b"\n" for n in range(30))
    with terminal("run", "echo", "--from", "-", "--to", "console:?last=3", sent=sent) as seen:
        shown = seen.shows("30 messages, 30 answered")
        assert re.findall(r"(\d+) " + re.escape(SHOWN), shown.rpartition("text")[2]) == ["29", "28", "27"]
        assert seen.process.wait(30) == 0
    lines = cauce_command("stream", "run", "echo", "--from", "-", "--to", "console:", input=sent).stdout.decode().splitlines()
    assert [line.split("\t")[-1] for line in lines] == [f"{n} {SHOWN}" for n in range(30)]
