"""Our thread pool, sized from what this process may really use: its affinity and its cgroup's quota."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from cauce.settings import settings

T = TypeVar("T")
_here = threading.local()
SLICES_A_THREAD = 4  # rows differ in length: several slices a thread even that out


def available(root: Path = Path("/sys/fs/cgroup")) -> int:
    """Processors that this process may use: the affinity mask, cut by the cgroup quota (v2, then v1), at least 1."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(root)
    return max(1, min(count, int(quota))) if quota else max(1, count)


@cache
def threads() -> int:
    """Threads that a kernel uses: the setting `threads`, or what is available. Read once: the pool keeps its size."""
    return settings().threads or available()


def at_hand() -> int:
    """Threads that `run_sliced` would use from here: on one of the pool's own there is that one."""
    return 1 if getattr(_here, "in_pool", False) else threads()


def run_sliced(work: Callable[[int, int], None], rows: int, smallest: int) -> None:
    """Call `work(start, end)` over `rows` rows, in slices of at least `smallest` rows side by side.

    Raises what a slice raised, after all have ended. On one of the pool's own threads the rows run there: a thread that
    waited for others of its pool could wait forever.
    """
    if rows < 2 * smallest:
        work(0, rows)
        return
    count = min(threads() * SLICES_A_THREAD, rows // smallest)
    if at_hand() == 1:
        work(0, rows)
        return
    edges = [rows * number // count for number in range(count + 1)]
    futures = [_pool().submit(work, start, end) for start, end in pairwise(edges)]
    wait(futures)
    for future in futures:
        future.result()


def run_all(work: Sequence[Callable[[], T]], abandon: Callable[[], None] = lambda: None) -> list[T]:
    """Run the calls side by side and return their results in order.

    When one fails, or Ctrl-C comes, those not begun are dropped, `abandon` is called so that the others may end early, and
    they are waited for: none works, or says anything, after this function has ended.
    """
    futures = [_pool().submit(call) for call in work]
    try:
        return [future.result() for future in futures]
    except BaseException:
        abandon()
        raise
    finally:
        for future in futures:
            future.cancel()
        wait(futures)


def start(call: Callable[[], None], *, lone: bool = False) -> None:
    """Run a call on a thread of the pool, later if all are busy. What it raises is lost: it catches what may go wrong.

    Args:
        lone: nothing else is to be done: the call runs on a thread beside the pool, and has all of the pool's at hand.

    """
    (_beside() if lone else _pool()).submit(call)


@contextmanager
def alone() -> Iterator[None]:
    """Within, kernels run on this thread: it may not wait for one that is busy, as an event loop may not."""
    before = getattr(_here, "in_pool", False)
    _here.in_pool = True
    try:
        yield
    finally:
        _here.in_pool = before


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads(), thread_name_prefix="cauce", initializer=lambda: setattr(_here, "in_pool", True))


@cache
def _beside() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="cauce-lone")


if hasattr(os, "register_at_fork"):  # threads do not survive a fork; the pools are made anew
    os.register_at_fork(after_in_child=_pool.cache_clear)
    os.register_at_fork(after_in_child=_beside.cache_clear)


def _quota(root: Path) -> float | None:
    """Processors granted by the cgroup, or None where there is no bound."""
    try:
        limit, period = (root / "cpu.max").read_text().split()
        return None if limit == "max" else int(limit) / int(period)
    except (OSError, ValueError):
        pass
    try:
        limit, period = ((root / "cpu" / f"cpu.cfs_{part}_us").read_text() for part in ("quota", "period"))
        return None if int(limit) <= 0 else int(limit) / int(period)
    except (OSError, ValueError):
        return None
