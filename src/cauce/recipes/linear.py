"""The linear recipe: a linear model over hashed n-grams of characters and words, other columns beside them.

One label of several: multinomial logistic regression, classes counting alike. Several labels: logistic regression for each
(one-vs-rest). A number: ridge regression. The strength of the penalty is chosen on dev.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save

from cauce.data.dataset import Dataset
from cauce.errors import DataTooLarge, Interrupted
from cauce.evaluation.evaluate import judge
from cauce.model.manifest import Task
from cauce.model.scores import to_scores
from cauce.recipes import solver
from cauce.recipes.checkpoint import Checkpoint
from cauce.recipes.contrast import DOUBT
from cauce.recipes.features import EVEN, LEAST_ROWS, RARITY, Features, features
from cauce.recipes.options import Options
from cauce.runtimes.cells import Tensors
from cauce.runtimes.linear import WEIGHTS, Linear
from cauce.text.ngrams import Ngrams
from cauce.text.normalize import Normalizer
from cauce.text.spelling import Spelling
from cauce.text.threads import run_all

PENALTIES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
EPOCHS, TOLERANCE = 200, 1e-3  # texts need about ten; a table of few columns under a weak penalty a hundred

MOST_LABELS = 4096
MOST_WEIGHTS = 2**28  # 1 GB of them, and twice that for each row's share of each label, in each fit

RUNTIME, VARIANT = "linear", "linear"
NORMALIZER = Normalizer()

Fit = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], int, float]  # weights, bias, epochs, gap


@dataclass(frozen=True)
class Fitted:
    """A fitted model: what the folder's manifest says of it, and its weights."""

    normalizer: Normalizer
    parameters: dict[str, Any]
    tensors: Tensors
    log: list[dict[str, Any]] = field(default_factory=list)
    spelling: Spelling | None = None
    max_tokens: int | None = None
    notes: tuple[str, ...] = ()
    stopped: bool = False

    def save(self, folder: Path) -> list[str]:
        """Write the weights and the dictionary; returns the names of the files."""
        (folder / WEIGHTS).write_bytes(save(self.tensors))
        return [WEIGHTS, *([self.spelling.save(folder)] if self.spelling else [])]


def train(
    data: Dataset,
    dev: Dataset,
    labels: tuple[str, ...],
    *,
    seed: int,
    progress: Callable[[float, str], None],
    normalizer: Normalizer,
    spelling: Spelling | None = None,
    options: Options = Options(),
    checkpoint: Checkpoint | None = None,
    penalties: tuple[float, ...] = PENALTIES,
) -> Fitted:
    """Fit one model for each penalty and keep the best on dev (see `judge`; of equals, the stronger penalty).

    There are no options, and nothing is kept on the way: a fit takes seconds.
    """
    ngrams = Ngrams()
    progress(0.0, "counting n-grams (the first time on a machine, loops are compiled: some seconds)")
    _check_size(data, len(labels))
    truth, dev_truth = data.truth(labels), dev.truth(labels)
    rows = features(data, truth, normalizer, spelling, ngrams)
    _check_size(data, len(labels), rows.width)
    inputs = tuple((one.name, one.type) for one in data.inputs)
    stop = np.zeros(1, np.bool_)
    done = 0

    def candidate(penalty: float) -> tuple[Tensors, dict[str, Any]]:
        nonlocal done
        weights, bias, epochs, gap = FITS[data.task](rows, truth, len(labels), penalty, seed, stop)
        if stop[0]:
            raise Interrupted("stopped while fitting")
        tensors = rows.fold(weights, bias)
        runtime = Linear(normalizer=normalizer, spelling=spelling, ngrams=ngrams, inputs=inputs, tensors=tensors)
        scores = to_scores(data.task, runtime.forward(runtime.encode(dev.rows)))
        name, value, merit = judge(data.task, dev_truth, scores)
        done += 1
        progress(done / len(penalties), f"C = {penalty:g}: {name} on dev {value:.3f}")
        return tensors, {"C": penalty, "epochs": epochs, "gap": gap, f"dev_{name}": value, "merit": merit}

    fits = run_all(
        [lambda penalty=penalty: candidate(penalty) for penalty in penalties],  # type: ignore[misc]
        abandon=lambda: stop.fill(True),  # the threads leave their loops
    )
    tensors, best = max(fits, key=lambda found: (found[1]["merit"], -found[1]["C"]))
    parameters = {
        "ngrams": ngrams.model_dump(),
        "C": best["C"],
        "epochs": EPOCHS,
        "tolerance": TOLERANCE,
        "least_rows": LEAST_ROWS,
        "rarity": RARITY,
        "even": EVEN,
        "doubt": DOUBT,
    }
    return Fitted(normalizer, parameters, tensors, [found[1] for found in fits], spelling)


def _check_size(data: Dataset, labels: int, columns: int = 0) -> None:
    """Refuse what would take hours or not fit into memory: a weight for each column and label, a share for each row and label.

    Raises:
        DataTooLarge

    """
    if labels > MOST_LABELS or labels * max(columns, len(data)) > MOST_WEIGHTS:
        among = f" and {columns} n-grams and values" if columns else ""
        raise DataTooLarge(
            f"{labels} different labels of {len(data)} rows{among} are too many for a linear model",
            where=data.source,
            hint=f'is "{data.target}" the label? else merge rare labels ({MOST_LABELS} at most), or train on fewer rows',
        )


def _multinomial(
    rows: Features, truth: npt.NDArray[Any], labels: int, penalty: float, seed: int, stop: npt.NDArray[np.bool_]
) -> Fit:
    """One label of several, `truth` (n,) its place; classes count alike: n / (labels * rows of the class)."""
    sizes = np.bincount(truth, minlength=labels)
    return _logistic(rows, truth, len(truth) / (labels * np.maximum(sizes, 1))[truth], labels, penalty, seed, stop)


def _one_vs_rest(
    rows: Features, truth: npt.NDArray[Any], labels: int, penalty: float, seed: int, stop: npt.NDArray[np.bool_]
) -> Fit:
    """Several labels, `truth` (n, labels): a logistic regression each."""
    weights, bias = np.empty((rows.width, labels), np.float32), np.empty(labels, np.float32)
    epochs, gap, even = 0, 0.0, np.ones(len(truth))
    for k in range(labels):
        both, both_bias, here, gap_here = _logistic(rows, truth[:, k].astype(np.int64), even, 2, penalty, seed, stop)
        weights[:, k], bias[k] = both[:, 1] - both[:, 0], both_bias[1] - both_bias[0]
        epochs, gap = max(epochs, here), max(gap, gap_here)
    return weights, bias, epochs, gap


def _logistic(
    rows: Features,
    truth: npt.NDArray[np.int64],
    costs: npt.NDArray[np.float64],
    labels: int,
    penalty: float,
    seed: int,
    stop: npt.NDArray[np.bool_],
) -> Fit:
    weights, bias = np.zeros((rows.width, -(-labels // 4) * 4), np.float32), np.zeros(labels, np.float32)
    epochs, gap = solver.fit(
        rows.starts, rows.columns, rows.values, truth, costs, penalty, EPOCHS, TOLERANCE, seed, weights, bias, stop
    )
    return weights[:, :labels], bias, int(epochs), float(gap)


def _ridge(rows: Features, truth: npt.NDArray[Any], labels: int, penalty: float, seed: int, stop: npt.NDArray[np.bool_]) -> Fit:
    """A number, `truth` (n, 1): fitted with mean 0 and deviation 1, so that the penalties mean the same for any unit."""
    mean, deviation = truth.mean(), truth.std() or 1.0
    weights, bias = np.zeros((rows.width, 1), np.float32), np.zeros(1, np.float32)
    epochs, gap = solver.fit_ridge(
        rows.starts, rows.columns, rows.values, (truth[:, 0] - mean) / deviation, penalty, EPOCHS, TOLERANCE, seed,
        weights, bias, stop,
    )  # fmt: skip
    return (weights * deviation).astype(np.float32), (bias * deviation + mean).astype(np.float32), int(epochs), float(gap)


FITS: dict[Task, Callable[..., Fit]] = {
    "classification": _multinomial,
    "multilabel": _one_vs_rest,
    "regression": _ridge,
}
