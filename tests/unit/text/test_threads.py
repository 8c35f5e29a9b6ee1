"""The pool's size follows affinity and quota; slices cover all rows once; a failure reaches the caller."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from cauce.text import threads


@pytest.mark.parametrize(
    ("files", "most"),
    [
        ({"cpu.max": "max 100000"}, None),
        ({"cpu.max": "150000 100000"}, 1),
        ({"cpu.max": "50000 100000"}, 1),
        ({"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ({}, None),
    ],
)
def test_the_quota_of_the_cgroup_bounds_the_threads(files: dict[str, str], most: int | None, tmp_path: Path) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    allowed = len(os.sched_getaffinity(0))
    assert threads.available(tmp_path) == (allowed if most is None else min(most, allowed))


@pytest.mark.parametrize("rows", [0, 1, 99, 100, 101, 1000, 12345])
def test_slices_cover_every_row_once(rows: int) -> None:
    seen = [0] * rows

    def work(start: int, end: int) -> None:
        for row in range(start, end):
            seen[row] += 1

    threads.run_sliced(work, rows, 100)
    assert seen == [1] * rows


def test_a_slice_that_fails_is_told() -> None:
    def work(start: int, end: int) -> None:
        if start:
            raise ValueError("slice")
        raise ValueError("first")

    with pytest.raises(ValueError, match=r"slice|first"):
        threads.run_sliced(work, 1000, 10)


def test_nothing_works_on_after_one_call_failed() -> None:
    """A training that Ctrl-C ends said another line after its farewell."""
    begun, left, ended = threading.Event(), threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        left.wait(10)
        time.sleep(0.05)  # what is done between the last look at the flag and the end
        ended.set()

    def fails() -> None:
        begun.wait(1)  # a pool of one thread never begins the other
        raise ValueError("first")

    with pytest.raises(ValueError, match="first"):
        threads.run_all([fails, slow], abandon=left.set)
    assert left.is_set()
    assert ended.is_set() == begun.is_set()


def test_work_on_the_pool_may_slice_again() -> None:
    """A thread of the pool that waited for its own pool would never come back."""
    out: list[int] = []
    calls = [lambda: threads.run_sliced(lambda start, end: out.append(end - start), 1000, 10) for _ in range(8)]
    threads.run_all(calls)
    assert sum(out) == 8000
