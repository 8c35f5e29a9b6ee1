"""Labeling: the texts of a file, the answers that a person gives, and the journal that keeps each at once.

The journal's entries: what the file is; `choices`; `row` and `label` (null: skipped); `undo`; `written`, the hash of what
was written out, so that an output that somebody changed is not replaced.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from cauce.data.columns import text_and_label
from cauce.data.journal import Journal
from cauce.data.tables import Source, read_table
from cauce.data.values import as_text, strings, whole
from cauce.data.write import check_kind, write_table
from cauce.errors import EmptyData, FileChanged, InputError, OutputExists

FORMAT = 1


class Answer(NamedTuple):
    """What was said of a row; no label: skipped."""

    row: int
    label: str | None


class Labeling:
    """One person's work on one file.

    Args:
        source: the file as it was read.
        out: what to write; the journal stands beside it. With `in_place` the file itself.
        text, label: columns; guessed where they are not named. A label column that is not there is made.

    Attributes:
        texts: (n,) each row's text, or None where there is none to ask about.
        given: labels that the file has, by row.
        choices: the labels to choose from.
        history: the answers, oldest first, without those taken back.

    Raises:
        ColumnMissing, EmptyData, InputError: the file has no such text, or its labels are lists.
        OutputExists: `out` is there, and is not from here.
        FileChanged: the file, or `out`, is not as it was when the journal was last written.
        InUse, CannotWrite, StorageFull, UnreadableData, UnknownName

    """

    def __init__(
        self,
        source: Source,
        out: Path,
        *,
        text: str | None = None,
        label: str | None = None,
        choices: Iterable[str] = (),
        in_place: bool = False,
    ) -> None:
        self.source, self.out, self.in_place = source, out, in_place
        self.text, self.label = text_and_label(source, text, label)
        self.texts: list[str | None] = strings(source, self.text).values.to_pylist()
        self.given = {row: name for row, name in enumerate(self._cells(stripped=True)) if name is not None}
        if not any(self.texts):
            raise EmptyData(f'{source.name} has no text in the column "{self.text}"', hint="name another column with --text")
        check_kind(out)
        path = out.with_name(f"{out.name}.journal")
        if out.exists() and not in_place and not path.exists():
            raise OutputExists(f"{out} exists already", hint="choose another --out: it was not made by this command")
        self.choices = list(dict.fromkeys([*choices, *sorted(set(self.given.values()))]))
        self.history: list[Answer] = []
        self._spent = False  # the file itself has every answer
        self.journal = Journal(path)
        try:
            self._open(list(choices))
        except BaseException:
            self.close()
            raise
        self._began, self._again = len(self.history), False
        self._again = not self.left()

    def answer(self, row: int, label: str | None) -> None:
        """Keep an answer; without a label the row is skipped."""
        self.journal.append({"row": row, "label": label})
        self.history.append(Answer(row, label))

    def undo(self) -> Answer | None:
        """Take the last answer back, or None where there is none."""
        if not self.history:
            return None
        self.journal.append({"undo": True})
        self._began = min(self._began, len(self.history) - 1)
        return self.history.pop()

    def add_choice(self, label: str) -> None:
        """One more label to choose from.

        Raises:
            InputError: it is empty, or holds a character that cannot be shown.

        """
        if not label or not label.isprintable():
            raise InputError(f"{label!r} cannot be a label", hint="a label is a word or a few")
        if label not in self.choices:
            self.journal.append({"choices": [*self.choices, label]})
            self.choices.append(label)

    def known(self, answers: int | None = None) -> dict[int, str]:
        """Each labeled row's label: the file's own, and the first `answers` answers (without a number: all)."""
        said = dict(self.history[:answers])
        return {**self.given, **{row: label for row, label in said.items() if label is not None}}

    def left(self, answers: int | None = None) -> list[int]:
        """The rows to ask about, in the file's order, after the first `answers` answers (without a number: all).

        A session that begins with nothing else left asks about the skipped rows again.
        """
        asked = [row for row, text in enumerate(self.texts) if text is not None and row not in self.given]
        if not self._again:
            done = dict(self.history[:answers])
            return [row for row in asked if row not in done]
        before, since = dict(self.history[: self._began]), dict(self.history[self._began : answers])
        return [row for row in asked if before.get(row) is None and row not in since]

    def counts(self) -> dict[str, int]:
        """How many rows each choice has."""
        counted = Counter(self.known().values())
        return {label: counted[label] for label in self.choices}

    def save(self) -> None:
        """Write every column and the labels.

        Raises:
            CannotWrite, StorageFull, FileChanged

        """
        self._check_out()
        known, cells = self.known(), self._cells(stripped=False)
        labels = [cell if row in self.given else known.get(row, cell) for row, cell in enumerate(cells)]
        column = pa.array(labels, pa.string())
        table = self.source.table
        if self.label in table.column_names:
            table = table.set_column(table.column_names.index(self.label), self.label, column)
        else:
            table = table.append_column(self.label, column)
        write_table(table, self.out, ready=lambda sha256: self.journal.append({"written": sha256}))
        self._spent = self.in_place

    def close(self) -> None:
        """Let others work on it. A journal without answers, or whose answers the file itself now has, is removed."""
        if self._spent or not any("row" in entry for entry in self.journal.entries):
            self.journal.remove()
        else:
            self.journal.close()

    def _open(self, wanted_choices: list[str]) -> None:
        """Take up the journal's answers, or begin it."""
        head = {
            "journal": FORMAT,
            "file": Path(self.source.name).name,
            "sha256": _fingerprint(self.source.table),
            "text": self.text,
            "label": self.label,
        }
        if self._is_spent():
            self.journal.clear()
        if not self.journal.entries:
            self.journal.append(head)
        found, where = self.journal.entries[0], str(self.journal.path)
        if found.get("journal") != FORMAT:
            raise InputError("not a journal of this Cauce", where=where, hint="move it away, or choose another --out")
        if found["sha256"] != head["sha256"]:
            hint = "put the file back as it was, or start again on the new one with another --out"
            raise FileChanged(f"{self.source.name} has changed since its first texts were labeled", where=where, hint=hint)
        for part in ("text", "label"):
            if found[part] != head[part]:
                hint = f'give --{part} "{found[part]}", or start again with another --out'
                raise InputError(f'the {part} was the column "{found[part]}", now it is "{head[part]}"', where=where, hint=hint)
        for entry in self.journal.entries:
            if "row" in entry:
                self.history.append(Answer(entry["row"], entry["label"]))
            elif "undo" in entry:
                self.history.pop()
        kept: list[str] = next((entry["choices"] for entry in reversed(self.journal.entries) if "choices" in entry), [])
        self.choices = list(dict.fromkeys([*kept, *self.choices]))
        if self.choices != kept:  # a label keeps its key from one session to the next
            self.journal.append({"choices": self.choices})
        self._check_out()

    def _is_spent(self) -> bool:
        """True where a session in place ended between its last two steps: the file has the journal's answers already."""
        return self.in_place and self.journal.entries[-1:] != [] and self._is_ours()

    def _is_ours(self) -> bool:
        return _sha256(self.out) in {entry.get("written") for entry in self.journal.entries}

    def _check_out(self) -> None:
        """What is there is what was last written.

        Raises:
            FileChanged: somebody else wrote it.

        """
        if self.in_place:
            if _fingerprint(read_table(self.out).table) != self.journal.entries[0]["sha256"]:
                raise FileChanged(
                    f"{self.out} was changed meanwhile", hint="put it back as it was: the answers are in the journal"
                )
        elif self.out.exists() and not self._is_ours():
            hint = "move it away or choose another --out; the answers are in the journal, none is lost"
            raise FileChanged(f"{self.out} was changed by another program", where=str(self.journal.path), hint=hint)

    def _cells(self, *, stripped: bool) -> list[str | None]:
        """The label column as text; None where nothing is written, and where there is no such column.

        Raises:
            InputError: it holds lists.

        """
        if self.label not in self.source.table.column_names:
            return [None] * len(self.source.table)
        column = whole(self.source.table.column(self.label))
        if pa.types.is_nested(column.type):
            hint = "this command gives one label a text: name another column with --label"
            raise InputError(f'the column "{self.label}" holds lists', where=self.source.name, hint=hint)
        cells: list[str | None] = (strings(self.source, self.label).values if stripped else as_text(column)).to_pylist()
        return cells


def _fingerprint(table: pa.Table) -> str:
    """A hash of every cell, whatever way the file writes them down."""
    digest = hashlib.sha256()
    for name, column in zip(table.column_names, table.columns, strict=True):
        digest.update(json.dumps([name, column.to_pylist()], default=str).encode())
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
