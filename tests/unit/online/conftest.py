"""Servers that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from serving import Server, serving


@pytest.fixture(scope="session")
def echo() -> Iterator[Server]:
    """A server of the fake that ships."""
    with serving("echo") as server:
        yield server
