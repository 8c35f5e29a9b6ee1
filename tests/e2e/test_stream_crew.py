"""Several workers under one parent: those that die, those that are told to end, and how long they may take."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from brokers import own_redis, streams
from crews import Start, children, ended, fill, free_port, listens, name_of, results, small, starter, until

from cauce.stream.crew import Crew
from cauce.stream.process import Process

Command = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return small(tmp_path / "home")


@pytest.fixture
def start() -> Iterator[Start]:
    with starter() as found:
        yield found


@pytest.fixture
def broker() -> Iterator[tuple[Any, str]]:
    with streams() as found:
        yield found


def test_a_worker_that_is_killed_is_started_again_and_ctrl_c_ends_all_with_their_counts_added_up(
    broker: tuple[Any, str], environment: dict[str, str], start: Start
) -> None:
    client, address = broker
    raw, scored = f"{address}-raw", f"{address}-scored"
    fill(client, raw, range(500))
    crew = start("run", "echo", "--from", raw, "--to", scored, "--workers", "2", env=environment)
    until(lambda: client.xlen(name_of(scored)) == 500 and len(children(crew.pid)) == 2)
    before = children(crew.pid)
    time.sleep(1)  # what a worker counted in its last half second goes with it
    os.kill(before[0], signal.SIGKILL)
    until(lambda: len(children(crew.pid)) == 2 and children(crew.pid) != before)
    fill(client, raw, range(500, 1000))
    until(lambda: client.xlen(name_of(scored)) == 1000)
    workers = children(crew.pid)
    said = ended(crew, by=signal.SIGINT)
    assert results(client, scored) == Counter(range(1000))
    assert "was killed by SIGKILL: it is started again in 0.5 s" in said
    assert said.splitlines()[-1] == "1,000 messages, 1,000 answered"
    assert not any(Path(f"/proc/{one}").exists() for one in workers)


def test_a_stream_of_the_file_runs_by_its_name_and_each_of_its_workers_has_metrics(
    broker: tuple[Any, str], environment: dict[str, str], tmp_path: Path, start: Start
) -> None:
    client, address = broker
    raw, scored, port = f"{address}-raw", f"{address}-scored", free_port()
    said = f'[stream.cafe]\nmodel = "echo"\nfrom = "{raw}"\nto = "{scored}"\nworkers = 2\nmetrics = "{port}"\n'
    (tmp_path / "cauce.toml").write_text(said, encoding="utf-8")
    fill(client, raw, range(200))
    crew = start("run", "--name", "cafe", env=environment, cwd=tmp_path)
    until(lambda: client.xlen(name_of(scored)) == 200 and len(children(crew.pid)) == 2)
    pages = list[dict[str, str]]()
    for number in (0, 1):
        until(lambda number=number: listens(port + number))
        with urlopen(f"http://127.0.0.1:{port + number}/metrics") as answer:
            pages.append(dict(line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if line[0] != "#"))
    ended(crew)
    assert sum(float(page["cauce_stream_results_total"]) for page in pages) == 200
    assert [page["cauce_stream_lag_messages"] for page in pages] == ["0.0", "0.0"]


def test_fewer_workers_are_wanted_and_the_last_one_is_told_to_end(broker: tuple[Any, str]) -> None:
    client, address = broker
    raw, scored, told, codes = f"{address}-raw", f"{address}-scored", threading.Event(), list[int]()
    job = {"given": {"model": "echo", "from_": raw, "to": scored}}
    crew = Crew(lambda number: Process(("stream", "worker"), {"number": number, **job}, {}), 2, 3, lambda line: None)
    thread = threading.Thread(target=lambda: codes.append(crew.run(told.is_set)))
    thread.start()
    until(lambda: crew.running == 2)
    crew.wanted = 1
    until(lambda: crew.running == 1)
    fill(client, raw, range(100))
    until(lambda: crew.counts.out == 100)
    told.set()
    thread.join(60)
    assert (codes, crew.running) == ([0], 0)
    assert results(client, scored) == Counter(range(100))


def test_workers_do_not_outlive_a_parent_that_is_killed(
    broker: tuple[Any, str], environment: dict[str, str], start: Start
) -> None:
    client, address = broker
    raw, scored = f"{address}-raw", f"{address}-scored"
    fill(client, raw, range(100))
    crew = start("run", "echo", "--from", raw, "--to", scored, "--workers", "2", env=environment)
    until(lambda: client.xlen(name_of(scored)) == 100 and len(children(crew.pid)) == 2)
    workers = children(crew.pid)
    crew.kill()
    crew.communicate()
    until(lambda: not any(Path(f"/proc/{one}").exists() for one in workers))
    assert client.xinfo_groups(name_of(raw))[0]["pending"] == 0


def test_a_worker_that_dies_each_time_is_given_up(broker: tuple[Any, str], environment: dict[str, str], start: Start) -> None:
    client, address = broker
    raw = f"{address}-raw"
    fill(client, raw, range(10))
    dies = {**environment, "CAUCE_FAULT": "stream.fetched", "CAUCE_STREAM_MAX_ATTEMPTS": "1"}
    crew = start("run", "echo", "--from", raw, "--to", f"{address}-scored", "--workers", "2", env=dies)
    _, said = crew.communicate(timeout=100)
    assert crew.returncode == 1
    assert "times in a row, and nothing was answered between" in said.decode()


def test_what_is_wrong_for_all_workers_is_said_once_and_is_the_exit_code(
    broker: tuple[Any, str], environment: dict[str, str], cauce_command: Command
) -> None:
    places = ("--from", f"{broker[1]}-raw", "--to", f"{broker[1]}-scored", "--workers", "3")
    done = cauce_command("stream", "run", "nowhere", *places, env=environment)
    assert done.returncode == 2
    assert done.stderr.count(b"error:") == 1


def test_several_workers_for_one_file_are_refused(tmp_path: Path, environment: dict[str, str], cauce_command: Command) -> None:
    places = ("--from", "file:posts.jsonl", "--to", "file:out", "--workers", "2")
    done = cauce_command("stream", "run", "echo", *places, env=environment, cwd=tmp_path)
    assert done.returncode == 2
    assert b'several workers cannot share "file:posts.jsonl": its lines are read in order' in done.stderr


def test_a_name_for_workers_that_have_none_is_refused(
    tmp_path: Path, environment: dict[str, str], cauce_command: Command
) -> None:
    places = ("--from", "file:posts.jsonl", "--to", "file:out", "--worker-name", "w1")
    done = cauce_command("stream", "run", "echo", *places, env=environment, cwd=tmp_path)
    assert (done.returncode, b"workers have no names there" in done.stderr) == (2, True), done.stderr.decode()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_worker_that_cannot_end_in_time_ends_at_once_and_loses_nothing(
    workers: str, tmp_path: Path, environment: dict[str, str], start: Start
) -> None:
    with own_redis(tmp_path) as server:
        server.start()
        import redis

        client: Any = redis.Redis(port=server.port, protocol=2)
        raw, scored = (f"redis://127.0.0.1:{server.port}/{name}" for name in ("raw", "scored"))
        places = ("--from", raw, "--to", scored)
        fill(client, raw, range(100))
        worker = start("run", "echo", *places, "--workers", workers, env={**environment, "CAUCE_STREAM_DRAIN": "1"})
        until(lambda: client.xlen("scored") == 100)
        server.pause()
        began = time.monotonic()
        said = ended(worker, 4)
        took = time.monotonic() - began
        server.resume()
        assert "1 s have passed: ending at once" in said
        assert took < 25, said
        fill(client, raw, range(100, 200))
        heir = start("run", "echo", *places, env=environment)
        until(lambda: client.xlen("scored") == 200)
        ended(heir)
        assert results(client, scored) == Counter(range(200))
        client.close()
