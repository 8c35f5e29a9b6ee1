"""Real clients, unmodified, each in an environment of its own: `make clients` installs them into `.venv/clients/`."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

Ask = Callable[..., Any]


@pytest.fixture(scope="session")
def client() -> Callable[[str], Ask]:
    """`client("triton")(script, *arguments)` runs a script with that client's Python; what it prints is JSON, and returned."""

    def of(name: str) -> Ask:
        python = ROOT / ".venv" / "clients" / name / "bin" / "python"
        if not python.exists():
            reason = f"the client {name} is not installed: make clients"
            if os.environ.get("CAUCE_REQUIRE_ALL"):
                pytest.fail(reason)
            pytest.skip(reason)

        def ask(script: str, *arguments: str) -> Any:
            told = {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "0", "PATH": os.environ["PATH"], "HOME": "/nonexistent"}
            done = subprocess.run([python, "-c", script, *arguments], capture_output=True, text=True, timeout=60, env=told)
            assert done.returncode == 0, done.stderr
            return json.loads(done.stdout)

        return ask

    return of
