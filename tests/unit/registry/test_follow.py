"""A follower hands over each good version whole, and keeps the old one when the new one is bad."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

import cauce
from cauce.errors import FileGone, UnknownName
from cauce.registry import follow
from cauce.registry.follow import Follower
from cauce.registry.registry import Registry

POLL = 0.02


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


def versions(registry: Registry) -> list[str]:
    return [version.version for version in registry.versions("m")]


@pytest.fixture
def follower(filled: Registry) -> Iterator[Follower]:
    filled.promote(f"m@{versions(filled)[0]}", reason="x")
    with Follower("m", poll=POLL) as made:
        yield made


def test_it_follows_the_pointer(filled: Registry, follower: Follower) -> None:
    first, second, _ = versions(filled)
    before = follower.model
    assert (before.version, follower.status.generation, follower.status.swaps) == (first, 1, 0)
    filled.promote(f"m@{second}", reason="better")
    until(lambda: follower.model.version == second)
    assert (follower.status.version, follower.status.generation, follower.status.swaps) == (second, 2, 1)
    assert follower.status.last_error is None
    assert before.predict(["hola"])[0].label  # whoever took the old one keeps it
    filled.rollback("m")
    until(lambda: follower.model.version == first)


def test_a_damaged_version_is_refused_and_the_old_one_stays(filled: Registry, follower: Follower) -> None:
    first, second, third = versions(filled)
    weights = filled.folders / second / "weights.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    filled.promote(f"m@{second}", reason="x")
    until(lambda: follower.status.last_error)
    assert follower.model.version == follower.status.version == first
    assert (follower.status.generation, follower.status.refused) == (1, 2)
    assert "weights.safetensors does not match" in str(follower.status.last_error)
    filled.promote(f"m@{third}", reason="x")
    until(lambda: follower.model.version == third)
    assert (follower.status.last_error, follower.status.refused) == (None, None)


def test_a_version_that_does_not_answer_as_it_was_saved_is_refused(
    filled: Registry, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, _ = versions(filled)
    monkeypatch.setattr("cauce.model.golden.TOLERANCE", {"linear": -1.0})  # no answer is near enough
    filled.promote(f"m@{second}", reason="x")
    until(lambda: follower.status.last_error)
    assert "golden row 1 differs" in str(follower.status.last_error)
    assert follower.model.version == first


def test_a_refused_version_is_tried_again_ever_less_often(
    filled: Registry, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, second, _ = versions(filled)
    tries: list[float] = []
    monkeypatch.setattr(follow.named, "open_place", lambda *_: tries.append(time.monotonic()) or 1 / 0)
    filled.promote(f"m@{second}", reason="x")
    until(lambda: len(tries) >= 5)
    gaps = [after - before for before, after in pairwise(tries)]
    assert gaps[3] > 2 * gaps[0]
    assert "ZeroDivisionError" in str(follower.status.last_error)
    monkeypatch.undo()
    until(lambda: follower.model.version == second)  # mended: it is taken after all


def test_a_rollback_to_what_is_served_clears_the_error(filled: Registry, follower: Follower) -> None:
    first, second, _ = versions(filled)
    (filled.folders / second / "golden.jsonl").unlink()
    filled.promote(f"m@{second}", reason="x")
    until(lambda: follower.status.refused == 2)
    filled.rollback("m")
    until(lambda: follower.status.generation == 3)
    assert (follower.status.version, follower.status.last_error, follower.status.swaps) == (first, None, 0)


def test_a_pointer_that_cannot_be_read_or_was_removed_keeps_the_model(filled: Registry) -> None:
    first, *_ = versions(filled)
    filled.promote(f"m@{first}", alias="next", reason="x")
    with Follower("m@next", poll=POLL) as follower:
        filled.remove_alias("m", "next")
        until(lambda: "was removed" in str(follower.status.last_error))
        base = filled.database.path
        base.rename(base.with_name("aside"))
        base.write_text("no database" * 100)
        until(lambda: "registry.db" in str(follower.status.last_error))
        assert follower.model.version == first


@pytest.mark.parametrize("swaps", [40, pytest.param(600, marks=pytest.mark.prove)])
def test_many_swaps_under_reads(swaps: int, filled: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, _ = versions(filled)
    models = {version: cauce.load(filled.folders / version) for version in (first, second)}
    monkeypatch.setattr(follow.named, "open_place", lambda place, _: models[str(place.version)])  # loading is not the point
    filled.promote(f"m@{first}", reason="x")
    expected = models[first].predict(["no está mal"]).scores.tolist()
    swapped: list[str] = []
    ended, wrong = threading.Event(), []
    with filled.held(), Follower("m", poll=0.0005, on_swap=lambda model: swapped.append(model.version)) as follower:

        def read() -> None:
            while not ended.is_set():
                model, status = follower.current
                if model.version != status.version or model.predict(["no está mal"]).scores.tolist() != expected:
                    wrong.append(status)

        readers = [threading.Thread(target=read) for _ in range(2)]
        for reader in readers:
            reader.start()
        try:
            for number in range(swaps):
                wanted = (second, first)[number % 2]
                filled.promote(f"m@{wanted}", reason=str(number))
                until(lambda wanted=wanted: follower.model.version == wanted)
        finally:
            ended.set()
            for reader in readers:
                reader.join()
    assert wrong == []
    assert swapped == [(second, first)[number % 2] for number in range(swaps)]
    assert follower.status.swaps == swaps


def test_an_observer_that_fails_does_not_stop_it(filled: Registry, caplog: pytest.LogCaptureFixture) -> None:
    first, second, third = versions(filled)
    filled.promote(f"m@{first}", reason="x")
    with Follower("m", poll=POLL, on_swap=lambda _: 1 / 0) as follower:  # type: ignore[arg-type]
        for version in (second, third):
            filled.promote(f"m@{version}", reason="x")
            until(lambda version=version: follower.model.version == version)
    assert "ZeroDivisionError" in caplog.text


def test_it_may_be_closed_from_its_own_thread_and_more_than_once(filled: Registry) -> None:
    first, second, _ = versions(filled)
    filled.promote(f"m@{first}", reason="x")
    follower = Follower("m", poll=POLL, on_swap=lambda _: follower.close())
    filled.promote(f"m@{second}", reason="x")
    until(lambda: not any(thread.name.startswith("follow m") for thread in threading.enumerate()))
    follower.close()
    assert follower.model.version == second


def test_it_starts_only_with_a_model_that_can_serve(filled: Registry) -> None:
    first, *_ = versions(filled)
    for name in ("m", "nobody", f"m@{first}", "m@next"):
        with pytest.raises(UnknownName):
            Follower(name)
    filled.promote(f"m@{first}", reason="x")
    shutil.rmtree(Path(filled.folders) / first)
    with pytest.raises(FileGone):
        Follower("m")
    assert not any(thread.name.startswith("follow") for thread in threading.enumerate())
