"""Workers of `cauce stream` are killed, at every step and at random: each result is there, and once."""

from __future__ import annotations

import json
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from brokers import Jetstream, jetstream
from nats.js.errors import NotFoundError
from streaming import Worker, ended, entries, fill, held, killed, messages, rows, start, stream, until, wanted

from cauce.settings import Stream
from cauce.stream import places
from cauce.stream.patience import Patience
from cauce.stream.schemes import Opening

COUNT = 600
STEPS = ("stream.fetched", "stream.predicted", "stream.written", "stream.acknowledged")
PART_STEPS = ("part.written", "part.renamed", *STEPS)
SLOW = 0.005  # seconds a message
UNHURRIED = {"CAUCE_STREAM_MAX_BATCH": "20", "SLOW": "0.002"}  # it comes to every step several times
Broker = tuple[Any, str]
Environment = dict[str, str]


class Way:
    """From a Redis to a Redis or to a folder.

    Attributes:
        raw, to, dead: addresses.

    """

    def __init__(self, broker: Broker, folder: Path | None) -> None:
        self.client, address = broker
        self.raw, self._folder = f"{address}-raw", folder
        self.to, self.dead = f"file:{folder}" if folder else f"{address}-scored", f"{self.raw}:dead"

    def start(self, env: Environment, *, deadly: bool = False) -> Worker:
        return start("--from", self.raw, "--to", self.to, env=env, deadly=deadly)

    def put(self, these: list[bytes]) -> None:
        fill(self.client, self.raw, these)

    def answered(self) -> Counter[int]:
        return Counter(one["id"] for one in (rows(self._folder) if self._folder else entries(self.client, self.to)))

    def dead_letters(self) -> list[dict[str, Any]]:
        return entries(self.client, self.dead)

    def done(self) -> bool:
        """Whether nothing waits and nobody holds anything."""
        (group,) = self.client.xinfo_groups(stream(self.raw)) or [{"lag": 1}]
        return group["lag"] == 0 and group["pending"] == 0


class OverNats:
    """From a NATS to the same."""

    def __init__(self, client: Jetstream, address: str) -> None:
        self.client, self.raw, self.to = client, f"{address}-raw", f"{address}-scored"

    def start(self, env: Environment, *, deadly: bool = False) -> Worker:
        return start("--from", self.raw, "--to", self.to, env=env, deadly=deadly)

    def put(self, these: list[bytes]) -> None:
        self.client.put(stream(self.raw), these)

    def answered(self) -> Counter[int]:
        return Counter(json.loads(one)["id"] for one in self.client.entries(stream(self.to)))

    def dead_letters(self) -> list[dict[str, Any]]:
        with suppress(NotFoundError):
            return [json.loads(one) for one in self.client.entries(f"{stream(self.raw)}.dead")]
        return []

    def done(self) -> bool:
        groups = places.groups(self.raw, Opening(Stream(), Patience(0, print, Event())))
        return [(one.waiting, one.held) for one in groups if one.name == "cauce"] == [(0, 0)]


def letters(way: Way | OverNats) -> Counter[str]:
    return Counter(one["code"] for one in way.dead_letters())


@pytest.fixture(params=["redis to redis", "redis to a folder"])
def way(request: pytest.FixtureRequest, broker: Broker, tmp_path: Path) -> Way:
    return Way(broker, tmp_path / "out" if "folder" in request.param else None)


def check_step(step: str, way: Way, environment: Environment) -> None:
    way.put(messages(range(COUNT)))
    one = way.start({**environment, **UNHURRIED, "CAUCE_FAULT": step}, deadly=True)
    one.communicate(timeout=60)
    assert one.returncode == -signal.SIGKILL  # it came there
    heir = way.start(environment)
    until(way.done)
    ended(heir)
    assert way.answered() == wanted(COUNT)
    assert letters(way) == {"empty_text": COUNT // 100}


@pytest.mark.parametrize("step", ["stream.written:1", "stream.acknowledged:1"])
def test_a_killed_worker_s_messages_are_taken_over_and_each_result_is_there_once(
    step: str, broker: Broker, environment: Environment
) -> None:
    check_step(step, Way(broker, None), environment)


@pytest.mark.prove
@pytest.mark.parametrize("nth", [1, 3])
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_every_step_each_result_is_there_once(step: str, nth: int, way: Way, environment: Environment) -> None:
    check_step(f"{step}:{nth}", way, environment)


def check_random(kills: int, each: int, count: int, way: Way, environment: Environment) -> None:
    """Workers of a slow model are killed while they hold messages; others follow them, and more messages come."""
    dice, env = random.Random(5), {**environment, "CAUCE_STREAM_MAX_BATCH": "20", "SLOW": str(SLOW)}
    workers = [way.start(env, deadly=True) for _ in range(count)]
    rounds, done = 0, 0
    while done < kills:
        way.put(messages(range(rounds * each, (rounds + 1) * each)))
        rounds += 1
        until(lambda: any(one.pid in held(way.client, way.raw) for one in workers))
        unlucky = dice.choice([one for one in workers if one.pid in held(way.client, way.raw)] or workers)
        # Not always over the first that it takes: that one would be thought to be the reason.
        time.sleep(dice.uniform(0, each * SLOW / count / 2))
        killed(unlucky)
        done += unlucky.pid in held(way.client, way.raw)  # it died over its work
        workers[workers.index(unlucky)] = way.start(env, deadly=True)
    until(way.done, 300)
    for one in workers:
        one.terminate()
        _, said = one.communicate(timeout=60)
        assert one.returncode in (0, -signal.SIGTERM), said.decode()  # one that had only begun holds nothing yet
    whole = rounds * each
    assert way.answered() == wanted(whole)
    assert letters(way) == {"empty_text": whole // 100}


def test_killed_at_random_over_their_work_each_result_is_there_once(way: Way, environment: Environment) -> None:
    check_random(3, 100, 2, way, environment)


@pytest.mark.prove
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("count", [2, 4])
def test_30_kills_over_20000_messages_leave_each_result_there_once(count: int, way: Way, environment: Environment) -> None:
    check_random(30, 700, count, way, environment)


@pytest.mark.prove
def test_what_a_worker_at_full_speed_held_is_answered_within_10_seconds(way: Way, environment: Environment) -> None:
    env = {name: value for name, value in environment.items() if not name.startswith("CAUCE_STREAM_")}  # nothing is set
    for block in range(20):
        way.put(messages(range(block * 10_000, (block + 1) * 10_000)))
    one, heir = way.start(env), way.start(env)
    until(lambda: held(way.client, way.raw).get(one.pid, 0) > 10_000)
    killed(one)
    left = held(way.client, way.raw)[one.pid]
    until(lambda: one.pid not in held(way.client, way.raw), 10)
    assert left > 10_000
    until(way.done)
    ended(heir)
    assert way.answered() == wanted(200_000)


def check_poison(attempts: int, way: Way | OverNats, environment: Environment) -> None:
    """One message of 100 kills whoever reads it: it alone becomes a dead letter, and after so many workers."""
    poison = b'{"id": 40, "text": "veneno"}'
    good = messages(range(100, 200))
    way.put([*good[:40], poison, *good[40:]])
    env = {**environment, "CAUCE_STREAM_MAX_BATCH": "101", "CAUCE_STREAM_TAKEOVER": "0.5"}
    env |= {"CAUCE_STREAM_MAX_ATTEMPTS": str(attempts), "CAUCE_STREAM_PART_SECONDS": "2"}
    deaths, worker = 0, way.start(env, deadly=True)
    end = time.monotonic() + 30 * attempts
    while not (way.done() and "too_many_attempts" in letters(way)):
        assert time.monotonic() < end
        if worker.poll() is None:
            time.sleep(0.05)
            continue
        killed(worker)
        deaths += 1
        worker = way.start(env, deadly=True)
    ended(worker)
    assert deaths == attempts
    assert letters(way) == {"too_many_attempts": 1, "empty_text": 1}
    (letter,) = [one for one in way.dead_letters() if one["code"] == "too_many_attempts"]
    assert (letter["raw"].encode(), letter["attempts"]) == (poison, attempts + 1)
    assert way.answered() == {n: 1 for n in range(100, 200) if n != 107}


def test_a_message_that_kills_its_workers_takes_no_neighbor_along(way: Way, environment: Environment) -> None:
    check_poison(3, way, environment)


@pytest.mark.parametrize("attempts", [2, pytest.param(5, marks=pytest.mark.prove)])
def test_a_message_that_kills_its_workers_on_nats_takes_no_neighbor_along(attempts: int, environment: Environment) -> None:
    with jetstream() as (client, address):
        check_poison(attempts, OverNats(client, address), environment)


@pytest.mark.prove
def test_a_message_that_kills_five_workers_takes_no_neighbor_along(way: Way, environment: Environment) -> None:
    check_poison(5, way, environment)


def from_file(tmp_path: Path, count: int) -> tuple[Path, Callable[..., Worker]]:
    posts, out = tmp_path / "posts.jsonl", tmp_path / "out"
    posts.write_bytes(b"".join(one + b"\n" for one in messages(range(count))))
    return out, lambda env, **how: start("--from", f"file:{posts}", "--to", f"file:{out}", env=env, **how)


def check_out(out: Path, last: Worker, count: int) -> None:
    _, said = last.communicate(timeout=300)
    assert last.returncode == 5, said.decode()
    assert Counter(one["id"] for one in rows(out)) == wanted(count)
    letters = Counter((one["place"], one["code"]) for one in rows(out / "dead_letters"))
    assert Counter(code for _, code in letters) == {"empty_text": count // 100}
    assert not list(out.rglob("*.tmp"))


def check_files(step: str, tmp_path: Path, environment: Environment) -> None:
    out, begin = from_file(tmp_path, COUNT)
    one = begin({**environment, **UNHURRIED, "CAUCE_FAULT": step}, deadly=True)
    one.communicate(timeout=60)
    assert one.returncode == -signal.SIGKILL
    check_out(out, begin(environment), COUNT)


def test_killed_while_it_writes_files_each_result_is_there_once(tmp_path: Path, environment: Environment) -> None:
    check_files("part.renamed:2", tmp_path, environment)


@pytest.mark.prove
@pytest.mark.parametrize("step", PART_STEPS)
def test_killed_at_every_step_of_a_file_each_result_is_there_once(step: str, tmp_path: Path, environment: Environment) -> None:
    check_files(step, tmp_path, environment)


def check_random_files(kills: int, count: int, tmp_path: Path, environment: Environment) -> None:
    out, begin = from_file(tmp_path, count)
    dice, env = random.Random(5), {**environment, "CAUCE_STREAM_MAX_BATCH": "20", "SLOW": "0.001"}
    for _ in range(kills):
        before, one = set(out.glob("part-*")), begin(env, deadly=True)
        until(lambda before=before: set(out.glob("part-*")) - before)  # type: ignore[misc]
        time.sleep(dice.uniform(0, 0.3))
        assert one.poll() is None  # it is still at it
        killed(one)
    check_out(out, begin(environment), count)


def test_killed_at_random_while_it_reads_a_file_each_result_is_there_once(tmp_path: Path, environment: Environment) -> None:
    check_random_files(3, 2_000, tmp_path, environment)


@pytest.mark.prove
@pytest.mark.timeout(1200)
def test_30_kills_over_a_file_of_20000_messages_leave_each_result_there_once(tmp_path: Path, environment: Environment) -> None:
    check_random_files(30, 20_000, tmp_path, environment)
