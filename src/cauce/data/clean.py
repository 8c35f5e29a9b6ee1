"""A cleaned copy of a file: what is certain is mended, what cannot be learned from is left out, and every change is counted."""

from __future__ import annotations

import csv
import io
import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cauce.data import duplicates
from cauce.data.checks.copies import conflicting, label_codes, same_rows
from cauce.data.checks.labels import spellings
from cauce.data.checks.texts import CONTROLS, says_nothing
from cauce.data.columns import Columns
from cauce.data.dataset import Dataset
from cauce.data.findings import examine
from cauce.data.mojibake import mended
from cauce.data.read import dataset
from cauce.data.tables import Source
from cauce.errors import InputError, OutputExists, writing

LEFT_OUT = ".left_out.csv"  # behind the name of the copy
REASON, LINE = "reason", "line"  # its columns, before those of the file


@dataclass(frozen=True)
class Changes:
    """What a cleaned copy changed.

    Attributes:
        out: the copy.
        left_out: the rows that it lacks, each with its line and the reason; None where it lacks none.
        rows: how many rows it has.
        mended: rows changed, by what was done.
        dropped: rows left out, by reason.

    """

    out: Path
    left_out: Path | None
    rows: int
    mended: dict[str, int]
    dropped: dict[str, int]

    def as_dict(self) -> dict[str, Any]:
        """As it is shown to a program."""
        left_out = None if self.left_out is None else str(self.left_out)
        return {"out": str(self.out), "left_out": left_out, "rows": self.rows, "mended": self.mended, "dropped": self.dropped}


def clean(
    source: Source, out: str | Path, columns: Columns = Columns(), *, against: Dataset | None = None, replace: bool = False
) -> Changes:
    """Write a cleaned copy as CSV: the same columns in the same order, and the rows that stay in theirs.

    Mended: encodings gone wrong, HTML escaped twice, control characters, labels spelled in several ways. Left out: rows
    without a text or label, with nothing said, one text with two labels (all of them), exact duplicates and near duplicates
    with the same label (all but the first), and rows that `against` holds. Near duplicates with another label stay.

    Raises:
        OutputExists: the copy or its list of left-out rows is there already; `replace` writes over them.
        InputError: the copy would be the file itself, or has another ending than .csv.
        CannotWrite, StorageFull, EmptyData, ColumnMissing

    """
    path = Path(out)
    beside = path.with_name(path.name.removesuffix(".csv") + LEFT_OUT)
    _check_place(source, path, beside, replace=replace)
    data = dataset(source, columns)
    table, changed = _mend(source, data, columns)
    reasons = _reasons(Source(table, source.lines, source.unit, source.name), columns, against)
    kept = np.array([not reason for reason in reasons], np.bool_)
    with writing(path):
        _write(path, table.filter(pa.array(kept)))
        if not kept.all():
            rows = source.table.filter(pa.array(~kept))
            lines = pa.array(source.lines[~kept])
            listed = pa.array([reason for reason in reasons if reason])
            _write(beside, rows.add_column(0, REASON, listed).add_column(0, LINE, lines))
        elif replace:
            beside.unlink(missing_ok=True)
    dropped = Counter(reason for reason in reasons if reason)
    return Changes(path, None if kept.all() else beside, int(kept.sum()), changed, dict(dropped.most_common()))


def _check_place(source: Source, path: Path, beside: Path, *, replace: bool) -> None:
    if path.suffix.lower() != ".csv":
        raise InputError(f"a cleaned copy is a CSV file, not {path.name}", hint="give a name that ends in .csv")
    if path.exists() and Path(source.name).exists() and path.samefile(source.name):
        raise InputError(f"{path} is the file itself", hint="write the copy under another name")
    for place in (path, beside):
        if place.exists() and not (replace and place.is_file()):
            raise OutputExists(f"{place} is there already", hint="give another name, or --replace to write over it")


def _mend(source: Source, data: Dataset, columns: Columns) -> tuple[pa.Table, dict[str, int]]:
    """The table with its texts and labels mended, and how many rows each mending changed."""
    table, changed = source.table, Counter[str]()
    for name in [column.name for column in data.inputs if column.type == "text"]:
        cells = table.column(name).to_pylist()
        for place, cell in enumerate(cells):
            if not isinstance(cell, str):
                continue
            better = mended(cell)
            changed["encoding or HTML mended"] += better != cell
            plain = CONTROLS.sub("", better)
            changed["control characters taken out"] += plain != better
            cells[place] = plain
        table = table.set_column(table.schema.get_field_index(name), name, pa.array(cells, table.schema.field(name).type))
    if data.task == "classification":
        usual = spellings(data.counts())
        cells = table.column(data.target).to_pylist()
        for place, cell in enumerate(cells):
            if isinstance(cell, str) and cell.strip() in usual:
                changed["label spelled as the most frequent"] += 1
                cells[place] = usual[cell.strip()]
        field = table.schema.field(data.target)
        table = table.set_column(table.schema.get_field_index(data.target), data.target, pa.array(cells, field.type))
    return table, {what: count for what, count in changed.items() if count}


def _reasons(source: Source, columns: Columns, against: Dataset | None) -> list[str]:
    """Why each row is left out; an empty string where it stays."""
    seen = examine(source, dataset(source, columns))
    reasons = np.full(source.table.num_rows, "no text or no label", object)
    reasons[seen.places] = ""
    if not seen.data.has_text:
        return list(reasons)
    own = np.full(len(seen.data), "", object)
    for row, text in enumerate(seen.texts):
        if says_nothing(text):
            own[row] = "nothing said"
    exact, labels = same_rows(seen), label_codes(seen.data)
    own[conflicting(exact, labels)] = "one text with more than one label"
    if against is not None:
        groups = duplicates.near(seen.data.texts())
        shared = duplicates.overlap(seen.data, against)
        held = np.isin(groups, groups[shared.partners])
        own[held & (own == "")] = "in the test"
    left = np.flatnonzero(own == "")
    copies = exact[left]
    own[left[copies != left]] = "exact duplicate"
    left = np.flatnonzero(own == "")
    alike = duplicates.near(seen.data.texts().take(pa.array(left)))
    pairs = alike * (labels.max(initial=0) + 1) + labels[left]  # a near duplicate is one of the same label
    own[left[duplicates.same(pa.array(pairs)) != np.arange(len(left))]] = "near duplicate"
    reasons[seen.places] = own
    return list(reasons)


def _cell(value: Any) -> Any:
    """A value as CSV holds it: lists and truth values as JSON writes them."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict | bool) else value


def _write(path: Path, table: pa.Table) -> None:
    """CSV as every reader takes it, written aside and renamed."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.column_names)
    for row in zip(*(column.to_pylist() for column in table.columns), strict=True):
        writer.writerow(["" if cell is None else _cell(cell) for cell in row])
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        aside.write_text(text.getvalue(), encoding="utf-8")
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
