"""The labels of the rows: names, sets of names, or numbers; which of them, the column says or the caller."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cauce.data.columns import Columns
from cauce.data.tables import Source
from cauce.data.values import Strings, as_text, booleans, is_number, looks_numeric, numbers, strings, whole
from cauce.errors import ColumnMissing, UnreadableData
from cauce.model.manifest import Task

MANY_NUMBERS = 20  # different ones: more are no names of classes
MANY_LABELS, ROWS_A_LABEL = 20, 5  # more labels than this, with fewer rows each on average: is it the label?
LARGEST = 1e30  # of a regression
SETS = pa.list_(pa.string())


@dataclass(frozen=True)
class Labels:
    """The labels (n,), null where a row has none, what they are, and what is to be said."""

    values: pa.Array
    task: Task
    target: str
    notes: tuple[str, ...]


def labels(source: Source, names: tuple[str, ...], columns: Columns) -> Labels:
    """The labels of a file.

    Raises:
        ColumnMissing: the columns do not fit the task.
        UnreadableData: a value that is not a number or not 0 or 1 where it must be, with its line.

    """
    task, kind = columns.task, source.table.schema.field(names[0]).type
    has_lists = len(names) > 1 or pa.types.is_nested(kind) or columns.label_delimiter is not None
    if has_lists and task not in (None, "multilabel"):
        raise ColumnMissing(
            f'the labels are lists, the task is "{task}"', where=source.name, hint="name one label a row, or --task multilabel"
        )
    if has_lists:
        return _multilabel(source, names, columns.label_delimiter)
    if task == "multilabel":
        raise ColumnMissing(
            f'"{names[0]}" holds one label a row, the task is "multilabel"',
            where=source.name,
            hint="say what stands between the labels with --label-delimiter, or name several --label columns",
        )
    column = strings(source, names[0])
    if task == "regression" or (task is None and _are_amounts(kind, column)):
        values, notes = numbers(source, names[0], comma=False)
        _check_size(source, names[0], values)
        if task is None:
            notes.append(f'"{names[0]}" holds numbers: regression; with --task classification each number is a label')
        return Labels(values, "regression", names[0], tuple(notes))
    return _classification(source, column)


def _check_size(source: Source, name: str, values: pa.Array) -> None:
    """Refuse a number that no answer could be: they are 32 bits wide."""
    large = np.flatnonzero(np.abs(values.to_numpy(zero_copy_only=False)) > LARGEST)
    if len(large):
        raise UnreadableData(
            f'"{name}" holds {values[int(large[0])].as_py():g}, more than {LARGEST:g}',
            where=source.where(int(large[0])),
            hint="is it a fault? else give the numbers in a larger unit, or their logarithm",
        )


def _are_amounts(kind: pa.DataType, column: Strings) -> bool:
    """Whether the labels are numbers that are not whole, or too many different ones to be names."""
    if pa.types.is_boolean(kind) or not (is_number(kind) or looks_numeric(column)):
        return False
    written = Strings(column.name, column.written)
    whole_numbers = pc.all(written.match(r"^[+-]?\d+([.,]0*)?$")).as_py()
    return not whole_numbers or pc.count_distinct(written.values).as_py() > MANY_NUMBERS


def _classification(source: Source, column: Strings) -> Labels:
    raw, values = whole(source.table.column(column.name)), column.values
    notes = []
    stripped = pc.replace_substring_regex(values, r"\.0+$", "")
    numeric = pc.all(pc.match_substring_regex(values, r"^[+-]?\d+(\.0+)?$")).as_py()
    if numeric and (pa.types.is_floating(raw.type) or not stripped.equals(values)):
        values = stripped
        notes.append('labels like "1.0" are read as "1"')
    elif pa.types.is_string(raw.type) and pc.any(pc.not_equal(raw, pc.utf8_trim_whitespace(raw))).as_py():
        notes.append("white space around labels was left out")
    different = pc.count_distinct(values).as_py()
    if different > MANY_LABELS and different * ROWS_A_LABEL > len(values) - values.null_count:
        notes.append(f'{different} different labels in {len(values) - values.null_count} rows: is "{column.name}" the label?')
    return Labels(values, "classification", column.name, tuple(notes))


def _multilabel(source: Source, names: tuple[str, ...], delimiter: str | None) -> Labels:
    """The set of labels of each row, sorted; an empty one is kept, a null is no label."""
    if len(names) > 1:
        flags = [booleans(source, name) for name in names]
        missing = np.any([flag.is_null().to_numpy(zero_copy_only=False) for flag in flags], axis=0)
        given = np.array([pc.fill_null(flag, False).to_numpy(zero_copy_only=False) for flag in flags])
        order = np.argsort(names)
        sets = [None if gone else [names[at] for at in order if row[at]] for row, gone in zip(given.T, missing, strict=True)]
    elif pa.types.is_nested(source.table.schema.field(names[0]).type):
        raw = whole(source.table.column(names[0])).cast(SETS).to_pylist()
        sets = [None if row is None else _set(row) for row in raw]
    else:
        texts = as_text(whole(source.table.column(names[0]))).to_pylist()
        sets = [None if text is None else _set(text.split(delimiter)) for text in texts]
    target = names[0] if len(names) == 1 else "labels"
    empty = sum(1 for row in sets if row == [])
    notes = [f"{empty} row(s) have no label at all: kept, as examples of none"] if empty else []
    if not any(sets):
        raise UnreadableData("no row has a label", where=source.name, hint=f"are the labels in {', '.join(names)}?")
    return Labels(pa.array(sets, SETS), "multilabel", target, (f"several labels a row: {target}", *notes))


def _set(given: list[str | None]) -> list[str]:
    return sorted({label.strip() for label in given if label and label.strip()})
