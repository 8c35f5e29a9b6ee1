"""How long a report takes: of 12,284 tweets, alone and beside another model; and what it adds to a training.

The models are trained on other tweets (the dev part of the sentiment task); the tweets that are reported on are those of the
training file, so no test data are read. Writes benchmarks/results/report.json.
"""

from __future__ import annotations

import csv
import json
import sys
import tempfile
import time
from pathlib import Path

from machine import machine

import cauce
from cauce.api import report
from cauce.data.tables import read_table
from cauce.text.threads import threads

ROOT = Path(__file__).parent.parent
DATA = ROOT.parent / "shared" / "data"
TWEETS, OTHERS = DATA / "semeval_2013_2016_train" / "train.tsv", DATA / "tweeteval" / "sentiment" / "val_text.txt"
MESSAGES = ROOT / "examples" / "data" / "messages.csv"
RESULT = ROOT / "benchmarks" / "results" / "report.json"
ROWS, RUNS = 12_284, 5


def spread(seconds: list[float]) -> dict[str, float]:
    """Median and ends."""
    ordered = sorted(seconds)
    return {"median": round(ordered[len(ordered) // 2], 3), "min": round(ordered[0], 3), "max": round(ordered[-1], 3)}


def main() -> None:
    """Train, report, time, write."""
    with tempfile.TemporaryDirectory() as folder:
        room = Path(folder)
        table = read_table(TWEETS).table.slice(0, ROWS)
        with (room / "tweets.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "label"])
            writer.writerows(zip(table.column("text").to_pylist(), table.column("label").to_pylist(), strict=True))
        for seed in (0, 1):
            cauce.train(OTHERS, out=room / f"model{seed}", seed=seed)
        alone, busy, beside, bytes_written = [], [], [], 0
        for _ in range(RUNS):
            start, work = time.perf_counter(), time.process_time()
            report(room / "model0", room / "tweets.csv", out=room / "report.html", replace=True)
            alone.append(time.perf_counter() - start)
            busy.append(time.process_time() - work)
            bytes_written = (room / "report.html").stat().st_size
            start = time.perf_counter()
            report(room / "model0", room / "tweets.csv", against=room / "model1", out=room / "both.html", replace=True)
            beside.append(time.perf_counter() - start)
        whole, added = [], []
        for _ in range(RUNS):
            start = time.perf_counter()
            run = cauce.train(MESSAGES, out=room / "messages", replace=True)
            whole.append(time.perf_counter() - start)
            added.append(whole[-1] - run.seconds)  # data doctor, study, pages, cards, fsync
    result = {
        "rows": ROWS,
        "seconds": {
            "report": spread(alone),
            "of a processor": spread(busy),  # on a machine that others use too, the clock runs on
            "report beside another model": spread(beside),
        },
        "bytes": bytes_written,
        "training of 760 messages, seconds": {"whole": spread(whole), "of it evidence and writing": spread(added)},
        "threads": threads(),
        **machine("numpy", "numba", "pyarrow"),
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
