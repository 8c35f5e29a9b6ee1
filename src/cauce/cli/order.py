"""Which text is asked about next. It depends only on the answers so far, so that a session goes on where it stopped."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyarrow as pa

from cauce.data.dataset import Dataset
from cauce.data.labeling import Labeling
from cauce.data.select import most_useful
from cauce.model.manifest import Input
from cauce.model.model import Model
from cauce.model.predictions import Predictions
from cauce.recipes.quick import quick

EVERY = 10  # answers between two rankings
LEAST_LABELS = 10  # from here on a model is fitted to the labels so far
CANDIDATES = 20_000  # texts that are ranked at once: bounds the wait between two answers


class Order:
    """The rows of a labeling, one after the other.

    `useful` ranks by a model: the one that is given, or one fitted in memory to the labels so far. Until there are
    enough of those the order is random.
    """

    def __init__(
        self, work: Labeling, how: Literal["useful", "random", "file"], *, model: Model | None = None, seed: int = 0
    ) -> None:
        self._work, self._how, self._model = work, how, model
        self._rank = np.random.default_rng(seed).permutation(len(work.texts))  # of each row, in the random order
        self._ranked: tuple[int, list[int]] = (-1, [])  # after how many answers, and the rows in order
        self._current = model

    def next(self) -> int | None:
        """The row to ask about, or None where none is left."""
        left = set(self._work.left())
        answers = len(self._work.history) // EVERY * EVERY
        if self._ranked[0] != answers or not left.intersection(self._ranked[1]):
            self._ranked = (answers, self._order(answers))
        return next((row for row in self._ranked[1] if row in left), None)

    def suggestion(self, row: int) -> tuple[str, float] | None:
        """The model's label and its score, if there is a model."""
        if self._current is None:
            return None
        answer = self._predict(self._current, [row])[0]
        return (answer.label, answer.score) if answer.label is not None and answer.score is not None else None

    def _order(self, answers: int) -> list[int]:
        """The rows that are left after so many answers, in order; the useful ones only as far as the next ranking."""
        left = self._work.left(answers)
        if self._how == "file":
            return left
        left.sort(key=lambda row: self._rank[row])
        if self._how == "random" or not left:
            return left
        self._current = self._model or self._fit(answers)
        if self._current is None:
            return left
        left = left[:CANDIDATES]
        texts = pa.array([self._work.texts[row] for row in left], pa.string())
        chosen = most_useful(texts, self._predict(self._current, left).scores, EVERY)
        return [left[place] for place in chosen]

    def _fit(self, answers: int) -> Model | None:
        """A model of the labels so far, or None where they are too few."""
        known = {row: label for row, label in self._work.known(answers).items() if self._work.texts[row] is not None}
        if len(known) < LEAST_LABELS or len(set(known.values())) < 2:
            return None
        texts = pa.array([self._work.texts[row] for row in known], pa.string())
        rows = pa.RecordBatch.from_arrays([texts], ["text"])
        labels = pa.array(list(known.values()), pa.string())
        return quick(Dataset(rows, (Input(name="text", type="text"),), labels, self._work.source.name))

    def _predict(self, model: Model, rows: list[int]) -> Predictions:
        """Scores of rows: of their texts, or of the file's columns where the model reads several."""
        if len(model.manifest.inputs) == 1:
            return model.predict(pa.array([self._work.texts[row] for row in rows], pa.string()))
        return model.predict(self._work.source.table.take(pa.array(rows)))
