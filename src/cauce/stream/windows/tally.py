"""Results counted by label, by term and by the time at which their messages were made."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cauce.stream.results import Results
from cauce.stream.windows.moments import Floats, moments
from cauce.stream.windows.terms import pattern

ALL = ""  # the term of all texts, and the label of all results


class Cell(NamedTuple):
    """What is counted together.

    Attributes:
        window: how many windows lie between it and 1970.
        term: that the text holds; `ALL`: whatever it holds.
        label: that the result has; `ALL`: whatever it has. Of several labels a result has, it is counted for each.

    """

    window: int
    term: str
    label: str


class Tally:
    """Sorts results into windows that follow each other.

    A window is closed once a message is made `lateness` after its end. A result of a closed window is `late`: it is counted in
    the newest window instead, so that a closed one stays as it is and none is lost. No message is made after it was received:
    a clock that is wrong cannot close the windows of all others. What is counted are events: an edit counts as one more, and a
    deletion takes nothing away.

    Args:
        width: seconds of a window.

    """

    def __init__(self, width: float, lateness: float, terms: Sequence[str]) -> None:
        self.width, self._lateness = width, lateness
        self._patterns = [(term, pattern(term)) for term in dict.fromkeys(terms)]
        self._newest = 0.0  # when the latest message was made

    @property
    def open(self) -> int:
        """The first window that is not closed."""
        return math.floor((self._newest - self._lateness) / self.width)

    def add(self, results: Results, received: Floats) -> Iterator[tuple[Cell, int, int]]:
        """Cells, and how many more are in each: counted, and late. Withdrawals are left out.

        Args:
            received: (n,) seconds since 1970.

        """
        rows = np.flatnonzero(~results.messages.deletes)
        if not len(rows):
            return
        limit = np.minimum(received, time.time())
        places, late = self._sorted(np.fmin(moments(results.messages.created), limit)[rows])
        encoded = pa.array(places).dictionary_encode()
        windows, labels = encoded.dictionary.to_pylist(), (ALL, *_labels(results))
        codes = 2 * encoded.indices.to_numpy().astype(np.intp) + late
        for term, held in self._held(results.messages.texts, rows):
            found = _by_label(results, rows[held], codes[held], 2 * len(windows))
            for place in np.flatnonzero(found.any(axis=1).reshape(-1, 2).any(axis=1)).tolist():
                for k in np.flatnonzero(found[2 * place : 2 * place + 2].any(axis=0)).tolist():
                    count, behind = found[2 * place : 2 * place + 2, k].tolist()
                    yield Cell(windows[place], term, labels[k]), count, behind

    def _sorted(self, times: Floats) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """The window that each is counted in, and whether that is another than its own."""
        newest = np.maximum.accumulate(np.append(self._newest, times))
        self._newest = float(newest[-1])
        before, own = newest[:-1], np.floor(times / self.width)
        late = own < np.floor((before - self._lateness) / self.width)
        return np.where(late, np.floor(before / self.width), own).astype(np.int64), late

    def _held(self, texts: pa.StringArray, rows: npt.NDArray[np.intp]) -> Iterator[tuple[str, npt.NDArray[np.intp] | slice]]:
        """The terms, and which rows hold each."""
        yield ALL, slice(None)
        some = texts.take(pa.array(rows)) if self._patterns else texts
        for term, written in self._patterns:
            found = pc.fill_null(pc.match_substring_regex(some, written), False)
            yield term, np.flatnonzero(found.to_numpy(zero_copy_only=False))


def _labels(results: Results) -> tuple[str, ...]:
    return () if results.predictions.task == "regression" else results.model.labels


def _by_label(results: Results, rows: npt.NDArray[np.intp], codes: npt.NDArray[np.intp], size: int) -> npt.NDArray[np.int64]:
    """How many of these rows have each code and each label, (size, 1 + labels); the first column is of all."""
    found, many = results.predictions, len(_labels(results))
    columns = [np.bincount(codes, minlength=size)]
    if found.task == "multilabel":
        columns += [np.bincount(codes[given], minlength=size) for given in found.given[rows].T]
    elif many:
        columns += [*np.bincount(codes * many + found.best[rows], minlength=size * many).reshape(size, many).T]
    return np.column_stack(columns)
