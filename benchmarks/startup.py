"""How heavy and how quick the base install is: its size, `cauce --help`, `import cauce`, and one prediction from a shell.

Builds the wheel, installs it alone into a new environment, and takes the median of several runs with a warm kernel cache.
Writes benchmarks/results/startup.json.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import machine

ROOT = Path(__file__).parent.parent
RESULT = ROOT / "benchmarks" / "results" / "startup.json"
RUNS = 9


def seconds(command: list[str | Path]) -> dict[str, float]:
    """Median, least and most wall seconds of a command."""
    subprocess.run(command, check=True, capture_output=True)
    taken = []
    for _ in range(RUNS):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        taken.append(time.perf_counter() - start)
    return {"median": round(statistics.median(taken), 3), "min": round(min(taken), 3), "max": round(max(taken), 3)}


def main() -> None:
    """Measure and write the result."""
    with tempfile.TemporaryDirectory() as name:
        room = Path(name)
        subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", room], cwd=ROOT, check=True, capture_output=True
        )
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", room / "venv"], check=True)
        python = room / "venv" / "bin" / "python"
        install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, "--constraint", ROOT / "constraints.txt", next(room.glob("*.whl"))], check=True)
        site = next((room / "venv" / "lib").glob("python*/site-packages"))
        size = sum(path.stat().st_size for path in site.rglob("*") if path.is_file() and path.suffix != ".pyc")
        cauce = room / "venv" / "bin" / "cauce"
        subprocess.run(
            [cauce, "train", ROOT / "examples/data/messages.csv", "--out", room / "model"], check=True, capture_output=True
        )
        predict = seconds([cauce, "predict", room / "model", "me encanta"])
        help_page, imported, python_alone = (
            seconds([cauce, "--help"]),
            seconds([python, "-c", "import cauce"]),
            seconds([python, "-c", ""]),
        )
    result = {
        "base_install_mb": round(size / 1e6),
        "help_s": help_page["median"],
        "import_s": round(imported["median"] - python_alone["median"], 3),
        "predict_s": predict["median"],
        "runs": {"help": help_page, "import": imported, "python alone": python_alone, "predict": predict},
        **machine("numpy", "numba", "pyarrow"),
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
