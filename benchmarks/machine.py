"""What each result says of where it was measured."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import Any

from cauce.model import processor


def machine(*packages: str) -> dict[str, Any]:
    """The processor's name, and the versions of Python, of Cauce and of these packages."""
    return {
        "processor": processor.name(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in ("cauce", *packages)}},
    }
