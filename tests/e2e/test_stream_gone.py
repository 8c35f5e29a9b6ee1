"""Redis is down, goes away, refuses, or holds what is not for a worker: it is said, and nothing is lost."""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from brokers import Own, own_redis
from streaming import ended, entries, fill, messages, start, stream, until, wanted

Command = Callable[..., subprocess.CompletedProcess[bytes]]
LARGE = 50_000_000


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Own]:
    with own_redis(tmp_path) as made:
        yield made


@pytest.fixture
def ends(server: Own) -> tuple[str, str]:
    raw, scored = (f"redis://127.0.0.1:{server.port}/{name}" for name in ("raw", "scored"))
    return raw, scored


def client_of(server: Own) -> Any:
    return redis.Redis(port=server.port, protocol=2)


def test_a_broker_that_is_down_is_an_error_or_waited_for(
    server: Own, ends: tuple[str, str], environment: dict[str, str], cauce_command: Command
) -> None:
    raw, scored = ends
    refused = cauce_command("stream", "run", "echo", "--from", raw, "--to", scored, "--wait", "0", env=environment)
    assert refused.returncode == 4
    assert b"error: the Redis at 127.0.0.1" in refused.stderr
    worker = start("--from", raw, "--to", scored, env=environment)
    time.sleep(3)
    server.start()
    with client_of(server) as client:
        fill(client, raw, messages(range(50)))
        until(lambda: client.xlen("scored") == 50 - 1)
    said = ended(worker)
    assert "trying again" in said
    assert "the broker is back" in said


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seconds", [3, pytest.param(60, marks=pytest.mark.prove)])
def test_a_broker_that_goes_away_in_the_middle_comes_back_and_nothing_is_lost(
    seconds: int, server: Own, ends: tuple[str, str], environment: dict[str, str]
) -> None:
    (raw, scored), slow = ends, {**environment, "CAUCE_STREAM_MAX_BATCH": "20", "SLOW": "0.005"}
    server.start()
    with client_of(server) as client:
        fill(client, raw, messages(range(400)))
        worker = start("--from", raw, "--to", scored, env=slow, deadly=True)
        until(lambda: client.exists("scored") and client.xlen("scored") >= 40)
        server.stop()
        time.sleep(seconds)
        server.start()
        assert client.xlen("scored") < 390  # it was in the middle
        until(lambda: client.xinfo_groups("raw")[0]["pending"] == client.xinfo_groups("raw")[0]["lag"] == 0)
        said = ended(worker)
        assert Counter(one["id"] for one in entries(client, scored)) == wanted(400)
        assert Counter(one["code"] for one in entries(client, f"{raw}:dead")) == {"empty_text": 4}
    assert "trying again" in said
    assert "the broker is back" in said


def test_a_broker_that_stays_away_ends_the_worker_and_the_same_command_goes_on(
    server: Own, ends: tuple[str, str], environment: dict[str, str]
) -> None:
    (raw, scored), slow = ends, {**environment, "CAUCE_STREAM_MAX_BATCH": "20", "SLOW": "0.005"}
    server.start()
    with client_of(server) as client:
        fill(client, raw, messages(range(400)))
        worker = start("--from", raw, "--to", scored, "--wait", "1", env=slow, deadly=True)
        until(lambda: client.exists("scored") and client.xlen("scored") >= 40)
        server.stop()
        _, said = worker.communicate(timeout=60)
        assert worker.returncode == 4, said.decode()
        assert b"error: the Redis at 127.0.0.1" in said
        assert b"Traceback" not in said
        server.start()
        again = start("--from", raw, "--to", scored, env=environment)
        until(lambda: client.xinfo_groups("raw")[0]["pending"] == client.xinfo_groups("raw")[0]["lag"] == 0)
        ended(again)
        assert Counter(one["id"] for one in entries(client, scored)) == wanted(400)


def test_a_wrong_password_is_said_without_showing_it(
    tmp_path: Path, environment: dict[str, str], cauce_command: Command
) -> None:
    with own_redis(tmp_path, "--requirepass", "right") as server:
        server.start()
        raw = f"redis://:secret@127.0.0.1:{server.port}/raw"
        done = cauce_command("stream", "run", "echo", "--from", raw, "--to", "-", env=environment)
    assert done.returncode == 2
    assert b"refuses" in done.stderr
    assert b"secret" not in done.stderr


@pytest.mark.parametrize("which", ["raw", "scored", "raw:dead"])
def test_a_key_that_is_no_stream_is_an_error_and_nothing_is_lost(
    which: str, broker: tuple[Any, str], environment: dict[str, str], cauce_command: Command
) -> None:
    client, address = broker
    raw, scored = f"{address}-raw", f"{address}-scored"
    client.set(f"{stream(address)}-{which}", "something else")
    if which != "raw":
        fill(client, raw, messages(range(10)))
    done = cauce_command("stream", "run", "echo", "--from", raw, "--to", scored, env=environment)
    assert done.returncode == 2, done.stderr.decode()
    assert b"is there already and is no stream" in done.stderr
    assert b"Traceback" not in done.stderr
    if which != "raw":
        client.delete(f"{stream(address)}-{which}")
        again = start("--from", raw, "--to", scored, env=environment)
        until(lambda: client.exists(stream(scored)) and client.xlen(stream(scored)) == 9)
        until(lambda: client.exists(stream(f"{raw}:dead")))
        ended(again)
        assert Counter(one["id"] for one in entries(client, scored)) == wanted(10)


def test_without_the_right_to_write_nothing_is_acknowledged(
    server: Own, environment: dict[str, str], cauce_command: Command
) -> None:
    server.start()
    with client_of(server) as client:
        fill(client, "raw", messages(range(10)))
        for rights in (("+@all", "-xadd", "~*"), ("+@all", "~raw", "~scored")):
            client.execute_command("ACL", "SETUSER", "reader", "reset", "on", ">secret", *rights)
            raw, scored = (f"redis://reader:secret@127.0.0.1:{server.port}/{name}" for name in ("raw", "scored"))
            dead = f"redis://127.0.0.1:{server.port}/dead"
            done = cauce_command("stream", "run", "echo", "--from", raw, "--to", scored, "--dead", dead, env=environment)
            assert done.returncode == 2, done.stderr.decode()
            assert b"refuses" in done.stderr
            assert b"secret" not in done.stderr
            assert client.xinfo_groups("raw")[0]["pending"] == 10
            client.xgroup_destroy("raw", "cauce")


def test_a_message_of_50_mb_is_a_dead_letter_with_its_beginning(broker: tuple[Any, str], environment: dict[str, str]) -> None:
    client, address = broker
    raw, scored = f"{address}-raw", f"{address}-scored"
    good = messages(range(100, 140))
    fill(client, raw, [*good[:20], b'{"id": 1, "text": "' + b"x" * LARGE + b'"}', *good[20:]])
    worker = start("--from", raw, "--to", scored, env=environment)
    until(lambda: client.exists(stream(scored)) and client.xlen(stream(scored)) == 39)
    until(lambda: client.exists(stream(f"{raw}:dead")) and client.xlen(stream(f"{raw}:dead")) == 2)
    most = next(line for line in Path(f"/proc/{worker.pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    ended(worker)
    letter = next(one for one in entries(client, f"{raw}:dead") if one["code"] == "too_large")
    assert (letter["cut"], len(letter["raw"])) == (True, 1 << 16)
    assert json.loads(letter["raw"] + '"}')["id"] == 1
    assert int(most.split()[1]) < 800_000  # kB
