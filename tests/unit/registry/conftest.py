"""A registry of its own for each test, and model folders that differ in their name alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cauce.model.sealed import render
from cauce.registry.registry import Registry
from cauce.settings import settings

Make = Callable[[str], Path]


@pytest.fixture
def make(model_folder: Path, tmp_path: Path) -> Make:
    """A whole model folder, of another version for each name."""

    def version(name: str) -> Path:
        place = Path(shutil.copytree(model_folder, tmp_path / "made" / name))
        fields = json.loads((place / "cauce.json").read_text("utf-8"))
        (place / "cauce.json").write_bytes(render({**fields, "name": name}))
        return place

    return version


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """An empty registry, under the home that the settings name."""
    monkeypatch.setenv("CAUCE_HOME", str(tmp_path / "home"))
    settings.cache_clear()
    monkeypatch.setattr("cauce.registry.registry.login", lambda: "ana")
    yield Registry()
    settings.cache_clear()


@pytest.fixture
def filled(registry: Registry, make: Make) -> Registry:
    """Three versions, a, b and c, under the name `m`; none promoted."""
    for name in "abc":
        registry.register("m", make(name))
    return registry
