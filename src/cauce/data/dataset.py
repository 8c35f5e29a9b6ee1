"""A dataset: rows of typed columns, and their labels."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cauce.errors import TooFewLabels, UnknownLabel, nearest
from cauce.model.manifest import Input, Task
from cauce.text.buffers import joined, utf8

SHOWN = 8  # labels listed in a message


@dataclass(frozen=True)
class Dataset:
    """Labelled rows.

    Attributes:
        rows: (n,) the inputs, typed as in `cauce.model.rows.ARROW`; nulls are allowed except in a text.
        inputs: name and type of each column of `rows`, in their order.
        labels: (n,) no nulls; string (classification), list<string> (multilabel) or float64 (regression).
        source: where it was read, for messages.
        target: the label column's name.
        time: (n,) timestamp[us, UTC], when each row was made.
        ids: (n,) string.
        lines: (n,) the line, or the row, where each starts in the file, from 1.
        notes: what the reader decided or left out, in words.

    """

    rows: pa.RecordBatch
    inputs: tuple[Input, ...]
    labels: pa.Array
    source: str
    task: Task = "classification"
    target: str = "label"
    time: pa.Array | None = None
    ids: pa.Array | None = None
    lines: npt.NDArray[np.int64] | None = None
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: npt.NDArray[np.int64]) -> Dataset:
        """The examples at these places."""
        places = pa.array(index)
        return replace(
            self,
            rows=self.rows.take(places),
            labels=self.labels.take(places),
            time=None if self.time is None else self.time.take(places),
            ids=None if self.ids is None else self.ids.take(places),
            lines=None if self.lines is None else self.lines[index],
        )

    @property
    def has_text(self) -> bool:
        """True where an input is a text."""
        return any(column.type == "text" for column in self.inputs)

    def texts(self) -> pa.Array:
        """What a reader reads of each row, (n,): its text columns joined by a line feed; the only one as it is."""
        return joined([column for column, one in zip(self.rows.columns, self.inputs, strict=True) if one.type == "text"])

    def counts(self) -> dict[str, int]:
        """How many rows each label has, by label; of regression, each number, as text."""
        flat = self.labels.flatten() if self.task == "multilabel" else self.labels
        return dict(sorted(Counter(map(str, flat.to_pylist())).items()))

    def places(self, known: tuple[str, ...]) -> npt.NDArray[np.int64]:
        """Each row's label as its place in `known`, (n,).

        Raises:
            UnknownLabel: a label that is not in `known`.

        """
        return self._places(self.labels.to_pylist(), np.arange(len(self)), known)

    def _places(self, labels: list[str], rows: npt.NDArray[np.int64], known: tuple[str, ...]) -> npt.NDArray[np.int64]:
        """The place in `known` of each of the labels, which stand in these rows."""
        place = {label: i for i, label in enumerate(known)}
        unknown = [i for i, label in enumerate(labels) if label not in place]
        if unknown:
            counts = Counter(labels[i] for i in unknown)
            listed = ", ".join(f'"{label}" ({count})' for label, count in sorted(counts.items())[:SHOWN])
            first = rows[unknown[0]]
            row = f"row {first + 1} of those with a label" if self.lines is None else f"line {self.lines[first]}"
            raise UnknownLabel(
                f"{len(counts)} label(s) that the model does not know: {listed}",
                where=f"{self.source}, first at {row}",
                hint=nearest(labels[unknown[0]], known) or f"known labels: {', '.join(known[:SHOWN])}",
            )
        return np.array([place[label] for label in labels], np.int64)

    def truth(self, known: tuple[str, ...]) -> npt.NDArray[Any]:
        """What is to be found for each row: the place of its label in `known`, int64 (n,); multilabel: which of `known` it
        has, bool (n, labels); regression: its number, float64 (n, 1).

        Raises:
            UnknownLabel: a label that is not in `known`.

        """
        if self.task == "classification":
            return self.places(known)
        if self.task == "regression":
            numbers: npt.NDArray[np.float64] = self.labels.to_numpy(zero_copy_only=False).reshape(-1, 1)
            return numbers
        marks = np.zeros((len(self), len(known)), np.bool_)
        rows = pc.list_parent_indices(self.labels).to_numpy()
        marks[rows, self._places(self.labels.flatten().to_pylist(), rows, known)] = True
        return marks

    def sha256(self) -> str:
        """A hash of what is learned from (task, inputs, rows, labels), whatever file format it came in."""
        digest = hashlib.sha256(self.task.encode())
        for column, one in zip(self.rows.columns, self.inputs, strict=True):
            digest.update(f"\0{one.type}\0{one.name}\0{len(column)}\0".encode())
            _feed(digest, column)
        _feed(digest, self.labels)
        return digest.hexdigest()

    def check_trainable(self) -> None:
        """At least two different labels, sets of labels or numbers.

        Raises:
            TooFewLabels: one only.

        """
        first = self.labels[0].as_py()
        if all(label == first for label in self.labels.to_pylist()):
            said = f'"{first}"' if self.task == "classification" else str(first)
            raise TooFewLabels(
                f"every row has the label {said}",
                where=self.source,
                hint="a model needs examples of two labels or more",
            )


def _feed(digest: hashlib._Hash, column: pa.Array) -> None:
    """Add a column's values to a hash: which are null, how long each is, and what they hold."""
    digest.update(column.is_valid().to_numpy(zero_copy_only=False).tobytes())
    if pa.types.is_list(column.type):
        digest.update(column.value_lengths().to_numpy(zero_copy_only=False).astype("<i8").tobytes())
        _feed(digest, column.flatten())
    elif pa.types.is_string(column.type):
        data, offsets = utf8(pc.fill_null(column, ""))
        digest.update(np.diff(offsets).astype("<i8").tobytes())
        digest.update(data[offsets[0] : offsets[-1]].tobytes())
    else:
        digest.update(pc.fill_null(column.cast(pa.float64()), 0.0).to_numpy(zero_copy_only=False).astype("<f8").tobytes())
