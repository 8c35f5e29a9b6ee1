"""What all tests share: the real data, and one model of the example messages."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Generator
from importlib.metadata import version
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


@pytest.hookimpl(wrapper=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Generator[None, None, None]:
    """Write what `make prove` proved, and how long it took, to benchmarks/results/proofs.json."""
    if terminalreporter.config.option.markexpr == "prove":
        proofs = {
            report.nodeid: {"outcome": outcome, "seconds": round(report.duration, 1)}
            for outcome in ("passed", "failed")
            for report in terminalreporter.stats.get(outcome, [])
        }
        versions = {"python": platform.python_version(), "cauce": version("cauce")}
        path = ROOT / "benchmarks" / "results" / "proofs.json"
        path.write_text(json.dumps({"proofs": dict(sorted(proofs.items())), "versions": versions}, indent=2) + "\n")
    return (yield)
