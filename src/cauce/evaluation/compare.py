"""Two models on the same rows: the figures of both, their differences, and the rows where they disagree."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cauce.errors import InputError, NotComparable, UnknownName, nearest
from cauce.evaluation.evaluate import Scores, ask, measure, report
from cauce.evaluation.metrics import SHARES, Report, draw
from cauce.evaluation.multilabel import HALF
from cauce.evaluation.significance import McNemar, Paired, mcnemar, paired
from cauce.model.manifest import Input, Task
from cauce.model.model import Model
from cauce.text.buffers import joined

SHOWN = 20  # rows where the two disagree
FEW = 30  # rows that show little

Limits = tuple[float, ...]  # the thresholds of a multilabel model
Given = tuple[Scores, Limits]
Label = str | list[str] | float | None


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A row that the two answer differently.

    Attributes:
        line: where it starts in the file, from 1.
        text: what a reader reads of it; of a table without a text the row as JSON.
        truth, a, b: the label, labels or number; None where there was no answer.
        apart: the largest difference between their scores of one label; of a regression, between the values.

    """

    line: int
    text: str
    truth: Label
    a: Label
    b: Label
    apart: float


@dataclass(frozen=True)
class Comparison:
    """B against A.

    Attributes:
        names: of A and B, with the version's beginning; of two variants of one version, with theirs.
        differences: by figure; `differences[metric]` is what the verdict is about.
        mcnemar: of where they are right (multilabel: all labels right); None for a regression.
        margin: how much worse B may be and still count as not worse, in the figure's own unit.
        disagreements: those with the most confident scores first, and at most 20.
        notes: what limits the comparison, in words.

    """

    names: tuple[str, str]
    a: Report
    b: Report
    metric: str
    differences: dict[str, Paired]
    mcnemar: McNemar | None
    margin: float | None
    disagreements: list[Disagreement]
    notes: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """One sentence: which is better, by how much, or how many rows would be needed."""
        return self.differences[self.metric].verdict(margin=self.margin)

    @property
    def better(self) -> str | None:
        """Which one is better beyond chance: "a", "b" or None."""
        return self.differences[self.metric].better

    def as_dict(self) -> dict[str, Any]:
        """As it is written to JSON."""
        first = self.differences[self.metric]
        return {
            "verdict": self.verdict,
            "better": self.better,
            "metric": self.metric,
            "margin": self.margin,
            "not_worse": None if self.margin is None else first.not_worse(self.margin),
            "rows": first.rows,
            "differing": first.differing,
            "a": {"name": self.names[0], **self.a.as_dict()},
            "b": {"name": self.names[1], **self.b.as_dict()},
            "differences": {name: one.as_dict() for name, one in self.differences.items()},
            "mcnemar": None if self.mcnemar is None else asdict(self.mcnemar),
            "disagreements": [asdict(row) for row in self.disagreements],
            "notes": list(self.notes),
        }


def compare(
    a: Model,
    b: Model,
    rows: pa.RecordBatch,
    truth: npt.NDArray[Any],
    *,
    lines: npt.NDArray[np.int64] | None = None,
    metric: str | None = None,
    margin: float | None = None,
    notes: tuple[str, ...] = (),
    seed: int = 0,
) -> Comparison:
    """Ask both models the same rows.

    Args:
        rows: (n,) the columns of `inputs_of_both`.
        truth: as `Dataset.truth` gives it for `labels_of_both`.
        lines: (n,) where each row starts in its file; without it, its number.
        metric: what the verdict is about; without it the figure that says most of the task.
        margin: how much worse B may be: points of a share, else the figure's own unit.
        notes: what is known of the rows, in words.

    Raises:
        NotComparable: different tasks, or labels of which neither holds the other's.
        UnknownName: no such metric.
        InputError: a margin that is not above 0.

    """
    if margin is not None and not margin > 0:
        raise InputError(f"the margin is {margin:g}", hint="give how much worse B may be, above 0")
    task, labels = a.task, labels_of_both(a, b)
    given = [(_in_order(ask(model, _rows_for(model, rows)), model, labels), _thresholds(model, labels)) for model in (a, b)]
    of_a, of_b, found = versus(task, truth, labels, given[0], given[1], seed=seed)
    metric = metric or of_a.headline
    if metric not in of_a.metrics:
        known = tuple(of_a.metrics)
        raise UnknownName(f'there is no metric "{metric}" here', hint=nearest(metric, known) or f"metrics: {', '.join(known)}")
    true = truth[:, None] == np.arange(len(labels)) if task == "classification" else truth
    answers = [given_labels(task, *one) for one in given]
    differ = _differ(*answers)
    right_a, right_b = ((answer == true).all(axis=1) for answer in answers)
    places = np.flatnonzero(differ)
    apart = np.abs(np.nan_to_num(given[0][0]) - np.nan_to_num(given[1][0])).max(axis=1)
    places = places[np.argsort(-apart[places], kind="stable")][:SHOWN]
    texts = _texts(rows.take(pa.array(places)), inputs_of_both(a, b))
    disagreements = [
        Disagreement(
            line=int(place) + 1 if lines is None else int(lines[place]),
            text=text,
            truth=_named(task, labels, true[place]),
            a=_named(task, labels, answers[0][place]),
            b=_named(task, labels, answers[1][place]),
            apart=float(apart[place]),
        )
        for place, text in zip(places, texts, strict=True)
    ]
    return Comparison(
        names=(_name(a, b), _name(b, a)),
        a=of_a,
        b=of_b,
        metric=metric,
        differences={name: found[name] for name in of_a.metrics},
        mcnemar=None if task == "regression" else mcnemar(right_a, right_b),
        margin=margin / 100 if margin is not None and metric in SHARES else margin,
        disagreements=disagreements,
        notes=(*notes, *_notes(a, b, of_a, of_b)),
    )


def _name(model: Model, other: Model) -> str:
    variant = f" {model.variant}" if model.version == other.version else ""
    return f"{model.name}@{model.version[:12]}{variant}"


def versus(
    task: Task, truth: npt.NDArray[Any], labels: tuple[str, ...], a: Given, b: Given, *, seed: int = 0
) -> tuple[Report, Report, dict[str, Paired]]:
    """The figures of two sets of scores of the same rows, and their differences."""
    of_a, of_b = draw([measure(task, truth, *a), measure(task, truth, *b)], len(truth), seed)
    differing = int(_differ(given_labels(task, *a), given_labels(task, *b)).sum())
    reports = (report(task, truth, given[0], labels, given[1], drawn) for given, drawn in ((a, of_a), (b, of_b)))
    return next(reports), next(reports), paired(of_a, of_b, differing)


def given_labels(task: Task, scores: Scores, thresholds: Limits) -> npt.NDArray[Any]:
    """What is compared with the truth: which labels each row was given (n, labels), or its value (n, 1)."""
    if task == "regression":
        return scores
    if task == "multilabel":
        marks = scores >= np.array(thresholds, np.float32)
    else:
        marks = np.nan_to_num(scores, nan=-1.0).argmax(axis=1)[:, None] == np.arange(scores.shape[1])
    given: npt.NDArray[np.bool_] = marks & ~np.isnan(scores)
    return given


def _differ(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Which rows are answered differently; two rows without an answer are alike."""
    differ: npt.NDArray[np.bool_] = (np.nan_to_num(a, nan=np.inf) != np.nan_to_num(b, nan=np.inf)).any(axis=1)
    return differ


def inputs_of_both(a: Model, b: Model) -> tuple[Input, ...]:
    """The columns that the two read together. Two models of one text each read the same one.

    Raises:
        NotComparable: a column is of one type for A and of another for B.

    """
    if _one_text(a) and _one_text(b):
        return a.manifest.inputs
    types = {one.name: one for one in a.manifest.inputs}
    for one in b.manifest.inputs:
        if types.setdefault(one.name, one).type != one.type:
            raise NotComparable(
                f'"{one.name}" is a {types[one.name].type} for A and a {one.type} for B',
                hint="compare models that read the same columns",
            )
    return tuple(types.values())


def _one_text(model: Model) -> bool:
    return [one.type for one in model.manifest.inputs] == ["text"]


def _rows_for(model: Model, rows: pa.RecordBatch) -> pa.RecordBatch:
    """The rows as the model reads them: its one text by whatever name."""
    if _one_text(model) and rows.num_columns == 1:
        return rows.rename_columns([model.manifest.inputs[0].name])
    return rows


def labels_of_both(a: Model, b: Model) -> tuple[str, ...]:
    """The labels of both, in A's order.

    Raises:
        NotComparable: different tasks, or labels of which neither holds the other's.

    """
    if a.task != b.task:
        raise NotComparable(f"A is a model of {a.task}, B of {b.task}", hint="compare models of one task")
    only_a, only_b = ([label for label in x.labels if label not in y.labels] for x, y in ((a, b), (b, a)))
    if only_a and only_b:
        raise NotComparable(
            f"A and B have different labels: {_listed(only_a)} only A, {_listed(only_b)} only B",
            hint="compare models whose labels are the same, or those of one among those of the other",
        )
    return (*a.labels, *only_b)


def _notes(a: Model, b: Model, of_a: Report, of_b: Report) -> list[str]:
    notes = []
    for name, one, other in (("A", a, b), ("B", b, a)):
        if missing := [label for label in other.labels if label not in one.labels]:
            notes.append(f"{name} does not know {_listed(missing)}: it is wrong on each row that has it")
    for name, found in (("A", of_a), ("B", of_b)):
        if found.errors:
            notes.append(f"{name} could not answer {found.errors} row(s): they count as wrong")
    if absent := [label for label, count in of_a.counts.items() if not count]:
        notes.append(f"no row has the label {_listed(absent)}: nothing is said about it")
    if of_a.rows < FEW:
        notes.append(f"{of_a.rows} row(s) show little: only a very large difference could be told from chance")
    return notes


def _listed(labels: list[str]) -> str:
    more = f" and {len(labels) - 5} more" if len(labels) > 5 else ""
    return ", ".join(f'"{label}"' for label in labels[:5]) + more


def _in_order(scores: Scores, model: Model, labels: tuple[str, ...]) -> Scores:
    """Scores of a model's own labels as scores of all labels: 0 for one that it does not know."""
    spread = np.zeros((len(scores), len(labels)), np.float32)
    spread[:, [labels.index(label) for label in model.labels]] = scores
    return spread


def _thresholds(model: Model, labels: tuple[str, ...]) -> tuple[float, ...]:
    own = dict(zip(model.labels, model.manifest.calibration.thresholds, strict=False))
    return tuple(own.get(label, HALF) for label in labels)


def _texts(rows: pa.RecordBatch, inputs: tuple[Input, ...]) -> list[str]:
    """What a reader reads of each row; of a table without a text, JSON."""
    columns = [column for column, one in zip(rows.columns, inputs, strict=True) if one.type == "text"]
    if not columns:
        return [json.dumps(row, ensure_ascii=False) for row in rows.to_pylist()]
    texts: list[str] = joined(columns).to_pylist()
    return texts


def _named(task: Task, labels: tuple[str, ...], answer: npt.NDArray[Any]) -> Label:
    """One row's answer as it is read."""
    if task == "regression":
        return None if np.isnan(answer[0]) else float(answer[0])
    given = [label for label, has in zip(labels, answer, strict=True) if has]
    return given if task == "multilabel" else next(iter(given), None)
