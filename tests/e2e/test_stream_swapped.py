"""A worker follows a registered model through promotions, one of them of a damaged one: nothing is lost, nothing double."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections import Counter
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from streaming import ended, entries, fill, messages, start, stream, until, wanted

from cauce.model.sealed import render

Command = Callable[..., subprocess.CompletedProcess[bytes]]
Promote = Callable[[str], None]
TICK = 0.02  # seconds between two handfuls of messages


@pytest.fixture
def promote(environment: dict[str, str], cauce_command: Command) -> Promote:
    def promoted(version: str) -> None:
        done = cauce_command("models", "promote", f"mood@{version[:12]}", "--reason", "next", env=environment)
        assert done.returncode == 0, done.stderr.decode()

    return promoted


@pytest.fixture
def versions(
    model_folder: Path, tmp_path: Path, environment: dict[str, str], cauce_command: Command, promote: Promote
) -> list[str]:
    """Four versions of `mood`: the first is the champion, the last was damaged where it is kept."""
    found = []
    for name in ("a", "b", "c", "bad"):
        place = Path(shutil.copytree(model_folder, tmp_path / name))
        fields = json.loads((place / "cauce.json").read_text("utf-8"))
        (place / "cauce.json").write_bytes(render({**fields, "name": name}))
        done = cauce_command("models", "register", "mood", place, "--json", env=environment)
        found.append(json.loads(done.stdout)["version"])
    (weights,) = Path(environment["CAUCE_HOME"]).rglob(f"{found[-1]}/weights.safetensors")
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    promote(found[0])
    return found


class Feeding:
    """Adds a handful of messages every `TICK` seconds.

    Attributes:
        fed: how many were added.

    """

    def __init__(self, client: Any, address: str, handful: int) -> None:
        self._client, self._address, self._handful = client, address, handful
        self.fed = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._feed)

    def __enter__(self) -> Feeding:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _feed(self) -> None:
        while not self._stop.wait(TICK):
            fill(self._client, self._address, messages(range(self.fed, self.fed + self._handful)))
            self.fed += self._handful


@pytest.fixture
def said(tmp_path: Path) -> Callable[[], str]:
    """What the worker says: its stderr goes to the file `said`."""
    return lambda: (tmp_path / "said").read_text("utf-8")


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("order", "count"), [("b!", 3_000), pytest.param("bc!ab", 50_000, marks=pytest.mark.prove)], ids=["2", "5"]
)
def test_promotions_are_followed_in_order_and_a_bad_one_never_answers(
    order: str,
    count: int,
    versions: list[str],
    promote: Promote,
    said: Callable[[], str],
    broker: tuple[Any, str],
    environment: dict[str, str],
    tmp_path: Path,
) -> None:
    """Promotions in this order, `!` of the bad one, while messages come."""
    client, address = broker
    raw, scored = f"{address}-raw", f"{address}-scored"
    named = dict(zip("abc!", versions, strict=True))

    def latest() -> str:
        found = client.xrevrange(stream(scored), count=1)
        return json.loads(found[0][1][b"data"])["version"] if found else ""

    with (tmp_path / "said").open("wb") as stderr:
        worker = start("mood", "--from", raw, "--to", scored, env=environment, stderr=stderr)
        try:
            with Feeding(client, raw, count // 300) as feeding:
                until(lambda: latest() == named["a"])
                for turn, name in enumerate(order, 1):
                    until(lambda turn=turn: feeding.fed >= turn * count // (len(order) + 1))  # type: ignore[misc]
                    promote(named[name])
                    if name == "!":
                        before = client.xlen(stream(scored))
                        until(lambda: "stays at" in said())
                        until(lambda before=before: client.xlen(stream(scored)) > before + 100)  # type: ignore[misc]
                    else:
                        until(lambda name=name: latest() == named[name])  # type: ignore[misc]
                until(lambda: feeding.fed >= count)
            until(lambda: client.xlen(stream(scored)) >= wanted(feeding.fed).total(), 120)
        finally:
            ended(worker)
    found = entries(client, scored)
    assert Counter(one["id"] for one in found) == wanted(feeding.fed)
    good = [name for name in "a" + order if name != "!"]
    assert [version for version, _ in groupby(one["version"] for one in found)] == [named[name] for name in good]
    assert f"stays at {named[order[order.index('!') - 1]][:12]}: " in said()
    assert "weights.safetensors does not match" in said()
    assert said().count("answers from here on") == len(good) - 1
