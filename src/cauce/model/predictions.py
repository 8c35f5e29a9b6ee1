"""Answers: arrays side by side, in the order of the rows, and as Arrow columns when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cauce.model.manifest import Task
from cauce.model.rows import CODES, Codes


def columns(task: Task) -> tuple[str, ...]:
    """The names of the Arrow columns that answers have."""
    labels = ("labels",) if task == "multilabel" else ()
    return ("label", *labels, "score", "scores", "error", "truncated", "model_version", "variant")


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer to one row.

    Attributes:
        label: the best label; None on an error, under the lowest score that was asked for, and for a regression.
        score: its probability, or of a regression the value.
        scores: probability by label, highest first.
        error: the code of what is wrong with the row, or None.
        truncated: only the beginning of a text was read.
        labels: multilabel: those that reach their threshold, in the model's order; else None.

    """

    label: str | None
    score: float | None
    scores: dict[str, float]
    error: str | None
    truncated: bool
    labels: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Predictions(Sequence[Prediction]):
    """The answers to a batch of rows.

    Attributes:
        labels: the model's labels, in their fixed order.
        scores: float32 (n, labels), probabilities or, of a regression, the value; NaN on rows with an error.
        codes: uint8 (n,), 0 where the row was answered, else an index into `cauce.model.rows.CODES`.
        truncated: bool (n,), where only the beginning of a text was read.
        task: what the scores are: see `cauce.model.manifest.Task`.
        thresholds: (labels,) multilabel: a row has the labels whose score reaches theirs.
        top_k: how many scores a `Prediction` shows; None for all.
        min_score: classification: a row whose best score is lower gets no label. Its scores stay.

    """

    labels: tuple[str, ...]
    scores: npt.NDArray[np.float32]
    codes: Codes
    truncated: npt.NDArray[np.bool_]
    version: str
    variant: str
    task: Task = "classification"
    thresholds: tuple[float, ...] = ()
    top_k: int | None = None
    min_score: float = 0.0

    @cached_property
    def abstained(self) -> npt.NDArray[np.bool_]:
        """Which rows were answered without a label, (n,): the best score is under `min_score`."""
        if not self.min_score:
            return np.zeros(len(self), np.bool_)
        abstained: npt.NDArray[np.bool_] = self.scores.max(axis=1) < np.float32(self.min_score)  # NaN is not
        return abstained

    @cached_property
    def best(self) -> npt.NDArray[np.intp]:
        """The place of each row's best label, (n,); 0 on rows with an error."""
        best: npt.NDArray[np.intp] = self.scores.argmax(axis=1)  # NaN counts as most: a row that is NaN is so in all places
        return best

    @cached_property
    def given(self) -> npt.NDArray[np.bool_]:
        """Multilabel: which labels each row has, (n, labels); none on rows with an error."""
        given: npt.NDArray[np.bool_] = self.scores >= np.array(self.thresholds, np.float32)
        return given

    def __len__(self) -> int:
        return len(self.codes)

    def part(self, start: int, end: int) -> Predictions:
        """The answers from `start` up to `end`."""
        return replace(self, scores=self.scores[start:end], codes=self.codes[start:end], truncated=self.truncated[start:end])

    @staticmethod
    def joined(parts: Sequence[Predictions], places: npt.NDArray[np.intp]) -> Predictions:
        """Answers of one model that were given in parts; `places` (n,) says where each, one after the other, belongs."""
        order = np.argsort(places)
        scores, codes, truncated = (
            np.concatenate([getattr(part, name) for part in parts])[order] for name in ("scores", "codes", "truncated")
        )
        return replace(parts[0], scores=scores, codes=codes, truncated=truncated)

    @overload
    def __getitem__(self, row: int) -> Prediction: ...
    @overload
    def __getitem__(self, row: slice) -> list[Prediction]: ...
    def __getitem__(self, row: int | slice) -> Prediction | list[Prediction]:
        if isinstance(row, slice):
            return [self[i] for i in range(*row.indices(len(self)))]
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        truncated = bool(self.truncated[row])
        if code := self.codes[row]:
            return Prediction(None, None, {}, CODES[code], truncated)
        scores = self.scores[row].tolist()
        order = sorted(range(len(scores)), key=lambda place: -scores[place])[: self.top_k]
        best = order[0]
        label = None if self.task == "regression" or self.abstained[row] else self.labels[best]
        labels = tuple(self.labels[k] for k in np.flatnonzero(self.given[row])) if self.task == "multilabel" else None
        return Prediction(label, scores[best], {self.labels[i]: scores[i] for i in order}, None, truncated, labels)

    def __iter__(self) -> Iterator[Prediction]:
        return (self[row] for row in range(len(self)))

    def to_arrow(self) -> pa.RecordBatch:
        """The columns of `columns(task)`: label and score null on an error (label always, of a regression), labels
        list<string>, scores fixed_size_list<float32>, error null when fine.
        """
        n, wrong = len(self), self.codes != 0
        mask = pa.array(wrong) if wrong.any() else None
        scores = pa.FixedSizeListArray.from_arrays(pa.array(self.scores.ravel()), len(self.labels), mask=mask)
        error = pa.DictionaryArray.from_arrays(pa.array(self.codes, pa.int32(), mask=~wrong), list(CODES)).cast(pa.string())
        named = {
            "label": pa.nulls(n, pa.string()) if self.task == "regression" else self._named(self.best, wrong | self.abstained),
            "score": pa.array(self.scores[np.arange(n), self.best], pa.float32(), mask=wrong),
            "scores": scores,
            "error": error,
            "truncated": pa.array(self.truncated),
            "model_version": _constant(self.version, n),
            "variant": _constant(self.variant, n),
        }
        if self.task == "multilabel":
            places = pa.array(np.nonzero(self.given)[1], pa.int32())
            ends = np.concatenate([[0], np.cumsum(self.given.sum(axis=1))])
            flat = pa.DictionaryArray.from_arrays(places, list(self.labels)).cast(pa.string())
            named["labels"] = pa.ListArray.from_arrays(pa.array(ends, pa.int32()), flat, mask=mask)
        names = columns(self.task)
        return pa.RecordBatch.from_arrays([named[name] for name in names], list(names))

    def _named(self, places: npt.NDArray[np.intp], wrong: npt.NDArray[np.bool_]) -> pa.Array:
        """The labels at these places, null where the row has an error."""
        return pa.DictionaryArray.from_arrays(pa.array(places, pa.int32(), mask=wrong), list(self.labels)).cast(pa.string())


def _constant(value: str, rows: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), [value])


def kept_names(names: list[str], task: Task) -> list[str]:
    """The names under which input columns stay beside the answers, each once."""
    return names_beside(names, columns(task))


def names_beside(names: list[str], answers: Sequence[str]) -> list[str]:
    """The names under which columns stay beside those called `answers`, each once."""
    taken = {*answers, *(name for name in names if name not in answers)}
    kept = []
    for name in names:
        new = name
        while new in taken and name in answers:
            new = f"input_{new}"
        taken.add(new)
        kept.append(new)
    return kept
