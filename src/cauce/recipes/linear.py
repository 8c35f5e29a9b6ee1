"""The linear recipe: logistic regression over hashed n-grams of characters and words.

Features: x_j = tf_j * idf_j / norm, with norm^2 = the sum of idf^2 over all n-grams of the text, repeats included, so that
the runtime can compute it in one streaming pass. The strength of the penalty is chosen on dev.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from safetensors.numpy import save

from cauce.data.dataset import Dataset
from cauce.errors import InputError, Interrupted
from cauce.evaluation.metrics import macro_f1
from cauce.model.model import softmax
from cauce.recipes.solver import fit
from cauce.runtimes.linear import WEIGHTS, Linear
from cauce.text import kernels
from cauce.text.buffers import utf8
from cauce.text.ngrams import Ngrams
from cauce.text.normalize import Normalizer
from cauce.text.threads import run_all, run_sliced
from cauce.text.unicode import table

PENALTIES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
EPOCHS, TOLERANCE = 30, 1e-3
RARITY = 2.0  # chosen with the n-grams, by cross-validation over six data sets
LEAST_ROWS = 2  # an n-gram of one row only says what that row is
SMALLEST_SLICE = 256
LARGEST = np.iinfo(np.int16).max

NAME, RUNTIME, VARIANT = "linear", "linear", "linear"


@dataclass(frozen=True)
class Fitted:
    """A fitted model: what the folder's manifest says of it, and its weights."""

    normalizer: Normalizer
    parameters: dict[str, Any]
    tensors: dict[str, npt.NDArray[Any]]
    log: list[dict[str, Any]] = field(default_factory=list)

    def save(self, folder: Path) -> list[str]:
        """Write the weights; returns the names of the files."""
        (folder / WEIGHTS).write_bytes(save(self.tensors))
        return [WEIGHTS]


def train(
    data: Dataset,
    dev: Dataset,
    labels: tuple[str, ...],
    *,
    seed: int,
    progress: Callable[[float, str], None],
    penalties: tuple[float, ...] = PENALTIES,
) -> Fitted:
    """Fit one model for each penalty and keep the best on dev (macro F1; of equals, the stronger penalty).

    Raises:
        InputError: the data have more than one input column.

    """
    if data.rows.num_columns != 1:
        raise InputError(
            f"the linear recipe reads one text column, there are {data.rows.num_columns}", hint="name it with --text"
        )
    normalizer, ngrams = Normalizer(), Ngrams()
    progress(0.0, "counting n-grams (the first time on a machine, loops are compiled: some seconds)")
    rows = _count(data.rows.column(0), normalizer, ngrams)
    truth, dev_truth = data.places(labels), dev.places(labels)
    costs = _class_costs(truth, len(labels))
    stop = np.zeros(1, np.bool_)
    done = 0

    def candidate(penalty: float) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
        nonlocal done
        weights = np.zeros((len(rows.buckets), -(-len(labels) // 4) * 4), np.float32)
        bias = np.zeros(len(labels), np.float32)
        epochs, gap = fit(
            rows.starts, rows.columns, rows.values, truth, costs, penalty, EPOCHS, TOLERANCE, seed, weights, bias, stop
        )  # fmt: skip
        folded = np.column_stack([weights[:, : len(labels)] * rows.idf[:, None], rows.idf**2])
        tensors: dict[str, Any] = {"buckets": rows.buckets, **_quantized(folded), "bias": bias}
        runtime = Linear(normalizer=normalizer, ngrams=ngrams, **tensors)
        score = macro_f1(dev_truth, softmax(runtime.forward(runtime.encode(dev.rows))))
        done += 1
        if stop[0]:
            raise Interrupted("stopped while fitting")
        progress(done / len(penalties), f"C = {penalty:g}: macro F1 on dev {score:.3f}")
        return tensors, {"C": penalty, "epochs": int(epochs), "gap": float(gap), "dev_macro_f1": score}

    try:
        fits = run_all([lambda penalty=penalty: candidate(penalty) for penalty in penalties])  # type: ignore[misc]
    except BaseException:
        stop[0] = True  # Ctrl-C: the threads leave their loops too
        raise
    tensors, best = max(fits, key=lambda found: (found[1]["dev_macro_f1"], -found[1]["C"]))
    parameters = {
        "ngrams": ngrams.model_dump(),
        "C": best["C"],
        "epochs": EPOCHS,
        "tolerance": TOLERANCE,
        "least_rows": LEAST_ROWS,
        "rarity": RARITY,
    }
    return Fitted(normalizer, parameters, tensors, [found[1] for found in fits])


@dataclass(frozen=True)
class _Sparse:
    """Rows of weighted n-grams (CSR), and the buckets and idf of their columns."""

    starts: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int32]
    values: npt.NDArray[np.float32]
    buckets: npt.NDArray[np.int32]
    idf: npt.NDArray[np.float32]


def _count(texts: pa.Array, normalizer: Normalizer, ngrams: Ngrams) -> _Sparse:
    """Count n-grams and weight them: tf * idf / norm, idf = (1 + ln((1 + n) / (1 + df))) ** `RARITY`.

    With a power of 1 this is scikit-learn's. More of it suits n-grams of characters, most of which are frequent and say little.
    """
    prepared = pa.array([normalizer.prepare(text) for text in texts.to_pylist()], pa.large_string())
    data, offsets = utf8(prepared)
    n = len(prepared)
    ends, found = np.zeros(n, np.int64), np.empty(0, np.int32)
    hard = np.zeros(n, np.bool_)

    def work(start: int, end: int) -> None:
        kernels.count_rows(
            data, offsets, start, end, table(), normalizer.options | kernels.PREPARED, normalizer.repeats,
            ngrams.char_low, ngrams.char_high, ngrams.word_high, ngrams.bits, ends, found, hard,
        )  # fmt: skip

    run_sliced(work, n, SMALLEST_SLICE)
    ends = np.cumsum(ends)
    found = np.empty(int(ends[-1]), np.int32)
    run_sliced(work, n, SMALLEST_SLICE)
    row = np.repeat(np.arange(n), np.diff(ends, prepend=0))
    first = np.ones(len(found), np.bool_)  # where a new bucket of a row starts: its buckets are sorted
    first[1:] = (found[1:] != found[:-1]) | (row[1:] != row[:-1])
    places = np.flatnonzero(first)
    counts = np.diff(np.append(places, len(found)))
    columns, row = found[places], row[places]
    document_counts = np.bincount(columns, minlength=2**ngrams.bits)
    kept = document_counts >= min(LEAST_ROWS, n)
    idf_of_bucket = np.where(kept, (1 + np.log((1 + n) / (1 + document_counts))) ** RARITY, 0)
    used = kept[columns]
    columns, row, counts = columns[used], row[used], counts[used]
    idf = idf_of_bucket[columns]
    squares = np.bincount(row, counts * idf**2, minlength=n)
    values = (counts * idf / np.sqrt(squares)[row]).astype(np.float32)
    starts = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=n))])
    buckets = np.flatnonzero(kept).astype(np.int32)
    compact = (np.cumsum(kept) - 1).astype(np.int32)[columns]
    return _Sparse(starts, compact, values, buckets, idf_of_bucket[buckets].astype(np.float32))


def _quantized(columns: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[Any]]:
    """Columns (m, k) as 16-bit whole numbers, and what a unit of each column is worth (k,)."""
    scale = np.maximum(np.abs(columns).max(axis=0), np.finfo(np.float32).tiny) / LARGEST
    return {"weights": np.rint(columns / scale).astype(np.int16), "scale": scale.astype(np.float32)}


def _class_costs(truth: npt.NDArray[np.int64], labels: int) -> npt.NDArray[np.float64]:
    """The weight of each row: classes count alike, n / (labels * rows of the class)."""
    sizes = np.bincount(truth, minlength=labels)
    return len(truth) / (labels * np.maximum(sizes, 1))[truth]
