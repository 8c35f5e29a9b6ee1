"""What all tests share: the real data, and one model of the example messages."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import cauce

ROOT = Path(__file__).parent.parent
MESSAGES = ROOT / "examples" / "data" / "messages.csv"
SHARED = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def messages() -> Path:
    """The example data of the project."""
    return MESSAGES


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """A path below the shared real data; a test that needs one skips where it is absent, and fails where it must be there."""

    def find(name: str) -> Path:
        path = SHARED / name
        if not path.parent.exists():
            reason = f"the real data {name} are not here"
            if os.environ.get("CAUCE_REQUIRE_ALL"):
                pytest.fail(reason)
            pytest.skip(reason)
        return path

    return find


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A linear model of the example messages. Read-only by convention: copy it before changing it."""
    out = tmp_path_factory.mktemp("trained") / "model"
    cauce.train(MESSAGES, out=out)
    return out


@pytest.fixture(scope="session")
def cauce_command() -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Run the real command."""

    def run(*arguments: str | Path, **options: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "cauce", *map(str, arguments)],
            **{"capture_output": True, "timeout": 60, "check": False, **options},  # type: ignore[call-overload]
        )

    return run
