"""How good transformer and LSTM are: the packaged MiniLM, an LSTM alone, and one taught by the transformer, three seeds each.

One set of defaults for every data set. Without `--final` the figures are those of dev and the test parts are not read; with it
each test part is read once, and `benchmarks/results/networks.json` counts how often that was done. A figure is the mean of
three seeds; intervals are paired bootstraps of the rows. Models are kept in the folder of `--models` and trained where they
are missing; a training that was interrupted goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from machine import machine
from sklearn.metrics import f1_score, recall_score

import cauce
from cauce.data.read import read

ROOT = Path(__file__).parent.parent
DATA = ROOT.parent / "shared" / "data"
RESULT = ROOT / "benchmarks" / "results" / "networks.json"
SEEDS = (0, 1, 2)
RESAMPLES = 1000
SENTIMENT = DATA / "semeval_2013_2016_train" / "train.tsv"  # its texts, without their labels, are what the others are taught on

Answers = npt.NDArray[Any]
METRICS: dict[str, tuple[str, Callable[[Answers, Answers], float]]] = {
    "emotion": ("macro F1", lambda truth, given: f1_score(truth, given, average="macro", zero_division=0)),
    "irony": ("F1 of the ironic class", lambda truth, given: f1_score(truth, given, pos_label="irony", zero_division=0)),
    "offensive": ("macro F1", lambda truth, given: f1_score(truth, given, average="macro", zero_division=0)),
    "sentiment": ("macro recall", lambda truth, given: recall_score(truth, given, average="macro", zero_division=0)),
}
KINDS = ("transformer", "lstm", "taught")


def folder_of(models: Path, kind: str, name: str, seed: int) -> Path:
    """Where a model is kept."""
    return models / f"{kind}-{name}-{seed}"


def trained(models: Path, kind: str, name: str, seed: int) -> Path:
    """The model's folder; trained where it is missing."""
    out = folder_of(models, kind, name, seed)
    if out.exists():
        return out
    options: dict[str, str] = {}
    if kind == "taught":
        options["teacher"] = str(trained(models, "transformer", name, seed))
        if name != "sentiment":
            options["unlabelled"] = str(SENTIMENT)
    train = SENTIMENT if name == "sentiment" else DATA / "tweeteval" / name / "train_text.txt"
    cauce.train(
        train,
        dev=DATA / "tweeteval" / name / "val_text.txt",
        recipe="transformer" if kind == "transformer" else "lstm",
        name=name,
        out=out,
        seed=seed,
        options=options,
        resume=out.with_name(f".{out.name}.training").exists(),
        progress=lambda share, what: (
            print(f"{kind} {name} {seed}: {share:4.0%} {what}", file=sys.stderr) if " dev" in what else None
        ),
    )
    return out


def minutes(folder: Path) -> float:
    """How long the training itself took."""
    lines = (folder / "evidence" / "train.jsonl").read_text("utf-8").splitlines()
    return float(json.loads(lines[-1])["seconds"]) / 60


def bootstrap(metric: Callable[[Answers, Answers], float], truth: Answers, answers: dict[str, list[Answers]]) -> dict[str, Any]:
    """For each kind the mean of its seeds over resampled rows, (resamples,); the rows are the same for each kind."""
    random = np.random.default_rng(0)
    draws = [random.integers(0, len(truth), len(truth)) for _ in range(RESAMPLES)]
    return {
        kind: np.array([np.mean([metric(truth[rows], given[rows]) for given in seeds]) for rows in draws])
        for kind, seeds in answers.items()
    }


def shown(value: float, resampled: npt.NDArray[np.float64]) -> list[float]:
    """A value and its 95 % interval, in points."""
    return [round(100 * float(x), 2) for x in (value, *np.percentile(resampled, (2.5, 97.5)))]


def measure(models: Path, name: str, kinds: list[str], seeds: list[int], *, final: bool) -> dict[str, Any]:
    """The figures of a data set."""
    rows = read(DATA / "tweeteval" / name / ("test_text.txt" if final else "val_text.txt"))
    truth = np.array(rows.labels.to_pylist())
    metric_name, metric = METRICS[name]
    answers: dict[str, list[Answers]] = {}
    took: dict[str, list[float]] = {}
    for kind in kinds:
        folders = [trained(models, kind, name, seed) for seed in seeds]
        took[kind] = [round(minutes(one), 1) for one in folders]
        answers[kind] = [
            np.array([answer.label or "" for answer in cauce.load(one, "fp32").predict(rows.rows)]) for one in folders
        ]
    drawn = bootstrap(metric, truth, answers)
    means = {kind: float(np.mean([metric(truth, given) for given in answers[kind]])) for kind in kinds}
    found: dict[str, Any] = {
        kind: {
            "figure": shown(means[kind], drawn[kind]),
            "seeds": [round(100 * float(metric(truth, given)), 2) for given in answers[kind]],
            "minutes": took[kind],
        }
        for kind in kinds
    }
    if {"lstm", "taught"} <= set(kinds):
        found["taught_over_lstm"] = shown(means["taught"] - means["lstm"], drawn["taught"] - drawn["lstm"])
    return {"metric": metric_name, "rows": len(truth), **found}


def main() -> None:
    """Train what is missing, measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, default=ROOT / "model" / "networks")
    parser.add_argument("--final", action="store_true")
    parser.add_argument("--data", nargs="*", default=list(METRICS))
    parser.add_argument("--kinds", nargs="*", default=list(KINDS))
    parser.add_argument("--seeds", nargs="*", type=int, default=list(SEEDS))
    given = parser.parse_args()
    if not DATA.exists():
        sys.stdout.write("the real data are not here: nothing measured\n")
        return
    before = json.loads(RESULT.read_text("utf-8")) if RESULT.exists() else {}
    tables = {part: before.get(part, {}) for part in ("dev", "test")}
    for name in given.data:
        row = measure(given.models, name, given.kinds, given.seeds, final=given.final)
        tables["test" if given.final else "dev"][name] = row
        sys.stdout.write(f"{name}: {json.dumps(row)}\n")
        sys.stdout.flush()
    result = {
        **tables,
        "times_test_was_read": before.get("times_test_was_read", 0) + given.final,
        **machine("numpy", "torch", "transformers", "onnxruntime"),
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
