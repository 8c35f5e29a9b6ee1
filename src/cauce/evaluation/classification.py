"""What a classifier is worth. A row that could not be answered counts as wrong, and with even scores."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cauce.evaluation.areas import Areas
from cauce.evaluation.metrics import Drawn, Floats, Measure, Places, Report, counted, draw, per_class, with_intervals

BINS = 15  # of the expected calibration error (Guo et al. 2017)
METRICS = ("accuracy", "macro_f1", "micro_f1", "macro_recall", "macro_precision", "log_loss", "roc_auc", "ece")


def report(
    truth: Places,
    scores: npt.NDArray[np.float32],
    labels: tuple[str, ...],
    *,
    seed: int = 0,
    drawn: Drawn | None = None,
) -> Report:
    """Evaluate scores against the truth.

    Args:
        truth: (n,) places in `labels`.
        scores: (n, labels) probabilities; a row of NaN was not answered.
        drawn: the figures and their resamples, where they were made before (see `draw`).

    """
    answered, given, _ = _answers(scores)
    figures = with_intervals(drawn or draw([measure(truth, scores)], len(truth), seed)[0])
    metrics = {name: figures[name][0] for name in METRICS if name in figures}
    confusion = np.zeros((len(labels), len(labels) + 1), np.int64)
    np.add.at(confusion, (truth, given), 1)
    counts = dict(zip(labels, confusion.sum(axis=1).tolist(), strict=True))
    errors = int((~answered).sum())
    return Report("macro_f1", metrics, per_class(figures, labels), counts, confusion, labels, len(truth), errors)


def measure(truth: Places, scores: npt.NDArray[np.float32]) -> Measure:
    """The figures of `report`, for any weights on the rows."""
    _, given, even = _answers(scores)
    return _Rows(truth, given, even).figures


def macro_f1(truth: Places, scores: npt.NDArray[np.float32]) -> float:
    """The mean F1 of the labels that occur in the truth or in the answers; no interval."""
    classes = np.arange(scores.shape[1])
    true, given = ((places[:, None] == classes).astype(np.float64) for places in (truth, scores.argmax(axis=1)))
    return float(counted(true, given, np.ones((1, len(truth))))["macro_f1"][0])


def _answers(scores: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.bool_], Places, Floats]:
    """Which rows were answered, the place of each answer (behind the labels where there is none), and scores without NaN."""
    labels = scores.shape[1]
    answered: npt.NDArray[np.bool_] = ~np.isnan(scores.sum(axis=1))
    even = np.where(answered[:, None], scores, np.float32(1 / labels)).astype(np.float64)
    return answered, np.where(answered, even.argmax(axis=1), labels), even


class _Rows:
    """Answered rows, and their figures under weights on them (a resample is a weight for each row)."""

    def __init__(self, truth: Places, given: Places, scores: Floats) -> None:
        n, k = scores.shape
        self.true = (truth[:, None] == np.arange(k)).astype(np.float64)
        self.given = (given[:, None] == np.arange(k)).astype(np.float64)
        self.loss = -np.log(np.clip(scores[np.arange(n), truth], 1e-15, None))
        confidence = scores.max(axis=1)
        bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
        self.right = truth == given
        self.gap = (self.right - confidence)[:, None] * (bins[:, None] == np.arange(BINS))
        ranked = slice(None) if k > 2 else slice(1, 2)  # of two labels, one curve is the other turned round
        self.areas = Areas(self.true[:, ranked], scores[:, ranked])

    def figures(self, weights: Floats) -> dict[str, Floats]:
        """All figures under each row of `weights` (b, n): (b,), or (b, labels) for those of a class."""
        total = weights.sum(axis=1)
        return {
            **counted(self.true, self.given, weights),
            "accuracy": weights @ self.right / total,
            "log_loss": weights @ self.loss / total,
            "ece": np.abs(weights @ self.gap).sum(axis=1) / total,
            **self.areas.figures(weights),
        }
