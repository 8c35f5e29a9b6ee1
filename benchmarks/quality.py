"""How good the linear recipe is: one set of defaults on real data sets, beside scikit-learn's TF-IDF in the same run.

Choices are made on dev. Without `--final` the figures are those of dev and the test parts are not read; with it each test
part is read once, and `benchmarks/results/quality.json` counts how often that was done. Intervals are paired bootstraps.
"""

from __future__ import annotations

import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, recall_score
from sklearn.pipeline import make_pipeline, make_union

import cauce
from cauce.data.dataset import Dataset
from cauce.data.read import read
from cauce.data.split import split

ROOT = Path(__file__).parent.parent
DATA = ROOT.parent / "shared" / "data"
RESULT = ROOT / "benchmarks" / "results" / "quality.json"
RESAMPLES = 1000
PEER_PENALTIES = (1.0, 4.0, 16.0)

Labels = npt.NDArray[np.str_]
Metric = Callable[[Labels, Labels], float]


@dataclass(frozen=True)
class Task:
    """A data set and the figure that is usual for it."""

    name: str
    train: str
    dev: str | None
    test: str
    metric_name: str
    metric: Metric


def macro_f1(truth: Labels, given: Labels) -> float:
    """The mean F1 of the labels."""
    return float(f1_score(truth, given, average="macro", zero_division=0))


def f1_of_irony(truth: Labels, given: Labels) -> float:
    """F1 of the ironic class."""
    return float(f1_score(truth, given, pos_label="irony", average="binary", zero_division=0))


def macro_recall(truth: Labels, given: Labels) -> float:
    """The mean recall of the labels."""
    return float(recall_score(truth, given, average="macro", zero_division=0))


def tweets(name: str, metric_name: str, metric: Metric, train: str = "") -> Task:
    """A task whose parts are x_text.txt beside x_labels.txt."""
    return Task(name, train or f"{name}/train", f"{name}/val", f"{name}/test", metric_name, metric)


TASKS = (
    tweets("tweeteval/emotion", "macro F1", macro_f1),
    tweets("tweeteval/irony", "F1 of the ironic class", f1_of_irony),
    tweets("tweeteval/offensive", "macro F1", macro_f1),
    tweets("tweeteval/sentiment", "macro recall", macro_recall, "semeval_2013_2016_train/train.tsv"),
    tweets("umsab/spanish", "macro F1", macro_f1),
    Task("banking77", "banking77/train.csv", None, "banking77/test.csv", "accuracy", accuracy_score),
)


def peer(train: Dataset, dev: Dataset, metric: Metric) -> tuple[object, float]:
    """scikit-learn's TF-IDF (words 1-2, characters 2-5 within words) and logistic regression, its penalty chosen on dev."""
    features = make_union(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, min_df=2),
    )
    start = time.perf_counter()
    x = features.fit_transform(train.rows.column(0).to_pylist())
    held = features.transform(dev.rows.column(0).to_pylist())
    truth = np.array(dev.labels.to_pylist())
    fits = [
        LogisticRegression(C=c, max_iter=1000, class_weight="balanced").fit(x, train.labels.to_pylist()) for c in PEER_PENALTIES
    ]
    best = max(fits, key=lambda fit: metric(truth, fit.predict(held)))
    return make_pipeline(features, best), time.perf_counter() - start


def with_interval(metric: Metric, truth: Labels, ours: Labels, theirs: Labels) -> dict[str, list[float]]:
    """Value and 95 % interval of ours, of theirs, and of the paired difference, in points."""
    random = np.random.default_rng(0)
    draws = [random.integers(0, len(truth), len(truth)) for _ in range(RESAMPLES)]
    a, b = (np.array([metric(truth[d], given[d]) for d in draws]) for given in (ours, theirs))
    value_a, value_b = metric(truth, ours), metric(truth, theirs)

    def shown(value: float, resampled: npt.NDArray[np.float64]) -> list[float]:
        return [round(100 * float(x), 2) for x in (value, *np.percentile(resampled, (2.5, 97.5)))]

    return {"cauce": shown(value_a, a), "scikit_learn": shown(value_b, b), "difference": shown(value_a - value_b, a - b)}


def measure(task: Task, final: bool) -> dict[str, object]:
    """Train both, and compare them on dev or, with `final`, on test."""
    train = read(DATA / task.train)
    if task.dev is None:
        train, dev = split(train, (0.9, 0.1), seed=0)
    else:
        dev = read(DATA / task.dev)
    measured = read(DATA / task.test) if final else dev
    with tempfile.TemporaryDirectory() as room:
        files = {}
        for part, rows in (("train", train), ("dev", dev)):
            files[part] = Path(room) / f"{part}.jsonl"
            pairs = zip(rows.rows.column(0).to_pylist(), rows.labels.to_pylist(), strict=True)
            files[part].write_text("".join(json.dumps({"text": t, "label": y}) + "\n" for t, y in pairs), encoding="utf-8")
        run = cauce.train(files["train"], dev=files["dev"], out=f"{room}/model")
        megabytes = (run.folder / "weights.safetensors").stat().st_size / 1e6
    texts = measured.rows.column(0).to_pylist()
    ours = np.array([answer.label or "" for answer in run.model.predict(texts)])
    pipeline, peer_seconds = peer(train, dev, task.metric)
    theirs = np.array(pipeline.predict(texts))  # type: ignore[attr-defined]
    figures = with_interval(task.metric, np.array(measured.labels.to_pylist()), ours, theirs)
    return {
        "metric": task.metric_name,
        "rows": {"train": len(train), "dev": len(dev), "measured": len(measured)},
        **figures,
        "seconds": {"cauce": round(run.seconds, 1), "scikit_learn": round(peer_seconds, 1)},
        "weights_mb": round(megabytes, 1),
    }


def main() -> None:
    """Measure every task and write the table."""
    final = "--final" in sys.argv
    if not DATA.exists():
        sys.stdout.write("the real data are not here: nothing measured\n")
        return
    before = json.loads(RESULT.read_text("utf-8")) if RESULT.exists() else {}
    tables = {part: before.get(part, {}) for part in ("dev", "test")}
    for task in TASKS:
        row = measure(task, final)
        tables["test" if final else "dev"][task.name] = row
        sys.stdout.write(f"{task.name}: {json.dumps(row)}\n")
        sys.stdout.flush()
    result = {
        **tables,
        "times_test_was_read": before.get("times_test_was_read", 0) + final,
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("cauce", "numpy", "scikit-learn")},
        },
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
