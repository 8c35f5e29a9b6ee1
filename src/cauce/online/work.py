"""The rows of one request on their way: what is waited for, and what came back so far."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cauce.model.model import Model
from cauce.model.predictions import Predictions
from cauce.online.speed import chars

Kind = Literal["labels", "vectors"]
Result = Any  # Predictions, or vectors as an Arrow array: both can be cut and joined


@dataclass(slots=True, eq=False)
class Work:
    """Rows of one request that wait for their answers. It lives on the event loop: no thread touches it.

    Attributes:
        rows: texts or dicts.
        deadline: of the monotonic clock; afterwards nobody waits for the answer.
        cost: seconds that the rows take on one thread, as was estimated; 0.0 before.
        seconds: of these, those of rows without an answer; 0.0 once nobody waits.
        answer: what is waited for: the result of all rows, in their order.
        lengths: characters of each row.
        order: places of the rows, the longest first: rows of like length go together.
        taken: how many of `order` were given to a worker.
        unanswered: how many rows have no answer yet.
        started: when the first was; 0.0 before.
        alarm: goes off at the deadline; None where the answer cannot be late.
        computed: seconds of the calls that its rows were in.
        reading: of these, those before the engine had the rows.

    """

    kind: Kind
    rows: Sequence[Any]
    deadline: float
    answer: asyncio.Future[Result]
    cost: float = 0.0
    seconds: float = 0.0
    arrived: float = field(default_factory=time.monotonic)
    lengths: list[int] = field(init=False)
    order: list[int] = field(init=False)
    taken: int = 0
    unanswered: int = field(init=False)
    started: float = 0.0
    alarm: asyncio.TimerHandle | None = None
    computed: float = 0.0
    reading: float = 0.0
    parts: list[tuple[list[int], Result]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.unanswered = len(self.rows)
        self.lengths = [chars(row) for row in self.rows]
        self.order = [0] if len(self.rows) == 1 else sorted(range(len(self.rows)), key=self.lengths.__getitem__, reverse=True)

    @property
    def left(self) -> int:
        """Rows that no worker has yet."""
        return len(self.order) - self.taken

    @property
    def next_length(self) -> int:
        """Characters of the row that is taken next."""
        return self.lengths[self.order[self.taken]]

    def take(self, count: int) -> list[int]:
        """The places of the next rows."""
        places = self.order[self.taken : self.taken + count]
        self.taken += len(places)
        return places

    def receive(self, places: list[int], part: Result) -> None:
        """Keep what came of these rows; the last part gives the answer."""
        self.unanswered -= len(places)
        self.parts.append((places, part))
        if self.answer.done() or self.unanswered:
            return
        if len(self.rows) == 1:
            self.answer.set_result(part)
            return
        every = np.concatenate([places for places, _ in self.parts])
        self.answer.set_result(joined([part for _, part in self.parts], every))


def ask(kind: Kind, model: Model, rows: Sequence[Any]) -> Result:
    """The answers of a model to rows of any number of requests."""
    if len(model.manifest.inputs) > 1 and not any(isinstance(row, dict) for row in rows):
        return cut(ask(kind, model, [*rows, {}]), 0, len(rows))  # bare texts alone are refused whole: each gets its own error
    return model.predict(rows) if kind == "labels" else model.embed(rows)


def cut(result: Result, start: int, end: int) -> Result:
    """The answers from `start` up to `end`."""
    return result.part(start, end) if isinstance(result, Predictions) else result.slice(start, end - start)


def joined(parts: list[Result], places: npt.NDArray[np.intp]) -> Result:
    """Parts as one; `places` says where each answer belongs."""
    if isinstance(parts[0], Predictions):
        return Predictions.joined(parts, places)
    return pa.concat_arrays(parts).take(pa.array(np.argsort(places)))
