"""A teacher: what a model says of texts, learnt by another.

Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network" (2015). What it says is more than a label: which others
were likely.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cauce.errors import InputError, NotComparable
from cauce.evaluation.evaluate import ROWS
from cauce.model import folder, rows
from cauce.model.manifest import Task
from cauce.model.model import load

SHOWN = 8  # labels in a message
Floats = npt.NDArray[np.float32]


class Teacher:
    """A model whose labels are those that are to be learnt, in whatever order; itself, not a faster variant of it.

    Raises:
        NotComparable: another task, other labels, or other inputs than a text.
        FileMissing, ModelFolderError: see `cauce.load`.

    """

    def __init__(self, place: Path, task: Task, labels: tuple[str, ...]) -> None:
        model = load(place, folder.read(place).variant)
        where = str(place)
        if model.task != task:
            raise NotComparable(f"the teacher is a model of {model.task}, the data are of {task}", where=where)
        if task != "regression" and set(model.labels) != set(labels):
            ours, its = (", ".join(some[:SHOWN]) for some in (labels, model.labels))
            raise NotComparable(
                f"the teacher has the labels {its}; the data have {ours}",
                where=where,
                hint="take a teacher that was trained on the same labels",
            )
        if [one.type for one in model.manifest.inputs] != ["text"]:
            raise NotComparable("the teacher reads other columns than one of texts", where=where)
        self._model, self._where, self.version = model, where, model.version
        self._order = [0] if task == "regression" else [model.labels.index(label) for label in labels]

    def logits(self, texts: pa.Array) -> Floats:
        """Its calibrated logits (of a regression, its values) of texts, (n, labels) in the order of the data's labels.

        Raises:
            InputError: a text that it cannot answer.

        """
        known = self._model.manifest
        found = []
        for start in range(0, len(texts), ROWS):
            batch = pa.record_batch({known.inputs[0].name: texts.slice(start, ROWS).cast(pa.string())})
            codes, _ = rows.check(batch, known.inputs, known.limits.max_chars)
            logits, _, failed = self._model.logits(rows.cut(batch, known.inputs, known.limits.max_chars))
            wrong = np.flatnonzero(failed | (codes != rows.FINE))
            if len(wrong):
                raise InputError(f"the teacher cannot answer row {start + wrong[0] + 1} of its texts", where=self._where)
            found.append(logits)
        return (np.concatenate(found) / known.calibration.temperature)[:, self._order].astype(np.float32)
