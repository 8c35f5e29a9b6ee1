"""The functions of the public door."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cauce.data.columns import Columns
from cauce.data.read import read_for
from cauce.evaluation import evaluate as evaluation
from cauce.evaluation.metrics import Report
from cauce.model.model import Model
from cauce.registry.named import load


def evaluate(
    model: Model | str | Path,
    data: str | Path,
    *,
    text: str | None = None,
    label: str | Sequence[str] | None = None,
    label_delimiter: str | None = None,
) -> Report:
    """Ask a model the rows of a labeled file and report its figures, each with a 95 % interval.

    Args:
        model: a loaded one, or what `load` takes.
        data: a file, or `x_text.txt` beside `x_labels.txt`.
        text: the column of the text, where it is not called as the model calls it; without it, that is guessed.
        label: the column of the label, or the 0/1 columns of several; without it that of the number, or guessed.
        label_delimiter: what stands between the labels of one cell.

    Raises:
        InputError, ModelFolderError: see `cauce.errors`.
        UnknownLabel: the file has a label that the model does not know.

    """
    opened = model if isinstance(model, Model) else load(model)
    labels = (label,) if isinstance(label, str) else tuple(label or ())
    columns = Columns(label=labels, label_delimiter=label_delimiter, task=opened.task)
    target = opened.labels[0] if opened.task == "regression" else ""
    examples = read_for(data, opened.manifest.inputs, columns.naming(text, None), target=target)
    return evaluation.evaluate(opened, examples.rows, examples.truth(opened.labels))
