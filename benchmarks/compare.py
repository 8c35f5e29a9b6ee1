"""How long `cauce compare` takes: two linear models on the 12,284 rows of tweeteval/sentiment, the command from start to end.

The rows are a test part: they are used for the time alone, and no figure of the models is kept.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import machine

import cauce

ROOT = Path(__file__).parent.parent
ROWS = ROOT.parent / "shared" / "data" / "tweeteval" / "sentiment"
RESULT = ROOT / "benchmarks" / "results" / "compare.json"
REPEATS = 5


def main() -> None:
    """Train two models of dev, time the command and write the result."""
    if not ROWS.exists():
        sys.stdout.write("the real data are not here: nothing measured\n")
        return
    with tempfile.TemporaryDirectory() as room:
        for name, seed in (("a", 0), ("b", 1)):
            cauce.train(ROWS / "val_text.txt", out=f"{room}/{name}", seed=seed)
        command = [sys.executable, "-m", "cauce", "compare", f"{room}/a", f"{room}/b", str(ROWS / "test_text.txt"), "--json"]
        seconds, processor = [], []
        for _ in range(REPEATS):
            start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
            shown = subprocess.run(command, check=True, capture_output=True).stdout
            seconds.append(round(time.perf_counter() - start, 2))
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            processor.append(round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2))
    result = {
        "rows": json.loads(shown)["rows"],
        "seconds": {"median": statistics.median(seconds), "each": seconds},
        "processor_seconds": {"median": statistics.median(processor), "each": processor},  # what others' work slows down least
        "load": [round(load, 1) for load in os.getloadavg()],
        "processors": os.cpu_count(),
        **machine("numpy", "numba"),
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
