"""Servers that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from serving import Server, serving


@pytest.fixture(scope="session")
def echo() -> Iterator[Server]:
    """A server of the fake that ships."""
    with serving("echo") as server:
        yield server


@pytest.fixture(scope="session")
def folders(
    task_folders: dict[str, Path], write_encoder: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """A model of each task, by the name under which `every_task` serves it."""
    vectors = write_encoder(tmp_path_factory.mktemp("vectors") / "model", task="embedding")
    return {
        "mood": task_folders["one text"],
        "tags": task_folders["multilabel"],
        "price": task_folders["regression"],
        "vectors": vectors,
    }


@pytest.fixture(scope="session")
def every_task(folders: dict[str, Path]) -> Iterator[Server]:
    """A server of a model of each task; the first is one of one text."""
    with serving(*(f"{name}={folder}" for name, folder in folders.items())) as server:
        yield server
