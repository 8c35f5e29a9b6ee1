"""The functions of the public door."""

from __future__ import annotations

from pathlib import Path

from cauce.data.columns import Columns
from cauce.data.read import read
from cauce.errors import ColumnMissing
from cauce.evaluation import evaluate as evaluation
from cauce.evaluation.metrics import Report
from cauce.model.model import Model, load


def evaluate(model: Model | str | Path, data: str | Path, *, text: str | None = None, label: str | None = None) -> Report:
    """Ask a model the rows of a labeled file and report its figures, each with a 95 % interval.

    Args:
        model: a loaded one, or its folder.
        data: a file, or `x_text.txt` beside `x_labels.txt`.

    Raises:
        InputError, ModelFolderError: see `cauce.errors`.
        UnknownLabel: the file has a label that the model does not know.

    """
    opened = model if isinstance(model, Model) else load(model)
    wanted = opened.manifest.inputs[0].name
    try:
        examples = read(data, Columns(text=(text or wanted,), label=(label,) if label else ()))
    except ColumnMissing:
        if text is not None:
            raise
        examples = read(data, Columns(label=(label,) if label else ()))  # the column has another name here: guess it
    rows = examples.rows.rename_columns([wanted])
    return evaluation.evaluate(opened, rows, examples.places(opened.labels))
