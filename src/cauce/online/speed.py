"""How long calls take: what batches are cut by, and what tells whether a new request can be answered in time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from cauce.model import rows
from cauce.model.model import Model
from cauce.text.threads import alone, threads

SAMPLE = "Llegó antes de tiempo and it works as promised, gracias! "  # words as people write them, of two languages
SHORT, LONG, MANY = 40, 400, 8  # characters of a row, and rows of a call, that warm-up tries
REPEATS = 3
CHEAP = 100e-6  # seconds a row: below, handing it to a thread costs more than answering it
MOST_ROWS = 1024  # of one call, where the runtime takes any number
HANDFUL = 0.04  # seconds of rows that run one by one and go to a worker together: it visits the event loop less often

EXAMPLES = {"category": "a", "number": 0.0, "boolean": False}


class Speed:
    """Seconds of a call: a constant, a share for each row, and one for each character, all rows as long as the longest.

    Fitted on a few calls, by least squares. What calls really take is for `Load.pace` to say.

    Args:
        model: warmed up.

    """

    def __init__(self, model: Model) -> None:
        self._call, self._row, self._char = self._fitted(model)
        self._single = model.runtime.batching == "single"
        self._budget = self._chars_a_call(model)
        self.cheap = not self._single and self.call(MANY, SHORT) / MANY < CHEAP

    def call(self, count: int, longest: int) -> float:
        """Seconds of a call of so many rows, the longest of so many characters."""
        return self._call + count * (self._row + longest * self._char)

    def fit(self, longest: int) -> int:
        """How many rows of at most so many characters one call takes best."""
        if self._single:
            return max(1, min(MOST_ROWS, int(HANDFUL / self.call(1, longest))))
        return max(1, min(MOST_ROWS, self._budget // max(longest, 1)))

    def fair(self, waiting: int, longest: int) -> int:
        """Rows of a call where so many wait: a share, so that all workers have some; all, where a call costs more than rows."""
        each = -(-waiting // threads())
        return each if self._call < each * (self._row + longest * self._char) else waiting

    def share(self, length: int) -> float:
        """Seconds that a row of so many characters adds where many wait: its part of a full call."""
        count = self.fit(length)
        return self.call(count, length) / count

    def shares(self, lengths: Sequence[int]) -> float:
        """Those of many rows, added up."""
        if len(lengths) == 1:
            return self.share(lengths[0])
        found = np.unique(np.array(lengths), return_counts=True)
        return float(sum(count * self.share(length) for length, count in zip(*(each.tolist() for each in found), strict=True)))

    @staticmethod
    def _fitted(model: Model) -> tuple[float, float, float]:
        single = model.runtime.batching == "single"  # rows run one by one
        sizes = [(count, length) for count in ((1,) if single else (1, MANY)) for length in (SHORT, LONG)]
        seconds = [statistics.median(_ask(model, count, length) for _ in range(REPEATS)) for count, length in sizes]
        if single:
            return 0.0, *_line(seconds[0], seconds[1])
        known = np.array([(1.0, count, count * length) for count, length in sizes])
        weights = 1 / np.array(seconds)  # an error counts by its share
        found, *_ = np.linalg.lstsq(known * weights[:, None], np.array(seconds) * weights, rcond=None)
        call, row, char = (max(float(one), 0.0) for one in found)
        return max(call, 1e-6), row, char

    @staticmethod
    def _chars_a_call(model: Model) -> int:
        """The runtime's budget of padded cost, in characters."""
        budget = model.runtime.batch_cost
        if budget is None:
            return MOST_ROWS * LONG
        batch, _ = rows.from_any([_row(model, LONG)], model.manifest.inputs)
        return max(1, int(budget * LONG / max(int(model.runtime.encode(batch).cost[0]), 1)))


def chars(row: Any) -> int:
    """Characters of a row: of a text, or of a dict's texts."""
    if isinstance(row, str):
        return len(row)
    return sum(len(value) for value in row.values() if isinstance(value, str)) if isinstance(row, dict) else 0


def _line(short: float, long: float) -> tuple[float, float]:
    """Constant and slope of a row."""
    char = max(0.0, (long - short) / (LONG - SHORT))
    return max(1e-6, short - SHORT * char), char


def _row(model: Model, length: int) -> dict[str, Any]:
    text = (SAMPLE * (length // len(SAMPLE) + 1))[:length]
    return {one.name: text if one.type == "text" else EXAMPLES[one.type] for one in model.manifest.inputs}


def _ask(model: Model, count: int, length: int) -> float:
    """Seconds of a call on one thread, on the way that every call goes."""
    asked = [_row(model, length)] * count
    start = time.perf_counter()
    with alone():
        (model.embed if model.task == "embedding" else model.predict)(asked)
    return time.perf_counter() - start
