"""The data plane without HTTP: what makes it ready and live, and what runs beside the requests."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from cauce.errors import UnknownModel
from cauce.model.model import echo_model
from cauce.online.plane import Plane, Recorded
from cauce.online.served import Served
from cauce.runtimes.base import Output
from cauce.runtimes.echo import Echo, Texts


@dataclass(frozen=True)
class Fickle(Echo):
    """An echo whose mood can be spoiled."""

    mood: dict[str, float] = field(default_factory=lambda: {"add": 0.0})

    def forward(self, encoded: Texts, output: Output = "logits") -> Any:
        return super().forward(encoded, output) + np.array([0.0, self.mood["add"]])


def run(test: Callable[[Plane], Awaitable[None]], runtime: Echo, **options: Any) -> None:
    served = Served(echo_model(runtime))
    served.load()

    async def whole() -> None:
        plane = Plane([served], **options)
        try:
            await test(plane)
        finally:
            await plane.close()

    asyncio.run(whole())


@pytest.mark.parametrize("bad", [3.0, float("nan")])
def test_a_model_that_answers_a_golden_row_otherwise_is_not_ready_until_it_is_itself_again(bad: float) -> None:
    runtime = Fickle()

    async def test(plane: Plane) -> None:
        await asyncio.sleep(0.1)
        assert (plane.ready, plane.live) == ("", "")
        runtime.mood["add"] = bad
        await asyncio.sleep(0.2)
        assert "another answer than before" in plane.ready
        runtime.mood["add"] = 0.0
        await asyncio.sleep(0.2)
        assert plane.ready == ""

    run(test, runtime, every=0.02)


def test_a_call_that_takes_too_long_is_not_live_and_an_idle_plane_is() -> None:
    async def test(plane: Plane) -> None:
        await asyncio.sleep(0.5)
        assert plane.live == ""
        asking = asyncio.create_task(plane.predict(["a"]))
        await asyncio.sleep(0.3)
        assert "a call has been running" in plane.live
        await asking
        await asyncio.sleep(0)
        assert plane.live == ""

    run(test, Echo(delay=0.4, batching="single"), max_call=0.2, every=60)


def test_an_observer_that_fails_costs_nobody_an_answer(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[Recorded] = []

    def fails(_: Recorded) -> None:
        raise RuntimeError("full")

    async def test(plane: Plane) -> None:
        assert (await plane.predict(["banana"], request_id="r1")).result[0].label == "many_a"

    with caplog.at_level(logging.ERROR):
        run(test, Echo(), observers=[fails, seen.append])
    assert [(one.id, one.reply.name, list(one.rows)) for one in seen] == [("r1", "echo", ["banana"])]
    assert "an observer failed" in caplog.text


def test_a_model_or_version_that_is_not_served_is_named() -> None:
    async def test(plane: Plane) -> None:
        version = plane.find(None).model.version
        assert plane.find(f"echo@{version[:6]}") is plane.find(None, version[:6]) is plane.find("echo")
        with pytest.raises(UnknownModel, match="eco"):
            plane.find("eco")
        with pytest.raises(UnknownModel, match="ffff"):
            plane.find("echo", "ffff")

    run(test, Echo())
