"""The data plane: validate, admit, schedule, predict, record. HTTP is one of its callers; nothing here knows of it.

It lives on an event loop; the models compute on threads of their own.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cauce.errors import InputError, TextTooLong, UnknownModel, WrongRows, nearest
from cauce.model.model import Model
from cauce.model.predictions import Predictions
from cauce.online.admission import Admission, Load
from cauce.online.scheduler import Scheduler
from cauce.online.served import Served, Version
from cauce.online.speed import EXAMPLES
from cauce.online.work import Kind, Result, Work

log = logging.getLogger("cauce.online")

WAIT = 30.0  # seconds that a request waits where it does not say
GOLDEN, MOVED = "Hola, buenos días", 0.05  # the row that proves a model, and how far a score may be off


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a request, and where the time went.

    Attributes:
        name: under which the model is served.
        result: `Predictions`, or vectors as an Arrow array.
        queue, tokenize, infer, total: seconds before the first call, in calls (reading the rows, and the engine), and in all.

    """

    name: str
    result: Result
    model: Model
    queue: float
    tokenize: float
    infer: float
    total: float


@dataclass(frozen=True, slots=True)
class Recorded:
    """A request that was answered, for whoever keeps a log."""

    reply: Reply
    rows: Sequence[Any]
    id: str


class Plane:
    """Several models that answer.

    Args:
        served: opened (`Served.load`); a request that names none gets the first.
        max_rows: rows that may wait in all.
        max_call: seconds after which a call that has not ended will not.
        every: seconds between two golden rows.
        observers: called with each request that was answered; what they raise is logged and lost.

    Raises:
        InputError: two models of one name.

    """

    def __init__(
        self,
        served: Sequence[Served],
        *,
        max_rows: int = 20_000,
        max_call: float = 60.0,
        every: float = 5.0,
        observers: Sequence[Callable[[Recorded], None]] = (),
    ) -> None:
        self.served = {one.name: one for one in served}
        if len(self.served) < len(served):
            raise InputError("two models have one name", hint="name them: cauce serve mine=FOLDER theirs=FOLDER")
        self.max_call, self.observers = max_call, list(observers)
        self.disagreed = self.shadowed = 0
        self._background: set[asyncio.Task[None]] = set()
        self.load = Load()
        for one in served:
            one.start(self.load)
        self.admission = Admission(self.load, max_rows)
        self._provers = [asyncio.get_running_loop().create_task(_prove(one, every)) for one in served]

    def find(self, name: str | None, version: str | None = None, sticky: str | None = None) -> Version:
        """The version of a model that answers a request; without a name that of the default model.

        A canary is drawn here: a request asks once.

        Args:
            version: its beginning.
            sticky: see `Served.version`.

        Raises:
            UnknownModel

        """
        if name is None:
            return next(iter(self.served.values())).version(version, sticky)
        name, _, prefix = name.partition("@")
        if name not in self.served:
            raise UnknownModel(
                f'no model "{name}" is served', hint=nearest(name, self.served) or f"served: {', '.join(self.served)}"
            )
        return self.served[name].version(version or prefix or None, sticky)

    async def predict(
        self,
        rows: Sequence[Any],
        chosen: Version | None = None,
        *,
        kind: Kind = "labels",
        deadline: float | None = None,
        truncate: bool = True,
        request_id: str = "",
    ) -> Reply:
        """Answer rows, texts or dicts.

        Args:
            chosen: what `find` gave; without it the default model.
            deadline: of the monotonic clock.
            truncate: without it a text over the model's limit is refused rather than cut.

        Raises:
            Overloaded, Expired, NotReady
            InputError: no rows, or the model gives no answers of this kind.
            WrongRows: texts for a model of several columns.
            TextTooLong, BodyTooLarge

        """
        chosen = chosen or self.find(None)
        if not rows:
            raise InputError("there are no rows", hint="send one row or more")
        columns = chosen.model.manifest.inputs
        if len(columns) > 1 and not any(isinstance(row, dict) for row in rows):
            names = ", ".join(one.name for one in columns)
            raise WrongRows("this model reads several columns, texts are not enough", hint=f"send objects with: {names}")
        if (kind == "labels") == (chosen.model.task == "embedding"):
            wanted, has = ("labels", "vectors") if kind == "labels" else ("vectors", "labels")
            if kind == "labels" or not hasattr(chosen.model.runtime, "width"):
                raise InputError(f"the model {chosen.model.name} gives {has}, not {wanted}", hint="ask a model that does")
        work = Work(kind, rows, deadline or time.monotonic() + WAIT, asyncio.get_running_loop().create_future())
        self.admission.admit(len(rows), chosen.queue.least(work), work.deadline)
        result = await chosen.queue.submit(work)
        if not truncate and (cut := await self._cut(chosen.model, rows, result)).any():
            row = int(np.argmax(cut))
            raise TextTooLong(f"row {row + 1} is over the model's limit", hint="send a shorter text, or let it be cut")
        queue, total = max(0.0, work.started - work.arrived), time.monotonic() - work.arrived
        reply = Reply(chosen.name, result, chosen.model, queue, work.reading, work.computed - work.reading, total)
        self._record(Recorded(reply, rows, request_id))
        self._ask_shadow(chosen, work)
        return reply

    @property
    def ready(self) -> str:
        """Why requests should not be sent here; empty where they should."""
        if self.admission.draining:
            return "the server is going down"
        return "; ".join(f"{name}: {one.problem}" for name, one in self.served.items() if one.problem)

    @property
    def live(self) -> str:
        """Why this process has to end; empty where it works."""
        longest = self.longest_call
        return f"a call has been running for {longest:.1f} s" if longest > self.max_call else ""

    @property
    def longest_call(self) -> float:
        """Seconds for which the oldest call has been running; 0.0 where none is."""
        return max((queue.longest_call for one in self.served.values() for queue in one.queues), default=0.0)

    async def drain(self, seconds: float, stop: Callable[[], bool] = lambda: False) -> bool:
        """Take no more, and wait for what is there, unless told to stop; whether all of it was answered in this time."""
        self.admission.draining = True
        end = time.monotonic() + seconds
        while self.load.backlog > 0 and time.monotonic() < end and not stop():
            await asyncio.sleep(0.01)
        return self.load.backlog == 0

    async def close(self) -> None:
        """Stop what runs beside the requests."""
        for task in (*self._provers, *self._background):
            task.cancel()
        for one in self.served.values():
            await asyncio.to_thread(one.close)  # waits for a version that is being loaded

    @staticmethod
    async def _cut(model: Model, rows: Sequence[Any], result: Result) -> npt.NDArray[np.bool_]:
        """Which rows were cut; vectors do not say, so their texts are measured."""
        return result.truncated if isinstance(result, Predictions) else await asyncio.to_thread(model.cuts, rows)

    def _record(self, recorded: Recorded) -> None:
        for observer in self.observers:
            try:
                observer(recorded)
            except Exception:
                log.exception("an observer failed")

    def _ask_shadow(self, chosen: Version, work: Work) -> None:
        """Ask the shadow the same rows, where it has nothing else to do: nobody waits for its answer."""
        one = self.served[chosen.name]
        if one.shadow is None or chosen is one.shadow or one.shadow.queue.requests or work.kind != "labels":
            return
        task = asyncio.get_running_loop().create_task(self._compare(one.shadow.queue, work))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _compare(self, queue: Scheduler, work: Work) -> None:
        copy = Work(work.kind, work.rows, time.monotonic() + WAIT, asyncio.get_running_loop().create_future())
        try:
            theirs = await queue.submit(copy)
        except Exception as error:  # noqa: BLE001  (whoever asked has an answer)
            log.warning("the shadow does not answer: %s", type(error).__name__)
            return
        ours = work.answer.result()
        self.shadowed += len(ours)
        self.disagreed += int(np.count_nonzero(_told(ours) != _told(theirs)))


async def _prove(one: Served, every: float) -> None:
    """Ask a model a golden row again and again: one that answers nothing, or something else than at first, is not ready."""
    first: dict[str, Any] = {}
    while True:
        version = one.current
        model = version.model
        row = {each.name: GOLDEN if each.type == "text" else EXAMPLES[each.type] for each in model.manifest.inputs}
        kind: Kind = "vectors" if model.task == "embedding" else "labels"
        work = Work(kind, [row], time.monotonic() + WAIT, asyncio.get_running_loop().create_future())
        try:
            found = _numbers(await version.queue.submit(work))
        except Exception as error:  # noqa: BLE001  (what is wrong shows in `ready`)
            log.warning("%s does not answer a golden row: %s", one.name, type(error).__name__)
        else:
            known = first.setdefault(model.version + model.variant, found)
            same = np.abs(found - known).max() <= MOVED * np.maximum(1, np.abs(known)).max()  # not where one is NaN
            if not same and one.steady:
                log.error("%s answers a golden row otherwise than before", one.name)
            one.proven, one.steady = time.monotonic(), bool(same)
        await asyncio.sleep(every)


def _told(answers: Predictions) -> Any:
    """What each row was told, as text: of a regression nothing."""
    several = answers.task == "multilabel"
    return np.array([str(one.labels if several else one.label) for one in answers])


def _numbers(result: Result) -> Any:
    """The scores of the only row, or its vector."""
    return result.scores[0] if isinstance(result, Predictions) else np.array(result[0].as_py(), np.float32)
