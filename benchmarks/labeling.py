"""What the useful order of `cauce label` is worth: macro F1 on dev after 50 to 400 labels, beside the random order.

A person is played by the gold labels of the training part. Both orders start from the same ten texts of a seed, and the model
that is measured is the same. The interval of the difference draws seeds and dev rows anew (bootstrap). No test part is read.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from machine import machine

from cauce.data.dataset import Dataset
from cauce.data.read import read
from cauce.data.select import most_useful
from cauce.data.split import split
from cauce.recipes.quick import quick

ROOT = Path(__file__).parent.parent
DATA = ROOT.parent / "shared" / "data"
RESULT = ROOT / "benchmarks" / "results" / "labeling.json"
TASKS = ("umsab/spanish", "umsab/english", "tweeteval/emotion", "tweeteval/irony", "tweeteval/offensive", "banking77")
STOPS = (50, 100, 200, 400)
SEEDS, EVERY, RESAMPLES = 5, 10, 1000

Scores = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]


def scores(train: Dataset, chosen: list[int], rows: Dataset, labels: tuple[str, ...]) -> Scores:
    """What a model of the chosen rows says of others, (n, labels); 0 for a label that it has not seen."""
    model = quick(train.take(np.array(chosen)))
    out = np.zeros((len(rows), len(labels)), np.float32)
    out[:, [labels.index(label) for label in model.labels]] = model.predict(rows.rows).scores
    return out


def macro_f1(truth: Places, given: Places) -> float:
    """The mean F1 of the labels that occur in either: the resamples need it fast."""
    right = np.bincount(truth[truth == given], minlength=max(truth.max(), given.max()) + 1)
    both = np.bincount(truth, minlength=len(right)) + np.bincount(given, minlength=len(right))
    return float(np.mean(2 * right[both > 0] / both[both > 0]))


def label(train: Dataset, dev: Dataset, seed: int, useful: bool) -> dict[int, Places]:
    """The answers on dev after each number of labels."""
    labels = tuple(train.counts())
    order = np.random.default_rng(seed).permutation(len(train)).tolist()
    chosen: list[int] = []
    out = {}
    while len(chosen) < max(STOPS):
        taken = set(chosen)
        left = [row for row in order if row not in taken]
        if useful and len(train.take(np.array(chosen, np.int64)).counts()) > 1:
            rows = train.take(np.array(left))
            places = most_useful(rows.texts(), scores(train, chosen, rows, labels), EVERY)
            chosen += [left[place] for place in places]
        else:
            chosen += left[:EVERY]
        if len(chosen) in STOPS:
            out[len(chosen)] = scores(train, chosen, dev, labels).argmax(axis=1)
    return out


def compare(truth: Places, ours: list[Places], theirs: list[Places]) -> dict[str, object]:
    """Mean macro F1 over the seeds of both, in points, and the difference with its 95 % interval."""
    random = np.random.default_rng(0)
    a, b = ([macro_f1(truth, run) for run in runs] for runs in (ours, theirs))
    differences = []
    for _ in range(RESAMPLES):
        rows = random.integers(0, len(truth), len(truth))
        seeds = random.integers(0, len(ours), len(ours))
        differences.append(
            np.mean([macro_f1(truth[rows], ours[seed][rows]) - macro_f1(truth[rows], theirs[seed][rows]) for seed in seeds])
        )
    low, high = np.percentile(differences, (2.5, 97.5))
    return {
        "useful": round(100 * float(np.mean(a)), 2),
        "random": round(100 * float(np.mean(b)), 2),
        "difference": [round(100 * float(x), 2) for x in (np.mean(a) - np.mean(b), low, high)],
        "useful_by_seed": [round(100 * x, 2) for x in a],
        "random_by_seed": [round(100 * x, 2) for x in b],
    }


def measure(task: str) -> dict[str, object]:
    """Both orders on one data set."""
    if task == "banking77":
        train, dev = split(read(DATA / "banking77" / "train.csv"), (0.8, 0.2), seed=0)
    else:
        train, dev = read(DATA / task / "train"), read(DATA / task / "val")
    labels = tuple(train.counts())
    runs = {useful: [label(train, dev, seed, useful) for seed in range(SEEDS)] for useful in (True, False)}
    truth = dev.places(labels)
    by_stop = {str(stop): compare(truth, [r[stop] for r in runs[True]], [r[stop] for r in runs[False]]) for stop in STOPS}
    return {"labels": len(labels), "rows": {"train": len(train), "dev": len(dev)}, "after": by_stop}


def main() -> None:
    """Measure every task and write the table."""
    if not DATA.exists():
        sys.stdout.write("the real data are not here: nothing measured\n")
        return
    table = {}
    for task in TASKS:
        table[task] = measure(task)
        sys.stdout.write(f"{task}: {json.dumps(table[task])}\n")
        sys.stdout.flush()
    result = {"metric": "macro F1 on dev, in points", "seeds": SEEDS, "dev": table, **machine("numpy", "pyarrow")}
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
