"""How long it takes to move a pointer, to read one, and to find a model by its name: in a registry of many versions and moves.

A write waits for the disk. Who closes the database last waits several times; while a follower holds it open, once. Both are
measured, and beside them what the disk takes for one flush. Writes benchmarks/results/registry.json.
"""

from __future__ import annotations

import json
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from machine import machine

import cauce
from cauce.registry.names import Reference
from cauce.registry.registry import Registry

ROOT = Path(__file__).parent.parent
RESULT = ROOT / "benchmarks" / "results" / "registry.json"
RUNS = 60
VERSIONS, MOVES = 100, 10_000


def milliseconds(call: Callable[[int], object]) -> dict[str, float]:
    """Median, 95th percentile and most of many calls."""
    taken = []
    for number in range(RUNS):
        start = time.perf_counter()
        call(number)
        taken.append((time.perf_counter() - start) * 1e3)
    at = {"median": statistics.median(taken), "p95": sorted(taken)[int(RUNS * 0.95)], "max": max(taken)}
    return {name: round(value, 2) for name, value in at.items()}


def fill(registry: Registry, model: Path) -> list[str]:
    """Two real versions, many that are rows alone, and a long history."""
    real = []
    for name in ("a", "b"):
        place = model.with_name(name)
        cauce.train(ROOT / "examples" / "data" / "messages.csv", out=place, name=name)
        real.append(registry.register("m", place)[0].version)
    with registry.database.writing() as connection:
        for number in range(VERSIONS - 2):
            fake = f"{number:064x}"
            connection.execute("INSERT INTO version VALUES (?, NULL)", (fake,))
            connection.execute("INSERT INTO registration VALUES ('m', ?, 't', 'b', '/x')", (fake,))
        for number in range(MOVES):
            row = ("m", "champion", number + 1, real[number % 2], "promote", "b", "filling", "t")
            connection.execute("INSERT INTO move VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    return real


def main() -> None:
    """Measure and write the result."""
    with tempfile.TemporaryDirectory() as name:
        room = Path(name)
        registry = Registry(room / "home")
        real = fill(registry, room / "model")

        def promote(number: int) -> None:
            registry.promote(Reference("m", real[number % 2]), reason="better")

        def flush(number: int) -> None:
            os.pwrite(disk, b"x" * 4096, number * 4096)
            os.fsync(disk)

        disk = os.open(room / "flush", os.O_RDWR | os.O_CREAT)
        figures = {
            "one flush of the disk": milliseconds(flush),
            "promote, alone": milliseconds(promote),
            "read the pointer, alone": milliseconds(lambda _: registry.pointer("m")),
            "find a model by its name": milliseconds(lambda _: registry.find("m")),
        }
        with registry.held():
            figures["promote, while a follower holds it"] = milliseconds(promote)
            figures["read the pointer, while a follower holds it"] = milliseconds(lambda _: registry.pointer("m"))
        os.close(disk)
    result = {
        "ms": figures,
        "registry": {"versions": VERSIONS, "moves": MOVES, "runs": RUNS},
        "sqlite": sqlite3.sqlite_version,
        **machine(),
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
