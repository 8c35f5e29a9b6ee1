"""From a file to a dataset: what each column is, and which rows can be learned from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cauce.data.columns import Columns, Roles, decide, looks_like_an_id
from cauce.data.dataset import Dataset
from cauce.data.labels import labels
from cauce.data.tables import Source, read_table
from cauce.data.times import times
from cauce.data.values import as_text, booleans, decimal_comma, numbers, strings, whole
from cauce.errors import EmptyData
from cauce.model.manifest import Input


def read(source: str | Path, columns: Columns = Columns()) -> Dataset:
    """Read labeled examples. Columns are guessed where they are not named, and the guess is in `notes`.

    Raises:
        InputError: of the file, see `read_table`; of its columns, see `dataset`.
        MissingExtra, Unavailable: of a URL.

    """
    return dataset(read_table(source), columns)


def read_for(source: str | Path, inputs: tuple[Input, ...], columns: Columns, *, target: str = "") -> Dataset:
    """Read examples for a model of these inputs; `columns` says what the labels are.

    A model of one text takes the file's text column by whatever name. The label is the column `target`, or guessed where there
    is none of that name.

    Raises:
        as `read`.

    """
    raw = read_table(source)
    names = raw.table.column_names
    label = columns.label or ((target,) if target in names else ())
    wanted = Columns.of_model(inputs, columns.task, label=label, label_delimiter=columns.label_delimiter)
    if [one.type for one in inputs] == ["text"] and (columns.text or inputs[0].name not in names):
        wanted = Columns(text=columns.text, label=label, label_delimiter=columns.label_delimiter, task=columns.task)
    found = dataset(raw, replace(wanted, time=columns.time))
    names = [one.name for one in inputs]  # a file may have them in another order
    rows = found.rows.select(names) if wanted.only else found.rows.rename_columns(names)
    return replace(found, rows=rows, inputs=inputs)


def dataset(source: Source, columns: Columns = Columns()) -> Dataset:
    """The rows that have a label and a text, typed; how many were left out is said.

    Raises:
        ColumnMissing: a column that is not there, or one that cannot be told.
        UnreadableData: a value that is not of its column's type, with its line.
        EmptyData: no row is left.

    """
    roles = decide(source, columns)
    found = labels(source, roles.label, columns)
    notes = [*source.notes, *roles.notes, *found.notes]
    kept, without = _whole_rows(source, roles, found.values)
    notes += [f"left out: {count} row(s) without a {what}" for what, count in without.items() if count]
    if not kept.any():
        both = "both a text and a label" if "text" in roles.inputs.values() else "a label"
        raise EmptyData(f"{source.name} has no row with {both}", hint="are these the right file and columns?")
    mask = pa.array(kept)
    rows, said = _inputs(source, roles)
    notes += said
    time, said = times(source, columns.time) if columns.time else (None, [])
    notes += said
    return Dataset(
        rows.filter(mask),
        tuple(Input(name=name, type=kind) for name, kind in roles.inputs.items()),
        found.values.filter(mask),
        source.name,
        task=found.task,
        target=found.target,
        time=None if time is None else time.filter(mask),
        ids=strings(source, columns.id).values.filter(mask) if columns.id else None,
        lines=source.lines[kept],
        notes=tuple(notes),
    )


def _whole_rows(source: Source, roles: Roles, found: pa.Array) -> tuple[npt.NDArray[np.bool_], dict[str, int]]:
    """Which rows have a label and a text, and how many have not."""
    with_label = found.is_valid().to_numpy(zero_copy_only=False)
    with_text = np.ones(len(found), np.bool_)
    for name, kind in roles.inputs.items():
        if kind == "text":
            with_text &= strings(source, name).values.is_valid().to_numpy(zero_copy_only=False)
    return with_label & with_text, {"label": int((~with_label).sum()), "text": int((with_label & ~with_text).sum())}


def _inputs(source: Source, roles: Roles) -> tuple[pa.RecordBatch, list[str]]:
    """The input columns in their types, and what is to be said."""
    notes: list[str] = []
    arrays = []
    written = [
        strings(source, name)
        for name, kind in roles.inputs.items()
        if kind == "number" and pa.types.is_string(source.table.schema.field(name).type)
    ]
    comma = any(decimal_comma(column) for column in written)  # one that is certain decides for those that fit both ways
    for name, kind in roles.inputs.items():
        said: list[str] = []
        if kind == "number":
            column, said = numbers(source, name, comma=comma)
        elif kind == "boolean":
            column = booleans(source, name)
        elif kind == "category":
            column = strings(source, name).values
            if looks_like_an_id(column):
                said = [f'"{name}" looks like an id, most of its values are different: leave it out with --ignore {name}']
        else:
            column = as_text(whole(source.table.column(name)))
        arrays.append(column)
        notes += said
    return pa.RecordBatch.from_arrays(arrays, list(roles.inputs)), notes
