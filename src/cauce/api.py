"""The functions of the public door."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cauce.data.columns import Columns
from cauce.data.dataset import Dataset
from cauce.data.read import read_for
from cauce.errors import InputError, OutputExists, UnknownName, writing
from cauce.evaluation import abstention, study
from cauce.evaluation import compare as comparison
from cauce.evaluation import evaluate as evaluation
from cauce.evaluation.abstention import Abstention
from cauce.evaluation.card import card
from cauce.evaluation.compare import Comparison
from cauce.evaluation.metrics import Report
from cauce.evaluation.report import page
from cauce.evaluation.words import Words
from cauce.model.model import Model, check_min_score
from cauce.recipes import evidence
from cauce.registry.named import find, load, serving

WRITERS = {".html": page, ".md": card}


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
    examples = _examples(opened, data, text, label, label_delimiter, None)
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
    target = known[0] if first.task == "regression" else ""
    examples = read_for(data, comparison.inputs_of_both(first, second), columns.naming(text, None), target=target)
    truth = examples.truth(known)
    return comparison.compare(
        first, second, examples.rows, truth, lines=examples.lines, metric=metric, margin=margin, notes=examples.notes
    )


def report(
    model: str | Path,
    data: str | Path | None = None,
    *,
    out: str | Path = "report.html",
    language: str = "en",
    against: str | Path | None = None,
    text: str | None = None,
    label: str | Sequence[str] | None = None,
    label_delimiter: str | None = None,
    time: str | None = None,
    replace: bool = False,
) -> study.Study:
    """Write the report of a model, one HTML file, or its card.

    Args:
        model: what `load` takes.
        data: a labeled file to measure on; without it the report is of what the training measured.
        out: the file to write; a name that ends in .md gets the card.
        language: "en" or "es".
        against: another model, asked the same rows; without it the champion of the model's name, if that is another version.
        text, label, label_delimiter: see `evaluate`.
        time: the column that says when each row was made.
        replace: write over a file that is there.

    Raises:
        InputError, ModelFolderError: see `cauce.errors`.

    """
    place, words = Path(out), Words(language)
    if place.suffix not in WRITERS:
        raise UnknownName(f"{place} is of a kind that is not written", hint=f"give --out a name with: {', '.join(WRITERS)}")
    if place.exists() and not replace:
        raise OutputExists(f"{place} exists already", hint="choose another --out, or write over it with --replace")
    opened, folder = load(model), find(model).folder
    if data is None:
        if against is not None:
            raise InputError("there are no rows to ask both models", hint="give a labeled file: cauce report MODEL DATA")
        found = study.read(folder)
    else:
        examples = _examples(opened, data, text, label, label_delimiter, time)
        known = study.read(folder).training if (folder / study.FILE).is_file() else None
        beside = against if against is not None else serving(model, opened)
        found = _studied(opened, examples, Path(data).name, known, None if beside is None else load(beside))
    with writing(place):
        place.write_text(WRITERS[place.suffix](opened.manifest, found, words), encoding="utf-8")
    return found


def _studied(model: Model, examples: Dataset, name: str, known: study.Training | None, other: Model | None) -> study.Study:
    """What a model, and maybe another beside it, answers to these rows."""
    truth, task, limits = examples.truth(model.labels), model.task, model.manifest.calibration.thresholds
    scores = evaluation.ask(model, examples.rows)
    measured = evaluation.report(task, truth, scores, model.labels, limits)
    found = evidence.studied(model, examples, scores, measured, measured_on=name, known=known)
    if other is None:
        return found
    if (other.task, other.labels) != (task, model.labels):
        raise InputError(
            f"{other.name} is a model of another task or of other labels ({', '.join(other.labels[:5])})",
            hint="two models are compared on the same labels",
        )
    names = [one.name for one in other.manifest.inputs]
    rows = examples.rows.rename_columns(names) if len(names) == examples.rows.num_columns == 1 else examples.rows
    theirs, limits_of_other = evaluation.ask(other, rows), other.manifest.calibration.thresholds
    found_of_other = evaluation.report(task, truth, theirs, other.labels, limits_of_other)
    merits = (study.row_merit(task, truth, scores, limits), study.row_merit(task, truth, theirs, limits_of_other))
    return found.model_copy(update={"rival": study.rival(task, other.name, other.version, found_of_other, *merits)})


def _examples(
    model: Model,
    data: str | Path,
    text: str | None,
    label: str | Sequence[str] | None,
    label_delimiter: str | None,
    time: str | None,
) -> Dataset:
    """The rows of a file as the model reads them."""
    labels = (label,) if isinstance(label, str) else tuple(label or ())
    columns = Columns(label=labels, label_delimiter=label_delimiter, task=model.task, time=time)
    target = model.labels[0] if model.task == "regression" else ""
    return read_for(data, model.manifest.inputs, columns.naming(text, None), target=target)
