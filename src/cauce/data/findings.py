"""What the data doctor found: each finding with its rows, why it matters and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from cauce.data.dataset import Dataset
from cauce.data.tables import Source

Severity = Literal["error", "warning", "info"]

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
SAMPLES, SHOWN = 3, 90  # rows of a finding, characters of each


@dataclass(frozen=True)
class Sample:
    """A row of a finding: its line (or row) in the file, and its text, cut short."""

    line: int
    text: str


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes:
        code: names it, stable.
        severity: "error" stops a training or makes its figures untrue, "warning" makes the model worse or its figures too
            good, "info" is good to know.
        count: how many rows, texts or columns it is about.
        what: what was found, with the values.
        why: why it matters.
        fix: a command or an edit.
        rows: some of the rows.

    """

    code: str
    severity: Severity
    count: int
    what: str
    why: str
    fix: str
    rows: tuple[Sample, ...] = ()


@dataclass(frozen=True)
class Findings:
    """Everything that was found in a file, the most severe first.

    Attributes:
        source: the file.
        rows: how many rows it has, also those without a text or label.
        unit: what the lines of the samples count, "line" or "row".
        notes: what the reader decided, in words.

    """

    source: str
    rows: int
    unit: str
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """True where nothing is to be done: no error and no warning."""
        return all(finding.severity == "info" for finding in self.findings)

    def counts(self) -> dict[Severity, int]:
        """How many findings of each severity."""
        return {severity: sum(finding.severity == severity for finding in self.findings) for severity in SEVERITIES}

    def as_dict(self) -> dict[str, Any]:
        """As it is shown to a program."""
        return {**asdict(self), "clean": self.clean, "counts": self.counts()}


@dataclass(frozen=True)
class Examined:
    """A file as the checks see it.

    Attributes:
        source: every column, raw.
        data: the rows with a text and a label.
        places: (n,) the row in `source` of each row in `data`.
        texts: (n,) what a reader reads of each row; all empty where no column is a text.

    """

    source: Source
    data: Dataset
    places: npt.NDArray[np.int64]
    texts: list[str]

    def samples(self, rows: Iterable[int], limit: int = SAMPLES) -> tuple[Sample, ...]:
        """The first of these rows of `data`."""
        chosen = [int(row) for row, _ in zip(rows, range(limit), strict=False)]
        return tuple(Sample(int(self.source.lines[self.places[row]]), shown(self._shown(row))) for row in chosen)

    def _shown(self, row: int) -> str:
        if self.data.has_text:
            return self.texts[row]
        return ", ".join(str(value) for value in self.data.rows.slice(row, 1).to_pylist()[0].values())


def examine(source: Source, data: Dataset) -> Examined:
    """A file and the dataset that was made of it."""
    lines = data.lines if data.lines is not None else source.lines
    texts = data.texts().to_pylist() if data.has_text else [""] * len(data)
    return Examined(source, data, np.searchsorted(source.lines, lines), texts)


def shown(text: str) -> str:
    """A text on one line, cut short, without what a terminal would obey."""
    line = " ".join("".join(char if char.isprintable() or char.isspace() else "�" for char in text[: 4 * SHOWN]).split())
    return line if len(line) <= SHOWN else line[: SHOWN - 1] + "…"
