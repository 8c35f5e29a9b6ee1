"""`cauce stream` as a team runs it, with workers that are killed and brokers that go away."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from brokers import own_redis, streams

Command = Callable[..., subprocess.CompletedProcess[bytes]]
COUNT = 600
STEPS = ("stream.fetched", "stream.predicted", "stream.written", "stream.acknowledged")
PART_STEPS = ("part.written", "part.renamed", *STEPS)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Small batches, short parts, and a quick take-over."""
    small = {"MAX_BATCH": "50", "PART_SECONDS": "0.05", "TAKEOVER": "1"}
    return {
        **os.environ,
        "CAUCE_HOME": str(tmp_path / "home"),
        **{f"CAUCE_STREAM_{name}": value for name, value in small.items()},
    }


@pytest.fixture
def broker() -> Iterator[tuple[Any, str]]:
    with streams() as found:
        yield found


def messages(count: int = COUNT) -> list[bytes]:
    """One in 100 cannot be answered."""
    return [json.dumps({"id": n, "text": "" if n % 100 == 7 else f"me encanta {n}"}).encode() for n in range(count)]


def fill(client: Any, address: str, count: int = COUNT) -> None:
    with client.pipeline() as together:
        for one in messages(count):
            together.xadd(address.rpartition("/")[2], {"data": one})
        together.execute()


def ids(client: Any, address: str) -> list[int]:
    return [json.loads(fields[b"data"])["id"] for _, fields in client.xrange(address.rpartition("/")[2])]


def start(*arguments: str, env: dict[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "cauce", "stream", "run", "echo", *arguments]
    return subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def ended(process: subprocess.Popen[bytes]) -> str:
    """Told to end, and does."""
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said.decode()
    return said.decode()


def wanted(count: int = COUNT) -> Counter[int]:
    return Counter(n for n in range(count) if n % 100 != 7)


def check_killed(step: str, broker: tuple[Any, str], environment: dict[str, str]) -> None:
    client, address = broker
    raw, scored = f"{address}-raw", f"{address}-scored"
    fill(client, raw)
    killed = start("--from", raw, "--to", scored, env={**environment, "CAUCE_FAULT": step})
    other = start("--from", raw, "--to", scored, env=environment) if "fetched" in step else None
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    heir = other or start("--from", raw, "--to", scored, env=environment)
    until(lambda: len(ids(client, scored)) >= COUNT - 6)
    until(lambda: client.xinfo_groups(raw.rpartition("/")[2])[0]["pending"] == 0)
    ended(heir)
    assert Counter(ids(client, scored)) == wanted()
    assert client.xlen(f"{raw}:dead".rpartition("/")[2]) == 6


@pytest.mark.parametrize("step", ["stream.written:1", "stream.acknowledged:1"])
def test_a_killed_worker_s_messages_are_taken_over_and_each_result_is_there_once(
    step: str, broker: tuple[Any, str], environment: dict[str, str]
) -> None:
    check_killed(step, broker, environment)


@pytest.mark.prove
@pytest.mark.parametrize("nth", [1, 3])
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_every_step_each_result_is_there_once(
    step: str, nth: int, broker: tuple[Any, str], environment: dict[str, str]
) -> None:
    check_killed(f"{step}:{nth}", broker, environment)


@pytest.mark.prove
def test_killed_30_times_at_random_with_three_workers_each_of_20000_results_is_there_once(
    broker: tuple[Any, str], environment: dict[str, str]
) -> None:
    client, address = broker
    raw, scored, count, dice = f"{address}-raw", f"{address}-scored", 20_000, random.Random(5)
    fill(client, raw, count)
    slow = {**environment, "CAUCE_STREAM_MAX_BATCH": "20"}
    workers = [start("--from", raw, "--to", scored, env=slow) for _ in range(3)]
    kills = 0
    while kills < 30:
        time.sleep(dice.uniform(0.2, 1.5))
        unlucky = dice.randrange(3)
        workers[unlucky].kill()
        workers[unlucky].communicate()
        kills += workers[unlucky].returncode == -signal.SIGKILL
        workers[unlucky] = start("--from", raw, "--to", scored, env=slow)
    until(lambda: client.xlen(scored.rpartition("/")[2]) >= count - 200, 300)
    until(lambda: client.xinfo_groups(raw.rpartition("/")[2])[0]["pending"] == 0)
    for one in workers:
        one.terminate()
        one.communicate(timeout=60)
        assert one.returncode in (0, -signal.SIGTERM)  # one that had only begun holds nothing yet
    assert Counter(ids(client, scored)) == wanted(count)


def check_files(step: str, tmp_path: Path, environment: dict[str, str]) -> None:
    posts, out = tmp_path / "posts.jsonl", tmp_path / "out"
    posts.write_bytes(b"".join(one + b"\n" for one in messages()))
    killed = start("--from", f"file:{posts}", "--to", f"file:{out}", env={**environment, "CAUCE_FAULT": step})
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    again = start("--from", f"file:{posts}", "--to", f"file:{out}", env=environment)
    _, said = again.communicate(timeout=60)
    assert again.returncode in (0, 5), said.decode()
    found = [json.loads(line)["id"] for part in out.glob("part-*") for line in part.read_text("utf-8").splitlines()]
    assert Counter(found) == wanted()
    assert not list(out.rglob("*.tmp"))


@pytest.mark.parametrize("step", ["part.renamed:2"])
def test_killed_while_it_writes_files_each_result_is_there_once(step: str, tmp_path: Path, environment: dict[str, str]) -> None:
    check_files(step, tmp_path, environment)


@pytest.mark.prove
@pytest.mark.parametrize("step", PART_STEPS)
def test_killed_at_every_step_of_a_file_each_result_is_there_once(
    step: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    check_files(step, tmp_path, environment)


def test_a_broker_that_is_down_is_waited_for_and_one_that_goes_away_comes_back(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    with own_redis(tmp_path) as server:
        raw, scored = (f"redis://127.0.0.1:{server.port}/{name}" for name in ("raw", "scored"))
        refused = start("--from", raw, "--to", scored, "--wait", "0", env=environment)
        _, said = refused.communicate(timeout=60)
        assert refused.returncode == 4
        assert b"error: the Redis at 127.0.0.1" in said
        worker = start("--from", raw, "--to", scored, env=environment)
        time.sleep(3)
        server.start()
        import redis

        client: Any = redis.Redis(port=server.port, protocol=2)
        fill(client, raw, 50)
        until(lambda: bool(client.xlen("scored") == 50 - 1))
        server.stop()
        time.sleep(1)
        server.start()
        fill(client, raw, 50)  # the same messages again: known
        client.xadd("raw", {"text": "hola"})
        until(lambda: bool(client.xlen("scored") == 50))
        said_of_worker = ended(worker)
        client.close()
    assert "trying again" in said_of_worker
    assert "the broker is back" in said_of_worker
    assert "49 known already" in said_of_worker


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


@pytest.mark.parametrize(
    ("from_", "to", "code", "said"),
    [
        ("kafka2://host/raw", "-", 2, '"kafka2:" is no place of a stream'),
        ("posts.jsonl", "-", 2, "without a scheme"),
        ("redis://localhost", "-", 2, "names no stream"),
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


def test_a_full_disk_says_so_and_the_same_command_goes_on(
    tmp_path: Path, environment: dict[str, str], cauce_command: Command
) -> None:
    def small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))

    posts, out = tmp_path / "posts.jsonl", tmp_path / "out"
    posts.write_bytes(b"".join(one + b"\n" for one in messages()))
    command = ("stream", "run", "echo", "--from", f"file:{posts}", "--to", f"file:{out}")
    one_part = {**environment, "CAUCE_STREAM_PART_SECONDS": "60"}
    full = cauce_command(*command, env=one_part, preexec_fn=small_files)
    assert full.returncode == 4, full.stderr.decode()
    assert b"no space left" in full.stderr
    assert cauce_command(*command, env=one_part).returncode == 5
    found = [json.loads(line)["id"] for part in out.glob("part-*") for line in part.read_text("utf-8").splitlines()]
    assert Counter(found) == wanted()


def test_dead_letters_are_seen_and_given_out_again(
    broker: tuple[Any, str], environment: dict[str, str], cauce_command: Command
) -> None:
    client, address = broker
    raw, scored, dead = f"{address}-raw", f"{address}-scored", f"{address}-raw:dead"
    fill(client, raw, 10)
    worker = start("--from", raw, "--to", scored, env=environment)
    until(lambda: len(ids(client, scored)) == 9)
    ended(worker)
    (state,) = json.loads(cauce_command("stream", "status", "--from", raw, "--json", env=environment).stdout)
    assert (state["name"], state["waiting"], state["held"]) == ("cauce", 0, 0)
    done = cauce_command("stream", "redrive", "--dead", dead, "--to", raw, "--json", env=environment)
    assert json.loads(done.stdout) == {"redriven": {"empty_text": 1}, "left": {}}, done.stderr.decode()
    assert client.xlen(dead.rpartition("/")[2]) == 0
    (state,) = json.loads(cauce_command("stream", "status", "--from", raw, "--json", env=environment).stdout)
    assert state["waiting"] == 1
