"""What a smaller linear model costs: buckets dropped, and weights in fewer bits, on the dev parts of quality.py's data sets.

A bucket's effect is its largest |gain * weight| over the labels, less their mean, times the root of how many training rows
have it. Buckets of the least effect go first: `dropped` from the file and from the norm, or `silenced`: they stay in the
norm. Figures are differences to 32-bit floats, in points, paired bootstraps. The test parts are not read.
Writes benchmarks/results/pruning.json.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from machine import machine
from quality import DATA, TASKS, Answers, Campaign, Task
from safetensors.numpy import load_file, save_file
from scipy.sparse import csr_matrix

from cauce.data.dataset import Dataset
from cauce.recipes import linear
from cauce.recipes.features import Features, features
from cauce.runtimes.linear import Linear
from cauce.text.ngrams import Ngrams
from cauce.text.normalize import Normalizer

RESULT = Path(__file__).parent / "results" / "pruning.json"
SHARES = (0.1, 0.25, 0.5, 0.75)
RUNS, RESAMPLES = 5, 300
Columns = npt.NDArray[np.float64]


def fit(train: Dataset, dev: Dataset) -> tuple[Features, Columns, npt.NDArray[np.float32]]:
    """The features, and the weights (buckets, labels + 1; the last is the squared gain) and bias that the recipe finds."""
    labels = tuple(train.counts())
    fitted = linear.train(train, dev, labels, seed=0, progress=lambda share, what: None)
    rows = features(train, train.truth(labels), Normalizer(), Ngrams())
    weights, bias, _, _ = linear.FITS["classification"](
        rows, train.truth(labels), len(labels), fitted.parameters["C"], 0, np.zeros(1, np.bool_)
    )
    return rows, np.column_stack([weights * rows.gains[:, None], rows.gains**2]).astype(np.float64), bias


def counted(texts: list[str], buckets: npt.NDArray[np.int32]) -> csr_matrix:
    """How often each text has each of the buckets, (texts, buckets)."""
    normalizer, ngrams = Normalizer(), Ngrams()
    place = np.full(2**ngrams.bits, -1)
    place[buckets] = np.arange(len(buckets))
    rows, columns = [], []
    for row, text in enumerate(texts):
        found = place[[ngram.bucket for ngram in ngrams.reference(normalizer.reference(text))]]
        columns.append(found[found >= 0])
        rows.append(np.full(len(columns[-1]), row))
    at = (np.concatenate(rows), np.concatenate(columns))
    return csr_matrix((np.ones(len(at[0])), at), shape=(len(texts), len(buckets)))


def rounded(columns: Columns, bits: int) -> Columns:
    """As whole numbers of so many bits, each column with its own scale."""
    scale = np.maximum(np.abs(columns).max(axis=0), np.finfo(np.float32).tiny) / (2 ** (bits - 1) - 1)
    return np.rint(columns / scale) * scale


def forms(columns: Columns, effect: Columns) -> dict[str, tuple[Columns, int]]:
    """Each smaller form: its columns, and the bytes that the file needs."""
    labels = columns.shape[1] - 1
    short = rounded(columns, 16)
    eight = np.column_stack([rounded(columns[:, :-1], 8), short[:, -1]])
    bucket, word = 4, 2
    found = {
        "32-bit floats": (columns, len(columns) * (bucket + 4 * (labels + 1))),
        "16-bit weights": (short, len(columns) * (bucket + word * (labels + 1))),
        "8-bit weights, 16-bit gains": (eight, len(columns) * (bucket + labels + word)),
    }
    order = np.argsort(effect, kind="stable")
    for share in SHARES:
        gone = order[: int(share * len(order))]
        for what, width in (("dropped", labels + 1), ("silenced", labels)):
            less = short.copy()
            less[gone, :width] = 0
            left = len(columns) - len(gone)
            size = left * (bucket + word * (labels + 1)) + (len(gone) * (bucket + word) if what == "silenced" else 0)
            found[f"{share:.0%} {what}"] = (less, size)
    return found


def timed(columns: Columns, rows: Features, bias: npt.NDArray[np.float32], texts: list[str]) -> dict[str, float]:
    """Milliseconds to load the weights from a file, and texts a second, medians; the buckets without weights are left out."""
    scale = np.maximum(np.abs(columns).max(axis=0), np.finfo(np.float32).tiny) / np.iinfo(np.int16).max
    used = columns.any(axis=1)
    tensors = {
        "buckets": rows.buckets[used],
        "weights": np.rint(columns[used] / scale).astype(np.int16),
        "scale": scale.astype(np.float32),
        "bias": bias,
    }
    batch = pa.RecordBatch.from_pydict({"text": texts})
    loading, scoring = [], []
    with tempfile.TemporaryDirectory() as room:
        save_file(tensors, f"{room}/weights.safetensors")
        for _ in range(RUNS):
            start = time.perf_counter()
            model = Linear(
                normalizer=Normalizer(),
                ngrams=Ngrams(),
                inputs=(("text", "text"),),
                tensors=load_file(f"{room}/weights.safetensors"),
            )
            loading.append(time.perf_counter() - start)
            model.warm_up()
            start = time.perf_counter()
            model.forward(model.encode(batch))
            scoring.append(time.perf_counter() - start)
    return {
        "load_ms": round(1e3 * statistics.median(loading), 2),
        "texts_per_second": round(len(texts) / statistics.median(scoring)),
    }


def measure(task: Task) -> dict[str, object]:
    """Every form on the task's dev part."""
    train, dev, _ = task.parts(final=False)
    rows, columns, bias = fit(train, dev)
    labels = tuple(train.counts())
    seen = np.bincount(rows.columns, minlength=len(columns))
    spread = columns[:, :-1] - columns[:, :-1].mean(axis=1, keepdims=True)
    effect = np.abs(spread).max(axis=1) * np.sqrt(seen)
    texts = dev.texts().to_pylist()
    counts, truth = counted(texts, rows.buckets), np.array(dev.labels.to_pylist())

    def given(weights: Columns) -> Answers:
        sums = counts @ weights
        logits = sums[:, :-1] / np.sqrt(np.maximum(sums[:, -1:], 1e-12)) + bias
        return np.array(labels)[logits.argmax(axis=1)]

    random = np.random.default_rng(0)
    draws = [np.arange(len(truth)), *(random.integers(0, len(truth), len(truth)) for _ in range(RESAMPLES))]

    def values(labels: Answers) -> Columns:
        """The metric on the rows as they are, then on each resample, in points."""
        return 100 * np.array([task.metric(truth[draw], labels[draw]) for draw in draws])

    whole = values(given(columns))
    table: dict[str, object] = {}
    for name, (weights, size) in forms(columns, effect).items():
        found = values(given(weights))
        lower, upper = np.percentile((found - whole)[1:], (2.5, 97.5))
        difference = [round(float(x), 2) for x in (found[0] - whole[0], lower, upper)]
        table[name] = {"megabytes": round(size / 1e6, 2), "value": round(float(found[0]), 2), "difference": difference}
        if not name.startswith(("32", "8-")):
            table[name] |= timed(weights, rows, bias, train.texts().to_pylist())  # type: ignore[operator]
    return {"metric": task.metric_name, "buckets": len(columns), "forms": table}


def main() -> None:
    """Measure every task and write the table."""
    if not DATA.exists():
        sys.stdout.write("the real data are not here: nothing measured\n")
        return
    tasks = {}
    for task in (task for task in TASKS if not isinstance(task, Campaign)):
        tasks[task.name] = measure(task)
        sys.stdout.write(f"{task.name}: {json.dumps(tasks[task.name])}\n")
        sys.stdout.flush()
    result = {
        "dev": tasks,
        **machine("numpy", "numba", "safetensors"),
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
