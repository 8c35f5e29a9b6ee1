"""What a model is worth that gives a row any number of labels. A row that could not be answered has none, with even scores."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cauce.evaluation.areas import Areas
from cauce.evaluation.metrics import Drawn, Floats, Measure, Report, counted, draw, per_class, with_intervals

METRICS = ("macro_f1", "micro_f1", "accuracy", "macro_recall", "macro_precision", "hamming_loss", "log_loss", "roc_auc")
LEAST_ROWS = 10  # with and without a label, for a threshold of its own
HALF = 0.5


def report(
    truth: npt.NDArray[np.bool_],
    scores: npt.NDArray[np.float32],
    labels: tuple[str, ...],
    thresholds: tuple[float, ...],
    *,
    seed: int = 0,
    drawn: Drawn | None = None,
) -> Report:
    """Evaluate scores against the truth.

    Args:
        truth: (n, labels) which labels each row has.
        scores: (n, labels) probabilities; a row of NaN was not answered.
        thresholds: (labels,) a row is given the labels whose score reaches theirs.
        drawn: the figures and their resamples, where they were made before (see `draw`).

    """
    found = with_intervals(drawn or draw([measure(truth, scores, thresholds)], len(truth), seed)[0])
    metrics = {name: found[name][0] for name in METRICS if name in found}
    counts = dict(zip(labels, truth.sum(axis=0).tolist(), strict=True))
    errors = int(np.isnan(scores.sum(axis=1)).sum())
    return Report("macro_f1", metrics, per_class(found, labels), counts, None, labels, len(truth), errors)


def measure(truth: npt.NDArray[np.bool_], scores: npt.NDArray[np.float32], thresholds: tuple[float, ...]) -> Measure:
    """The figures of `report`, for any weights on the rows."""
    answered: npt.NDArray[np.bool_] = ~np.isnan(scores.sum(axis=1))
    even = np.where(answered[:, None], scores, np.float32(HALF)).astype(np.float64)
    marks = answered[:, None] & (scores >= np.array(thresholds, np.float32))
    true, given = truth.astype(np.float64), marks.astype(np.float64)
    wrong, loss, areas = truth != marks, log_loss(truth, even), Areas(true, even)

    def figures(weights: Floats) -> dict[str, Floats]:
        total = weights.sum(axis=1)
        return {
            **counted(true, given, weights),
            "accuracy": weights @ ~wrong.any(axis=1) / total,
            "hamming_loss": weights @ wrong.mean(axis=1) / total,
            "log_loss": weights @ loss / total,
            **areas.figures(weights),
        }

    return figures


def log_loss(truth: npt.NDArray[np.bool_], scores: npt.NDArray[np.floating]) -> Floats:
    """The mean over labels of each row's log loss, (n,)."""
    right = np.where(truth, scores, 1 - scores).astype(np.float64)
    loss: Floats = -np.log(np.clip(right, 1e-15, None)).mean(axis=1)
    return loss


def best_thresholds(truth: npt.NDArray[np.bool_], scores: npt.NDArray[np.float32]) -> tuple[float, ...]:
    """For each label the threshold with the best F1 on these rows (n, labels).

    A label with too few rows would take its threshold from chance: it gets the one that is best for all labels together.
    """
    common = _best(truth.ravel(), scores.ravel())
    sizes = truth.sum(axis=0)
    enough = (sizes >= LEAST_ROWS) & (len(truth) - sizes >= LEAST_ROWS)
    return tuple(_best(truth[:, k], scores[:, k]) if enough[k] else common for k in range(truth.shape[1]))


def _best(truth: npt.NDArray[np.bool_], scores: npt.NDArray[np.float32]) -> float:
    """The threshold of the best F1, half way between the score that it takes and the next lower one."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order].astype(np.float64)
    hits = np.cumsum(truth[order])
    if not hits[-1]:
        return HALF
    f1 = 2 * hits / (np.arange(1, len(hits) + 1) + hits[-1])
    f1[:-1][ranked[:-1] == ranked[1:]] = -1  # no threshold lies between equal scores
    at = int(f1.argmax())
    taken, left = np.float32(ranked[at]), np.float32(ranked[at + 1] if at + 1 < len(ranked) else 0.0)
    between = np.float32((np.float64(taken) + np.float64(left)) / 2)
    return float(between if between > left else taken)  # of two neighbors among floats, half way may be the lower one
