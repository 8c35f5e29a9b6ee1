"""From a file to a dataset: what each column is, and which rows can be learned from."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from cauce.data.columns import Columns, guess, wanted
from cauce.data.dataset import Dataset
from cauce.data.tables import Source, read_table
from cauce.errors import ColumnMissing, EmptyData
from cauce.model.manifest import Input


def read(source: str | Path, columns: Columns = Columns()) -> Dataset:
    """Read labeled examples. Columns are guessed where they are not named, and the guess is in `notes`.

    Raises:
        FileMissing, EmptyData, ColumnMissing, UnreadableData, LineTooLong, UnknownName

    """
    return dataset(read_table(source), columns)


def dataset(source: Source, columns: Columns) -> Dataset:
    """The rows with a label and a text, typed; how many were left out is said.

    Raises:
        EmptyData, ColumnMissing

    """
    table = {name: source.table.column(name).to_pylist() for name in source.table.column_names}
    names = list(table)
    text, label = next(iter(columns.text), None), next(iter(columns.label), None)
    text_column, text_note = wanted(text, names, source.name) or guess("text", table, taken=label, source=source.name)
    label_column, label_note = wanted(label, names, source.name) or guess("label", table, taken=text_column, source=source.name)
    if text_column == label_column:
        raise ColumnMissing(
            f'"{text_column}" is named as the text and as the label',
            where=source.name,
            hint=f"the columns are: {', '.join(names)}",
        )
    others = [name for name in names if name not in (text_column, label_column)]
    notes = [*source.notes]
    if names != ["text", "label"]:  # there was nothing to guess
        notes += [note for note in (text_note, label_note) if note]
    if others:
        notes.append(f"not used: {', '.join(others)}")
    texts, labels = table[text_column], table[label_column]
    stripped = [value and value.strip() for value in labels]
    if stripped != labels:
        notes.append("white space around labels was left out")
    labels = stripped
    kept = [i for i in range(len(texts)) if texts[i] is not None and texts[i].strip() and labels[i]]
    without_label = sum(1 for value in labels if not value)
    without_text = len(texts) - len(kept) - without_label
    for count, what in ((without_label, "label"), (without_text, "text")):
        if count:
            notes.append(f"left out: {count} row(s) without a {what}")
    if not kept:
        raise EmptyData(f"{source.name} has no row with both a text and a label", hint="are these the right file and columns?")
    rows = pa.RecordBatch.from_arrays([pa.array([texts[i] for i in kept], pa.string())], [text_column])
    return Dataset(
        rows,
        (Input(name=text_column, type="text"),),
        pa.array([labels[i] for i in kept], pa.string()),
        source.name,
        target=label_column,
        lines=source.lines[kept],
        notes=tuple(notes),
    )
