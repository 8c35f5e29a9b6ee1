"""How good the linear recipe is: one set of defaults on real data sets, beside scikit-learn's TF-IDF in the same run.

Choices are made on dev. Without `--final` the figures are those of dev and the test parts are not read; with it each test
part is read once, and `benchmarks/results/quality.json` counts how often that was done. Intervals are paired bootstraps.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from machine import machine
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, recall_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import cauce
from cauce.data.columns import Columns
from cauce.data.dataset import Dataset
from cauce.data.read import read
from cauce.data.split import split

ROOT = Path(__file__).parent.parent
DATA = ROOT.parent / "shared" / "data"
RESULT = ROOT / "benchmarks" / "results" / "quality.json"
RESAMPLES = 1000
CAMPAIGN = "bank-additional.zip/bank-additional/bank-additional-full.csv"
PEER_PENALTIES = (1.0, 4.0, 16.0)

Answers = npt.NDArray[Any]
Metric = Callable[[Answers, Answers], float]


@dataclass(frozen=True)
class Task:
    """A data set, how it is parted, and the figure that is usual for it."""

    name: str
    metric_name: str
    metric: Metric
    train: str
    dev: str | None
    test: str | None

    def parts(self, final: bool) -> tuple[Dataset, Dataset, Dataset]:
        """Training rows, rows that choices are made on, and those that are measured: dev, or with `final` test."""
        train = read(DATA / self.train)
        train, dev = split(train, (0.9, 0.1), seed=0) if self.dev is None else (train, read(DATA / self.dev))
        return train, dev, read(DATA / self.test) if final and self.test else dev

    def answers(self, model: Any, rows: Dataset) -> Answers:
        """Labels that Cauce gives."""
        return np.array([answer.label or "" for answer in model.predict(rows.rows)])

    def truth(self, rows: Dataset) -> Answers:
        """The right ones."""
        return np.array(rows.labels.to_pylist())

    def peer(self, train: Dataset, dev: Dataset) -> Callable[[Dataset], Answers]:
        """scikit-learn's TF-IDF (words 1-2, characters 2-5 within words) and logistic regression, its penalty chosen on dev."""
        features = make_union(
            TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
            TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, min_df=2),
        )
        x = features.fit_transform(train.texts().to_pylist())
        held = features.transform(dev.texts().to_pylist())
        fits = [
            LogisticRegression(C=c, max_iter=1000, class_weight="balanced").fit(x, self.truth(train)) for c in PEER_PENALTIES
        ]
        best = max(fits, key=lambda fit: self.metric(self.truth(dev), fit.predict(held)))
        pipeline = make_pipeline(features, best)
        return lambda rows: np.array(pipeline.predict(rows.texts().to_pylist()))


class Campaign(Task):
    """Who buys, from a table: the column that leaks the answer is left out; the figure is of the score, not of the label."""

    def parts(self, final: bool) -> tuple[Dataset, Dataset, Dataset]:
        """Stratified: 30 % test (seed 0), of the rest 10 % dev."""
        whole = read(DATA / self.train, Columns(ignore=("duration",)))
        rest, test = train_test_split(np.arange(len(whole)), test_size=0.3, stratify=self.truth(whole), random_state=0)
        train, dev = split(whole.take(np.sort(rest)), (0.9, 0.1), seed=0)
        return train, dev, whole.take(np.sort(test)) if final else dev

    def answers(self, model: Any, rows: Dataset) -> Answers:
        """The score of a yes."""
        return np.array(model.predict(rows.rows).scores[:, model.labels.index("yes")])

    def truth(self, rows: Dataset) -> Answers:
        """1 where somebody bought."""
        return np.array(rows.labels.to_pylist()) == "yes"

    def peer(self, train: Dataset, dev: Dataset) -> Callable[[Dataset], Answers]:
        """scikit-learn's one-hot categories, standardized numbers and logistic regression, its penalty chosen on dev."""
        kinds = {kind: [i for i, one in enumerate(train.inputs) if one.type == kind] for kind in ("category", "number")}
        encode = make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore"), kinds["category"]), (StandardScaler(), kinds["number"])
        )

        def rows(data: Dataset) -> Answers:
            return np.array([column.to_pylist() for column in data.rows.columns], object).T

        fits = [
            make_pipeline(encode, LogisticRegression(C=c, max_iter=2000)).fit(rows(train), self.truth(train))
            for c in PEER_PENALTIES
        ]
        best = max(fits, key=lambda fit: self.metric(self.truth(dev), fit.predict_proba(rows(dev))[:, 1]))
        return lambda data: np.array(best.predict_proba(rows(data))[:, 1])


def macro_f1(truth: Answers, given: Answers) -> float:
    """The mean F1 of the labels."""
    return float(f1_score(truth, given, average="macro", zero_division=0))


def f1_of_irony(truth: Answers, given: Answers) -> float:
    """F1 of the ironic class."""
    return float(f1_score(truth, given, pos_label="irony", average="binary", zero_division=0))


def macro_recall(truth: Answers, given: Answers) -> float:
    """The mean recall of the labels."""
    return float(recall_score(truth, given, average="macro", zero_division=0))


def tweets(name: str, metric_name: str, metric: Metric, train: str = "") -> Task:
    """A task whose parts are x_text.txt beside x_labels.txt."""
    return Task(name, metric_name, metric, train or f"{name}/train", f"{name}/val", f"{name}/test")


TASKS = (
    tweets("tweeteval/emotion", "macro F1", macro_f1),
    tweets("tweeteval/irony", "F1 of the ironic class", f1_of_irony),
    tweets("tweeteval/offensive", "macro F1", macro_f1),
    tweets("tweeteval/sentiment", "macro recall", macro_recall, "semeval_2013_2016_train/train.tsv"),
    tweets("umsab/spanish", "macro F1", macro_f1),
    Task("banking77", "accuracy", accuracy_score, "banking77/train.csv", None, "banking77/test.csv"),
    Campaign("bank_marketing", "ROC AUC", roc_auc_score, f"bank_marketing/{CAMPAIGN}", None, None),
)


def with_interval(metric: Metric, truth: Answers, ours: Answers, theirs: Answers) -> dict[str, list[float]]:
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
    train, dev, measured = task.parts(final)
    with tempfile.TemporaryDirectory() as room:
        files = {"train": Path(room) / "train.parquet", "dev": Path(room) / "dev.parquet"}
        for part, rows in (("train", train), ("dev", dev)):
            pq.write_table(pa.Table.from_batches([rows.rows]).append_column("label", rows.labels), files[part])
        columns = Columns.of_model(train.inputs, train.task, label=("label",))
        run = cauce.train(files["train"], dev=files["dev"], columns=columns, out=f"{room}/model")
        megabytes = (run.folder / "weights.safetensors").stat().st_size / 1e6
    start = time.perf_counter()
    theirs = task.peer(train, dev)
    peer_seconds = time.perf_counter() - start
    figures = with_interval(task.metric, task.truth(measured), task.answers(run.model, measured), theirs(measured))
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
    only = [name for name in sys.argv[1:] if not name.startswith("-")]
    for task in [task for task in TASKS if not only or task.name in only]:
        row = measure(task, final)
        tables["test" if final else "dev"][task.name] = row
        sys.stdout.write(f"{task.name}: {json.dumps(row)}\n")
        sys.stdout.flush()
    result = {
        **tables,
        "times_test_was_read": before.get("times_test_was_read", 0) + final,
        **machine("numpy", "scikit-learn"),
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
