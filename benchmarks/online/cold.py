"""From nothing to the first right answer: `cauce serve` of a linear model and of MiniLM, int8, and what it imports meanwhile.

A server is started again and again, and asked until it answers as the model does in Python; the first start of each, which
fills the caches, does not count. `imports_ms` is what Python spends in the modules of each package, as `-X importtime` has it;
it comes from a start of its own, because looking takes time.

Writes benchmarks/results/online_cold.json.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from machine import machine
from servers import Server, end, first_answer, ours, start

import cauce

RESULT = Path(__file__).parent.parent / "results" / "online_cold.json"
TEXT = "I have been waiting for my parcel for three weeks, and nobody answers."
EVERY = 0.01  # seconds between two questions
SHOWN = 12


def cold(server: Server, label: str | None, log: Path) -> float:
    """Seconds from a process's start to its first answer."""
    begin = time.perf_counter()
    process = start(server, dict(os.environ), log)
    try:
        answer = first_answer(server, process, server.bodies([TEXT])[0], EVERY)
        seconds = time.perf_counter() - begin
    finally:
        end(process)
    assert answer["label"] == label, answer
    return seconds


def imports(server: Server, label: str | None, log: Path) -> dict[str, float]:
    """Milliseconds in the modules of each package, the dearest first, and in all of them."""
    cold(replace(server, command=("-X", "importtime", *server.command)), label, log)
    spent: Counter[str] = Counter()
    for micros, package in re.findall(r"^import time:\s+(\d+) \|\s+\d+ \|\s+(\w+)", log.read_text("utf-8"), re.MULTILINE):
        spent[package] += int(micros)
    return {name: round(micros / 1e3, 1) for name, micros in [("all", spent.total()), *spent.most_common(SHOWN)]}


def measure(folder: Path, variant: str, runs: int, room: Path) -> dict[str, Any]:
    """Of one model."""
    server = ours(folder, "--variant", variant)
    label = cauce.load(folder, variant).predict([TEXT])[0].label
    cold(server, label, room / "first.log")
    found = [cold(server, label, room / "cold.log") for _ in range(runs)]
    return {
        "median_s": round(statistics.median(found), 3),
        "min_s": round(min(found), 3),
        "max_s": round(max(found), 3),
        "imports_ms": imports(server, label, room / f"{variant}.log"),
    }


def main() -> None:
    """Measure, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="A transformer's folder that has the variant int8.")
    parser.add_argument("--linear", type=Path, help="A linear model's folder.")
    parser.add_argument("--runs", type=int, default=9)
    asked = parser.parse_args()
    if asked.model is None or asked.linear is None:
        sys.stdout.write("no models (--model, --linear): nothing measured\n")
        return
    before = os.getloadavg()
    with tempfile.TemporaryDirectory() as name:
        result = {
            "linear": measure(asked.linear.resolve(), "auto", asked.runs, Path(name)),
            "transformer, int8": measure(asked.model.resolve(), "int8", asked.runs, Path(name)),
        }
    result = {
        **result,
        "runs": asked.runs,
        "load": {"before": [round(x, 2) for x in before], "after": [round(x, 2) for x in os.getloadavg()]},
        **machine("onnxruntime", "uvicorn", "fastapi"),
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
