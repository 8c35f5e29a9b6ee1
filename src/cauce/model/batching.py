"""Which rows go together, and what happens when a call fails: here, once, for every mode.

`free` runtimes get rows of like length together, up to their budget of padded cost; `single` runtimes get one row a
call, side by side. A call that fails is halved until the row that it fails on stands alone; its neighbours are answered.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cauce.runtimes.base import Runtime
from cauce.text.threads import run_sliced

log = logging.getLogger("cauce")


def run(runtime: Runtime, rows: pa.RecordBatch) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Logits (n, d), which rows were cut (n,), which rows failed (n,). A failed row's logits are 0."""
    try:
        encoded = runtime.encode(rows)
    except Exception:
        if len(rows) < 2:
            log.debug("the runtime could not read a row", exc_info=True)
            return np.zeros((len(rows), 0), np.float32), np.zeros(len(rows), np.bool_), np.ones(len(rows), np.bool_)
        half = len(rows) // 2
        parts = [run(runtime, rows.slice(0, half)), run(runtime, rows.slice(half))]
        width = max(part[0].shape[1] for part in parts)
        halves = [part[0] if part[0].shape[1] else np.zeros((len(part[0]), width), np.float32) for part in parts]
        return np.concatenate(halves), np.concatenate([p[1] for p in parts]), np.concatenate([p[2] for p in parts])
    logits, failed = forward(runtime, encoded, len(rows))
    return logits, encoded.truncated, failed


def forward(runtime: Runtime, encoded: Any, rows: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Logits (n, d) of encoded rows and which of them failed (n,)."""
    if runtime.batching == "free" and runtime.batch_cost is None:
        try:
            return runtime.forward(encoded), np.zeros(rows, np.bool_)
        except Exception:
            log.debug("a call failed; narrowing it down", exc_info=True)
            if rows == 1:
                return np.zeros((1, 0), np.float32), np.ones(1, np.bool_)
    results: list[npt.NDArray[np.float32] | None] = [None] * rows

    def narrowed(index: npt.NDArray[np.int64]) -> None:
        try:
            for row, logits in zip(index, runtime.forward(encoded.take(index)), strict=True):
                results[row] = logits
        except Exception:
            log.debug("a call of %d rows failed", len(index), exc_info=True)
            if len(index) > 1:
                narrowed(index[: len(index) // 2])
                narrowed(index[len(index) // 2 :])

    _each(plan(runtime, encoded.cost), narrowed, side_by_side=runtime.batching == "single")
    width = next((logits.size for logits in results if logits is not None), 0)
    nothing = np.zeros(width, np.float32)
    failed = np.array([logits is None for logits in results], np.bool_)
    return np.array([nothing if logits is None else logits for logits in results], np.float32).reshape(rows, width), failed


def plan(runtime: Runtime, cost: npt.NDArray[np.int32]) -> list[npt.NDArray[np.int64]]:
    """The calls to make: places of rows (0..n-1), each place once."""
    if runtime.batching == "single":
        return [np.array([row]) for row in range(len(cost))]
    if runtime.batch_cost is None:
        return [np.arange(len(cost))]
    order = np.argsort(cost, kind="stable")
    calls, start = [], 0
    for end in range(1, len(order) + 1):
        # sorted, so the row at `end` would be the longest of the call
        if end == len(order) or (end + 1 - start) * int(cost[order[end]]) > runtime.batch_cost:
            calls.append(order[start:end])
            start = end
    return calls


def _each(calls: list[npt.NDArray[np.int64]], work: Callable[[npt.NDArray[np.int64]], None], *, side_by_side: bool) -> None:
    if not side_by_side:
        for call in calls:
            work(call)
        return

    def slice_of_calls(start: int, end: int) -> None:
        for call in calls[start:end]:
            work(call)

    run_sliced(slice_of_calls, len(calls), 1)
