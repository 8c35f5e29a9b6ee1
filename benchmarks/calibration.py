"""What calibration of the linear recipe's scores brings: a temperature, or a temperature and a bias for each label.

Fitted on dev and measured on dev by cross-fitting (five parts: fitted on four, measured on the fifth). Test is never read.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from machine import machine
from scipy.optimize import minimize

from cauce.data.read import read
from cauce.data.split import split
from cauce.evaluation.calibration import temperature
from cauce.evaluation.classification import measure
from cauce.evaluation.metrics import draw
from cauce.evaluation.significance import paired
from cauce.model.scores import to_scores
from cauce.recipes import linear
from cauce.runtimes.linear import Linear
from cauce.text.ngrams import Ngrams
from cauce.text.normalize import Normalizer

ROOT = Path(__file__).parent.parent
DATA = ROOT.parent / "shared" / "data"
RESULT = ROOT / "benchmarks" / "results" / "calibration.json"
PARTS = 5
METRICS = ("log_loss", "ece", "macro_f1", "accuracy")
SETS = {
    "tweeteval/emotion": ("tweeteval/emotion/train_text.txt", "tweeteval/emotion/val_text.txt"),
    "tweeteval/irony": ("tweeteval/irony/train_text.txt", "tweeteval/irony/val_text.txt"),
    "tweeteval/offensive": ("tweeteval/offensive/train_text.txt", "tweeteval/offensive/val_text.txt"),
    "umsab/spanish": ("umsab/spanish/train_text.txt", "umsab/spanish/val_text.txt"),
    "banking77": ("banking77/train.csv", None),
    "tweeteval/sentiment": ("semeval_2013_2016_train/train.tsv", "tweeteval/sentiment/val_text.txt"),
}

Logits = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]


def warmth(logits: Logits, truth: Places) -> tuple[float, npt.NDArray[np.float64]]:
    """A temperature alone."""
    return temperature("classification", logits, truth), np.zeros(logits.shape[1])


def with_bias(logits: Logits, truth: Places) -> tuple[float, npt.NDArray[np.float64]]:
    """A temperature and a bias for each label, of the least log loss with a small penalty on the biases."""

    def loss(guess: npt.NDArray[np.float64]) -> float:
        z = logits * np.exp(guess[0]) + guess[1:]
        top = z.max(axis=1)
        return float(
            (top + np.log(np.exp(z - top[:, None]).sum(axis=1)) - z[np.arange(len(z)), truth]).sum()
            + (guess[1:] ** 2).sum() / 2
        )

    found = minimize(loss, np.zeros(logits.shape[1] + 1), method="L-BFGS-B").x
    return float(np.exp(-found[0])), found[1:]


WAYS = {"temperature": warmth, "temperature and bias": with_bias}


def dev_logits(train_file: str, dev_file: str | None) -> tuple[Logits, Places]:
    """What the linear recipe says of dev."""
    train = read(DATA / train_file)
    train, dev = split(train, (0.9, 0.1), seed=0) if dev_file is None else (train, read(DATA / dev_file))
    labels = tuple(train.counts())
    fitted = linear.train(train, dev, labels, seed=0, progress=lambda share, what: None, normalizer=Normalizer())
    inputs = tuple((one.name, one.type) for one in dev.inputs)
    ngrams = Ngrams(**fitted.parameters["ngrams"])
    runtime = Linear(normalizer=fitted.normalizer, ngrams=ngrams, inputs=inputs, tensors=fitted.tensors)
    return runtime.forward(runtime.encode(dev.rows)), dev.truth(labels)


def main() -> None:
    """Measure every set and write the table."""
    if not DATA.exists():
        sys.stdout.write("the real data are not here: nothing measured\n")
        return
    table = {}
    for name, files in SETS.items():
        logits, truth = dev_logits(*files)
        part = np.random.default_rng(0).permutation(len(truth)) % PARTS
        before = measure(truth, to_scores("classification", logits))
        row: dict[str, object] = {"rows": len(truth)}
        for way, fit in WAYS.items():
            moved = np.empty_like(logits)
            for held in range(PARTS):
                warm, bias = fit(logits[part != held], truth[part != held])
                moved[part == held] = logits[part == held] / warm + bias
            after = measure(truth, to_scores("classification", moved))
            found = paired(*draw([before, after], len(truth)), len(truth))
            row[way] = {
                metric: {
                    "before": round(found[metric].a, 4),
                    "after": round(found[metric].b, 4),
                    "difference": [round(found[metric].difference.low, 4), round(found[metric].difference.high, 4)],
                }
                for metric in METRICS
            }
        table[name] = row
        sys.stdout.write(f"{name}: {json.dumps(row)}\n")
        sys.stdout.flush()
    RESULT.write_text(json.dumps({"dev": table, **machine("numpy")}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
