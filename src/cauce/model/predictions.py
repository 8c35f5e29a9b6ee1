"""Answers: arrays side by side, in the order of the rows, and as Arrow columns when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cauce.model.rows import CODES, Codes

COLUMNS = ("label", "score", "scores", "error", "truncated", "model_version", "variant")


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer to one row. `scores` maps labels to probabilities, highest first. With an `error` there is no label."""

    label: str | None
    score: float | None
    scores: dict[str, float]
    error: str | None
    truncated: bool


@dataclass(frozen=True)
class Predictions(Sequence[Prediction]):
    """The answers to a batch of rows.

    Attributes:
        labels: the model's labels, in their fixed order.
        scores: float32 (n, labels), probabilities; NaN on rows with an error.
        codes: uint8 (n,), 0 where the row was answered, else an index into `cauce.model.rows.CODES`.
        truncated: bool (n,), where only the beginning of a text was read.
        top_k: how many scores a `Prediction` shows; None for all.

    """

    labels: tuple[str, ...]
    scores: npt.NDArray[np.float32]
    codes: Codes
    truncated: npt.NDArray[np.bool_]
    version: str
    variant: str
    top_k: int | None = None

    @cached_property
    def best(self) -> npt.NDArray[np.intp]:
        """The place of each row's best label, (n,); 0 on rows with an error."""
        best: npt.NDArray[np.intp] = np.nan_to_num(self.scores, nan=-1.0).argmax(axis=1)
        return best

    def __len__(self) -> int:
        return len(self.codes)

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
        return Prediction(self.labels[best], scores[best], {self.labels[i]: scores[i] for i in order}, None, truncated)

    def __iter__(self) -> Iterator[Prediction]:
        return (self[row] for row in range(len(self)))

    def to_arrow(self) -> pa.RecordBatch:
        """The columns of `COLUMNS`: label and score null on an error, scores fixed_size_list<float32>, error null when fine."""
        n, wrong = len(self), self.codes != 0
        mask = pa.array(wrong) if wrong.any() else None
        label = pa.DictionaryArray.from_arrays(pa.array(self.best, pa.int32(), mask=wrong), list(self.labels)).cast(pa.string())
        best = pa.array(self.scores[np.arange(n), self.best], pa.float32(), mask=wrong)
        scores = pa.FixedSizeListArray.from_arrays(pa.array(self.scores.ravel()), len(self.labels), mask=mask)
        error = pa.DictionaryArray.from_arrays(pa.array(self.codes, pa.int32(), mask=~wrong), list(CODES)).cast(pa.string())
        columns = [
            label,
            best,
            scores,
            error,
            pa.array(self.truncated),
            _constant(self.version, n),
            _constant(self.variant, n),
        ]
        return pa.RecordBatch.from_arrays(columns, list(COLUMNS))


def _constant(value: str, rows: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), [value])
