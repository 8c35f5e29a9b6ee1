"""Ask a model labeled rows and report what it is worth."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cauce.evaluation import classification, multilabel, regression
from cauce.evaluation.metrics import Drawn, Measure, Report
from cauce.model.manifest import Task
from cauce.model.model import Model

ROWS = 65_536  # at a time: bounds the memory

Scores = npt.NDArray[np.float32]


def evaluate(model: Model, rows: pa.RecordBatch, truth: npt.NDArray[Any]) -> Report:
    """The figures of a model on rows (n,) with this truth (see `Dataset.truth`)."""
    return report(model.task, truth, ask(model, rows), model.labels, model.manifest.calibration.thresholds)


def ask(model: Model, rows: pa.RecordBatch) -> Scores:
    """The scores (n, labels) of any number of rows; NaN where a row was not answered."""
    return np.concatenate([model.predict(rows.slice(start, ROWS)).scores for start in range(0, max(len(rows), 1), ROWS)])


def report(
    task: Task,
    truth: npt.NDArray[Any],
    scores: Scores,
    labels: tuple[str, ...],
    thresholds: tuple[float, ...],
    drawn: Drawn | None = None,
) -> Report:
    """The figures of scores (n, labels) against the truth; a row of NaN was not answered."""
    if task == "multilabel":
        return multilabel.report(truth, scores, labels, thresholds, drawn=drawn)
    if task == "regression":
        return regression.report(truth, scores, labels, drawn=drawn)
    return classification.report(truth, scores, labels, drawn=drawn)


def measure(task: Task, truth: npt.NDArray[Any], scores: Scores, thresholds: tuple[float, ...]) -> Measure:
    """The figures of `report`, for any weights on the rows."""
    if task == "multilabel":
        return multilabel.measure(truth, scores, thresholds)
    if task == "regression":
        return regression.measure(truth, scores)
    return classification.measure(truth, scores)


def constant(task: Task, shares: tuple[float, ...], truth: npt.NDArray[Any], labels: tuple[str, ...]) -> Report:
    """The figures of what needs no model, the same answer to every row: the training's share of each label, or the mean."""
    scores, thresholds = unchanging(shares, len(truth))
    return report(task, truth, scores, labels, thresholds)


def unchanging(shares: tuple[float, ...], rows: int) -> tuple[Scores, tuple[float, ...]]:
    """The scores (rows, labels) of the same answer to every row, and its thresholds."""
    return np.tile(np.array(shares, np.float32), (rows, 1)), (multilabel.HALF,) * len(shares)


def judge(task: Task, truth: npt.NDArray[Any], scores: Scores) -> tuple[str, float, float]:
    """What choices are made by: the figure's name, its value, and a number of which more is better.

    Several labels are judged before they have thresholds, so by their log loss.
    """
    if task == "multilabel":
        loss = float(multilabel.log_loss(truth, scores).mean())
        return "log_loss", loss, -loss
    if task == "regression":
        error = float(np.sqrt(((truth - scores) ** 2).mean()))
        return "rmse", error, -error
    f1 = classification.macro_f1(truth, scores)
    return "macro_f1", f1, f1
