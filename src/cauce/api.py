"""The functions of the public door."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cauce.data.columns import Columns
from cauce.data.read import read_for
from cauce.errors import InputError
from cauce.evaluation import abstention
from cauce.evaluation import compare as comparison
from cauce.evaluation import evaluate as evaluation
from cauce.evaluation.abstention import Abstention
from cauce.evaluation.compare import Comparison
from cauce.evaluation.metrics import Report
from cauce.model.model import Model, check_min_score
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


def abstain(
    model: Model | str | Path,
    data: str | Path,
    *,
    precision: float | None = None,
    min_score: float | None = None,
    text: str | None = None,
    label: str | Sequence[str] | None = None,
) -> Abstention | None:
    """What comes of giving no label where the model is unsure: the share of rows answered, and how many of those are right.

    Args:
        precision: choose the lowest score at which this share of the answers is right, with a guarantee (see
            `cauce.evaluation.abstention`). Measure it on other rows than it was chosen on: with `min_score`.
        min_score: the lowest score itself. Exactly one of the two is given.

    Returns:
        None where no score can be shown to give the precision.

    Raises:
        InputError, ModelFolderError: see `cauce.errors`.

    """
    if (precision is None) == (min_score is None):
        raise InputError("a precision or a lowest score is needed, and not both", hint="find a score, then measure it")
    opened = model if isinstance(model, Model) else load(model)
    labels = (label,) if isinstance(label, str) else tuple(label or ())
    check_min_score(opened.task, min_score or 0.0)
    examples = read_for(data, opened.manifest.inputs, Columns(label=labels, task=opened.task).naming(text, None))
    right, score = abstention.right_and_sure(examples.truth(opened.labels), evaluation.ask(opened, examples.rows))
    if precision is not None:
        min_score = abstention.choose(right, score, precision)
    return None if min_score is None else abstention.measure(right, score, min_score)


def compare(
    a: Model | str | Path,
    b: Model | str | Path,
    data: str | Path,
    *,
    metric: str | None = None,
    margin: float | None = None,
    text: str | None = None,
    label: str | Sequence[str] | None = None,
    label_delimiter: str | None = None,
) -> Comparison:
    """Ask two models the rows of a labeled file and say whether B is better than A, beyond chance.

    Args:
        a, b: loaded ones, or their folders.
        data: a file, or `x_text.txt` beside `x_labels.txt`.
        metric: what the verdict is about. [default: macro F1; R2 of a regression]
        margin: how much worse B may be and still count as not worse: points of a share, else the figure's own unit.
        text, label, label_delimiter: as in `evaluate`.

    Raises:
        InputError, ModelFolderError: see `cauce.errors`.
        NotComparable: models of different tasks, labels or inputs.

    """
    first, second = (model if isinstance(model, Model) else load(model) for model in (a, b))
    labels = (label,) if isinstance(label, str) else tuple(label or ())
    columns = Columns(label=labels, label_delimiter=label_delimiter, task=first.task)
    known = comparison.labels_of_both(first, second)
    examples = read_for(data, comparison.inputs_of_both(first, second), columns.naming(text, None))
    truth = examples.truth(known)
    return comparison.compare(
        first, second, examples.rows, truth, lines=examples.lines, metric=metric, margin=margin, notes=examples.notes
    )
