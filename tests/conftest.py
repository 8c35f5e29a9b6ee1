"""What all tests share: the real data, and one model of the example messages."""

from __future__ import annotations

import csv
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any

import pytest

import cauce
from cauce.data.columns import Columns

ROOT = Path(__file__).parent.parent
MESSAGES = ROOT / "examples" / "data" / "messages.csv"
THINGS = ("camisa", "zapato", "libro", "taza", "lámpara", "silla", "reloj")
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
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made-up orders of a shop: two texts, a category, a number, a boolean; a label, tags, a price; values are missing."""
    random = Random(5)
    path = tmp_path_factory.mktemp("orders") / "orders.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["title", "body", "color", "size", "paid", "kept", "tags", "price"])
        for number in range(400):
            kept, late = random.random() < 0.5, random.random() < 0.3
            color = random.choice(["rojo", "azul", "verde"])
            size = random.gauss(2 * kept, 1)
            title = f"{random.choice(['bueno', 'genial'] if kept else ['malo', 'roto'])} {random.choice(THINGS)} {number}"
            body = (
                f"{'llegó tarde' if late else 'llegó pronto'}, {random.choice(THINGS)} n.º {number} {random.choice('ñáéíóú')}"
            )
            tags = ["late"] * late + ["broken"] * (not kept and random.random() < 0.8) + ["green"] * (color == "verde")
            price = 10 + 3 * size + 5 * (color == "rojo") + random.gauss(0, 0.5)
            shown = ["" if random.random() < 0.05 else value for value in (color, f"{size:.2f}", random.choice(["yes", "no"]))]
            writer.writerow([title, body, *shown, "yes" if kept else "no", ";".join(tags), f"{price:.2f}"])
    return path


@pytest.fixture(scope="session")
def task_folders(model_folder: Path, orders: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model of each kind: one text, several labels, a number, every type of column, and a table without a text."""
    types = {"category": ("color",), "number": ("size",), "boolean": ("paid",)}
    asked: dict[str, dict[str, Any]] = {
        "multilabel": {"text": ("body", "title"), "label": ("tags",), "label_delimiter": ";", "category": ("color",)},
        "regression": {"text": ("title",), "label": ("price",), "task": "regression", **types},
        "mixed": {"text": ("title", "body"), "label": ("kept",), **types},
        "table": {"label": ("kept",), "ignore": ("title", "body", "tags", "price"), **types},
    }
    folders = {"one text": model_folder}
    for name, columns in asked.items():
        folders[name] = tmp_path_factory.mktemp("tasks") / name
        cauce.train(orders, columns=Columns(**columns), out=folders[name])
    return folders


@pytest.fixture(scope="session")
def cauce_command() -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Run the real command."""

    def run(*arguments: str | Path, **options: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "cauce", *map(str, arguments)],
            **{"capture_output": True, "timeout": 60, "check": False, **options},  # type: ignore[call-overload]
        )

    return run


@pytest.fixture(scope="session")
def unprivileged() -> list[str]:
    """What makes a read-only folder read-only for root too."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("runs as root, and setpriv is not here to give up root's rights")
    rights = "-dac_override,-dac_read_search"
    return ["setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}"]


@pytest.hookimpl(wrapper=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Generator[None, None, None]:
    """Write what `make prove` proved, and how long it took, to benchmarks/results/proofs.json; a part of it leaves the rest."""
    if terminalreporter.config.option.markexpr == "prove":
        proofs = {
            report.nodeid: {"outcome": outcome, "seconds": round(report.duration, 1)}
            for outcome in ("passed", "failed")
            for report in terminalreporter.stats.get(outcome, [])
        }
        versions = {"python": platform.python_version(), "cauce": version("cauce")}
        path = ROOT / "benchmarks" / "results" / "proofs.json"
        before = json.loads(path.read_text("utf-8"))["proofs"] if path.exists() else {}
        path.write_text(json.dumps({"proofs": dict(sorted((before | proofs).items())), "versions": versions}, indent=2) + "\n")
    return (yield)
