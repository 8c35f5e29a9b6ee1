"""Ask a model labeled rows and report what it is worth."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cauce.evaluation.metrics import Report, report
from cauce.model.model import Model

ROWS = 65_536  # at a time: bounds the memory


def evaluate(model: Model, rows: pa.RecordBatch, truth: npt.NDArray[np.int64]) -> Report:
    """The figures of a model on rows (n,) whose labels are at the places `truth` (n,) of `model.labels`."""
    scores = [model.predict(rows.slice(start, ROWS)).scores for start in range(0, len(rows), ROWS)]
    return report(truth, np.concatenate(scores), model.labels)
