"""Which rows go together, and what happens when a call fails: here, once, for every mode.

`free` runtimes get rows of like length together, up to their budget of padded cost; `single` runtimes get one row a
call. The calls run side by side. One that fails is halved until the row that it fails on stands alone; its neighbours are
answered.
"""

from __future__ import annotations

import logging
import time
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cauce.model.spent import spending
from cauce.runtimes.base import Output, Runtime
from cauce.text.threads import at_hand, run_sliced

log = logging.getLogger("cauce")


Row = npt.NDArray[np.float32] | None  # what a row gave, None where the runtime failed on it


def run(runtime: Runtime, rows: pa.RecordBatch) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Logits (n, d), which rows were cut (n,), which rows failed (n,). A failed row's logits are 0."""
    if runtime.batching == "free" and runtime.batch_cost is None:
        try:
            encoded = _encode(runtime, rows)
            return runtime.forward(encoded), encoded.truncated, np.zeros(len(rows), np.bool_)
        except Exception:
            log.debug("a call failed; narrowing it down", exc_info=True)
    found, cut = each(runtime, rows)
    width = next((logits.size for logits in found if logits is not None), 0)
    nothing = np.zeros(width, np.float32)
    failed = np.array([logits is None for logits in found], np.bool_)
    logits = np.array([nothing if one is None else one for one in found], np.float32).reshape(len(rows), width)
    return logits, cut, failed


def each(runtime: Runtime, rows: pa.RecordBatch, output: Output = "logits") -> tuple[list[Row], npt.NDArray[np.bool_]]:
    """What each row gave, (d,) or of "hidden" (tokens, d), and which rows were cut (n,)."""
    try:
        encoded = _encode(runtime, rows)
    except Exception:
        log.debug("the runtime could not read %d rows", len(rows), exc_info=True)
        if len(rows) < 2:
            return [None] * len(rows), np.zeros(len(rows), np.bool_)
        half = len(rows) // 2
        parts = [each(runtime, part, output) for part in (rows.slice(0, half), rows.slice(half))]
        return parts[0][0] + parts[1][0], np.concatenate([cut for _, cut in parts])
    return _forward(runtime, encoded, output), encoded.truncated


def _encode(runtime: Runtime, rows: pa.RecordBatch) -> Any:
    begun = time.perf_counter()
    encoded = runtime.encode(rows)
    if spent := spending():
        spent.reading += time.perf_counter() - begun
    return encoded


def _forward(runtime: Runtime, encoded: Any, output: Output) -> list[Row]:
    cost = encoded.cost
    found: list[Row] = [None] * len(cost)

    def narrowed(index: npt.NDArray[np.int64]) -> None:
        try:
            values = runtime.forward(encoded.take(index), output)
            if spent := spending():
                spent.add(cost[index])
            parts = np.split(values, np.cumsum(cost[index])[:-1]) if output == "hidden" else values
            for row, part in zip(index, parts, strict=True):
                found[row] = part
        except Exception:
            log.debug("a call of %d rows failed", len(index), exc_info=True)
            if len(index) > 1:
                narrowed(index[: len(index) // 2])
                narrowed(index[len(index) // 2 :])

    calls = plan(runtime, cost)

    def slice_of_calls(start: int, end: int) -> None:
        for call in calls[start:end]:
            narrowed(call)

    run_sliced(slice_of_calls, len(calls), 1)
    return found


def plan(runtime: Runtime, cost: npt.NDArray[np.int32]) -> list[npt.NDArray[np.int64]]:
    """The calls to make: places of rows (0..n-1), each place once. The longest rows come first: the last calls are short."""
    if runtime.batching == "single":
        return [np.array([row]) for row in range(len(cost))]
    if runtime.batch_cost is None:
        return [np.arange(len(cost))]
    share = -(-int(cost.sum()) // at_hand()) + int(cost.max(initial=1)) - 1  # a share may end within a row
    budget = min(runtime.batch_cost, share)  # few rows are shared out between the threads
    order = np.argsort(-cost, kind="stable")
    calls, start = [], 0
    for end in range(1, len(order) + 1):
        if end == len(order) or (end + 1 - start) * int(cost[order[start]]) > budget:
            calls.append(order[start:end])
            start = end
    return calls
