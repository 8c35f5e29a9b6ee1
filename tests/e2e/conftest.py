"""What the tests of `cauce stream` share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from brokers import streams
from streaming import end_all


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Small batches, short parts, and a quick take-over; workers that are left are ended."""
    small = {"MAX_BATCH": "50", "PART_SECONDS": "0.05", "TAKEOVER": "1"}
    yield {
        **os.environ,
        "CAUCE_HOME": str(tmp_path / "home"),
        **{f"CAUCE_STREAM_{name}": value for name, value in small.items()},
    }
    end_all()


@pytest.fixture
def broker() -> Iterator[tuple[Any, str]]:
    """A client of the Redis that is here, and the beginning of an address for the test."""
    with streams() as found:
        yield found
