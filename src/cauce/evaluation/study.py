"""Everything that the report and the card show: what was measured on labeled rows, and what is known of the training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, ValidationError

from cauce.errors import InputError, Tampered
from cauce.evaluation.classification import BINS
from cauce.evaluation.foreign import Foreign
from cauce.evaluation.metrics import Figure, Floats, Report, mean
from cauce.evaluation.slices import Slice, slices
from cauce.model.folder import EVIDENCE
from cauce.model.manifest import Task

FILE = f"{EVIDENCE}/report.json"
MISTAKES, SHOWN = 20, 300  # rows that are shown, characters of each
GRID = 24  # cells of a side where predicted numbers stand against true ones

Scores = npt.NDArray[np.float32]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Bin(_Part):
    """Rows (multilabel: rows and labels) with about the same score: its mean, and how often it came true."""

    score: float
    right: float
    rows: int


class Mistake(_Part):
    """A wrong answer. Of a regression, true and given are numbers and `score` is how far apart they are."""

    text: str
    true: str
    given: str
    score: float


class Grid(_Part):
    """Of a regression: how many rows fall into each cell of true (columns) and predicted (rows) numbers, low to high."""

    low: float
    high: float
    rows: tuple[tuple[int, ...], ...]


class Found(_Part):
    """A finding of the data doctor; see `cauce.data.findings`."""

    code: str
    severity: str
    count: int
    what: str


class Rival(_Part):
    """Another model on the same rows.

    Attributes:
        only_this, only_other: rows that one alone answers right (of a regression: nearer than the other).
        difference: this model's accuracy (of a regression: mean absolute error) less the other's, row by row.

    """

    name: str
    version: str
    metrics: dict[str, Figure]
    only_this: int
    only_other: int
    difference: Figure


class Training(_Part):
    """What is known of the training.

    Attributes:
        source: the file's name, without its folder.
        parts: rows of train, dev and test.
        counts: rows of the training part by label; empty for a regression.
        languages: rows of the training part by code of `cauce.data.language`; of many rows, a sample.
        findings: what the data doctor found in the file.
        shares: what the baseline answers to every row: the training's share of each label, or the mean.

    """

    source: str
    parts: dict[str, int]
    counts: dict[str, int]
    shares: tuple[float, ...]
    languages: dict[str, int]
    findings: tuple[Found, ...]
    notes: tuple[str, ...]
    seconds: float
    environment: dict[str, str | int | None]


class Study(_Part):
    """What was measured.

    Attributes:
        measured_on: "test" or "dev" of the training, or the name of a file.
        headline, metrics, per_class, counts, rows, errors: see `cauce.evaluation.metrics.Report`.
        confusion: as there, as a tuple of rows; None where there is none.
        baseline: the same metrics of always giving `usual`: the most frequent label, or of a regression the mean.
        reliability: classification: bins of the best label's score, as the ECE has them; multilabel: of every score.
        mistakes: the wrong answers that the model was most sure of.
        foreign: None where it was not measured.
        better: what the training's paired test said of the model and the baseline.

    """

    measured_on: str
    headline: str
    metrics: dict[str, Figure]
    per_class: dict[str, dict[str, Figure]]
    counts: dict[str, int]
    confusion: tuple[tuple[int, ...], ...] | None
    rows: int
    errors: int
    baseline: dict[str, Figure]
    usual: str
    reliability: tuple[Bin, ...]
    grid: Grid | None
    residuals: tuple[tuple[float, int], ...]
    slices: tuple[Slice, ...]
    mistakes: tuple[Mistake, ...]
    foreign: Foreign | None = None
    rival: Rival | None = None
    training: Training | None = None
    better: bool | None = None

    @property
    def beats_baseline(self) -> bool:
        """True where the paired test shows it; without one, where the intervals of the headline figure do not meet."""
        if self.better is not None:
            return self.better
        return self.metrics[self.headline].low > self.baseline[self.headline].high

    @property
    def worst(self) -> tuple[Slice, ...]:
        """Slices that are worse than all rows together, beyond chance, the worst first."""
        if "accuracy" in self.metrics:
            whole = self.metrics["accuracy"].value
            return tuple(sorted((one for one in self.slices if one.figure.high < whole), key=lambda one: one.figure.value))
        whole = self.metrics["mae"].value
        return tuple(sorted((one for one in self.slices if one.figure.low > whole), key=lambda one: -one.figure.value))


@dataclass(frozen=True)
class Rows:
    """The rows that were measured, as a reader sees them.

    Attributes:
        shown: (n,) their text, or their columns where there is no text.
        texts: (n,) or empty where there is no text.
        languages: of the rows where it was judged.
        times: (n,) datetime64 or None.

    """

    shown: Sequence[str]
    texts: Sequence[str]
    languages: Mapping[int, str]
    times: npt.NDArray[Any] | None


def study(
    task: Task,
    truth: npt.NDArray[Any],
    scores: Scores,
    labels: tuple[str, ...],
    thresholds: tuple[float, ...],
    rows: Rows,
    *,
    report: Report,
    baseline: Report,
    usual: str,
    measured_on: str,
) -> Study:
    """Study scores (n, labels) of rows with this truth (see `Dataset.truth`)."""
    merit = row_merit(task, truth, scores, thresholds)
    return Study(
        measured_on=measured_on,
        headline=report.headline,
        metrics=report.metrics,
        per_class=report.per_class,
        counts=report.counts,
        confusion=None if report.confusion is None else tuple(tuple(row) for row in report.confusion.tolist()),
        rows=report.rows,
        errors=report.errors,
        baseline=baseline.metrics,
        usual=usual,
        reliability=_reliability(task, truth, scores),
        grid=_grid(truth[:, 0], scores[:, 0]) if task == "regression" else None,
        residuals=_residuals(truth[:, 0], scores[:, 0]) if task == "regression" else (),
        slices=slices(merit, texts=rows.texts, languages=rows.languages, times=rows.times),
        mistakes=_mistakes(task, truth, scores, labels, thresholds, rows.shown),
    )


def row_merit(task: Task, truth: npt.NDArray[Any], scores: Scores, thresholds: tuple[float, ...]) -> Floats:
    """1 for each row that is all right and 0 for others, (n,); of a regression the absolute error."""
    if task == "regression":
        error: Floats = np.abs(truth[:, 0] - scores[:, 0]).astype(np.float64)
        error[np.isnan(error)] = 0.0 if np.isnan(error).all() else np.nanmean(error)
        return error
    if task == "multilabel":
        right = (truth == (scores >= np.array(thresholds, np.float32))).all(axis=1) & ~np.isnan(scores[:, 0])
    else:
        right = (truth == np.nan_to_num(scores, nan=-1.0).argmax(axis=1)) & ~np.isnan(scores[:, 0])
    merit: Floats = right.astype(np.float64)
    return merit


def rival(task: Task, name: str, version: str, report: Report, merit: Floats, other: Floats) -> Rival:
    """Another model's report and merit (n,) beside this one's; see `row_merit`."""
    gap = merit - other
    better = gap < 0 if task == "regression" else gap > 0
    worse = gap > 0 if task == "regression" else gap < 0
    return Rival(
        name=name,
        version=version,
        metrics=report.metrics,
        only_this=int(better.sum()),
        only_other=int(worse.sum()),
        difference=mean(gap),
    )


def read(folder: Path) -> Study:
    """The study that the training left in a model folder.

    Raises:
        InputError: it left none.
        Tampered: it is not as it was written.

    """
    if not (folder / FILE).is_file():
        raise InputError(
            f"{folder} holds no {FILE}", hint="give a labeled file too, which the report is made of: cauce report MODEL DATA"
        )
    try:
        return Study.model_validate_json((folder / FILE).read_bytes())
    except ValidationError as wrong:
        first = wrong.errors()[0]
        raise Tampered(
            f"{FILE}: {'.'.join(map(str, first['loc']))}: {first['msg'].lower()}",
            where=str(folder),
            hint="restore the folder from where you got it",
        ) from None


def _reliability(task: Task, truth: npt.NDArray[Any], scores: Scores) -> tuple[Bin, ...]:
    if task == "regression":
        return ()
    answered = ~np.isnan(scores[:, 0])
    if task == "multilabel":
        said, right = scores[answered].ravel().astype(np.float64), truth[answered].ravel()
    else:
        said = scores[answered].max(axis=1).astype(np.float64)
        right = truth[answered] == scores[answered].argmax(axis=1)
    place = np.minimum((said * BINS).astype(int), BINS - 1)
    inside = [(said[place == k], right[place == k]) for k in range(BINS)]
    return tuple(Bin(score=float(s.mean()), right=float(r.mean()), rows=len(s)) for s, r in inside if len(s))


def _grid(true: Floats, given: Scores) -> Grid:
    answered = ~np.isnan(given)
    true, values = true[answered], given[answered].astype(np.float64)
    together = np.concatenate([true, values]) if len(true) else np.zeros(1)
    low, high = (float(edge) for edge in np.percentile(together, (0.5, 99.5)))  # a few odd numbers would hide the rest
    high = high if high > low else low + 1
    counts = np.histogram2d(np.clip(values, low, high), np.clip(true, low, high), GRID, ((low, high), (low, high)))[0]
    return Grid(low=low, high=high, rows=tuple(tuple(row) for row in counts.astype(int).tolist()))


def _residuals(true: Floats, given: Scores) -> tuple[tuple[float, int], ...]:
    """How far predicted numbers lie over the true ones: the middle of each bin, and its rows."""
    over = (given - true)[~np.isnan(given)]
    if not len(over):
        return ()
    edge = float(np.percentile(np.abs(over), 99)) or 1.0
    counts, edges = np.histogram(np.clip(over, -edge, edge), GRID, (-edge, edge))
    middles = (edges[1:] + edges[:-1]) / 2
    return tuple(zip(middles.tolist(), counts.tolist(), strict=True))


def _mistakes(
    task: Task,
    truth: npt.NDArray[Any],
    scores: Scores,
    labels: tuple[str, ...],
    thresholds: tuple[float, ...],
    shown: Sequence[str],
) -> tuple[Mistake, ...]:
    if task == "regression":
        far = np.nan_to_num(np.abs(truth[:, 0] - scores[:, 0]), nan=-1.0)
        return tuple(
            Mistake(text=_short(shown[i]), true=repr(float(truth[i, 0])), given=repr(float(scores[i, 0])), score=float(far[i]))
            for i in np.argsort(-far, kind="stable")[:MISTAKES]
            if far[i] > 0
        )
    known = np.nan_to_num(scores, nan=-1.0)
    if task == "multilabel":
        given = scores >= np.array(thresholds, np.float32)
        right = truth
        sure = np.where(truth != given, np.where(given, known, 1 - known), -1.0)
        sure = np.where(np.isnan(scores[:, 0]), -1.0, sure.max(axis=1))
    else:
        given, right = known.argmax(axis=1), truth
        sure = np.where(truth != given, known.max(axis=1), -1.0)

    def named(side: Any) -> str:
        return ", ".join(labels[k] for k in np.flatnonzero(side)) if task == "multilabel" else labels[side]

    return tuple(
        Mistake(text=_short(shown[i]), true=named(right[i]), given=named(given[i]), score=float(sure[i]))
        for i in np.argsort(-sure, kind="stable")[:MISTAKES]
        if sure[i] >= 0
    )


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
