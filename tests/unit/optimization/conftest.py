"""A network of one's own, and short timings."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cauce.optimization import measure
from cauce.settings import settings


@pytest.fixture
def network(tiny_network: Path, tmp_path: Path) -> Path:
    """A model folder of one's own."""
    return Path(shutil.copytree(tiny_network, tmp_path / "model"))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Short timings, for no test is about how fast this machine is; and a state of the machine of one's own."""
    monkeypatch.setattr(measure, "REPEATS", 2)
    monkeypatch.setattr(measure, "BATCHED_SECONDS", 0.02)
    monkeypatch.setenv("CAUCE_HOME", str(tmp_path / "home"))
    settings.cache_clear()
