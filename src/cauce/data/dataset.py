"""A dataset: rows of typed columns, and their labels."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cauce.errors import TooFewLabels, UnknownLabel, nearest

SHOWN = 8  # labels listed in a message


@dataclass(frozen=True)
class Dataset:
    """Labelled rows.

    Attributes:
        rows: (n,) the input columns.
        labels: (n,) string, no nulls.
        source: where it was read, for messages.
        notes: what the reader decided or left out, in words.

    """

    rows: pa.RecordBatch
    labels: pa.Array
    source: str
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: npt.NDArray[np.int64]) -> Dataset:
        """The examples at these places."""
        places = pa.array(index)
        return replace(self, rows=self.rows.take(places), labels=self.labels.take(places))

    def counts(self) -> dict[str, int]:
        """How many rows each label has, by label."""
        return dict(sorted(Counter(self.labels.to_pylist()).items()))

    def places(self, known: tuple[str, ...]) -> npt.NDArray[np.int64]:
        """Each row's label as its place in `known`, (n,).

        Raises:
            UnknownLabel: a label that is not in `known`.

        """
        place = {label: i for i, label in enumerate(known)}
        unknown = {label: count for label, count in self.counts().items() if label not in place}
        if unknown:
            first = self.labels.to_pylist().index(next(iter(unknown)))
            listed = ", ".join(f'"{label}" ({count})' for label, count in list(unknown.items())[:SHOWN])
            raise UnknownLabel(
                f"{len(unknown)} label(s) that the model does not know: {listed}",
                where=f"{self.source}, first at row {first + 1} of those with text and label",
                hint=nearest(next(iter(unknown)), known) or f"known labels: {', '.join(known[:SHOWN])}",
            )
        return np.array([place[label] for label in self.labels.to_pylist()], np.int64)

    def sha256(self) -> str:
        """A hash of the examples, whatever file format they came in."""
        digest = hashlib.sha256()
        for column, name in [*zip(self.rows.columns, self.rows.schema.names, strict=True), (self.labels, "label")]:
            digest.update(f"{name}\0{len(column)}\0".encode())
            for value in column.to_pylist():
                raw = str(value).encode()
                digest.update(len(raw).to_bytes(8, "little") + raw)
        return digest.hexdigest()

    def check_trainable(self) -> None:
        """At least two labels.

        Raises:
            TooFewLabels: one only.

        """
        counts = self.counts()
        if len(counts) < 2:
            only = next(iter(counts))
            raise TooFewLabels(
                f'every row has the label "{only}"',
                where=self.source,
                hint="a model needs examples of two labels or more",
            )
