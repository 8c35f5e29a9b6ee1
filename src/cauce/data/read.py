"""Labelled data in: CSV and TSV, JSON lines, and the pair `x_text.txt` beside `x_labels.txt` (and `mapping.txt`).

A file that is not what it says is refused with the first line where it goes wrong: no row is dropped in silence.
"""

from __future__ import annotations

import csv
import json
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa

from cauce.data.columns import guess, wanted
from cauce.data.dataset import Dataset
from cauce.data.lines import lines
from cauce.errors import ColumnMissing, EmptyData, FileMissing, LineTooLong, UnknownName, UnreadableData, nearest
from cauce.settings import settings

TABLES = {".csv": None, ".tsv": "\t"}
JSON_LINES = (".jsonl", ".ndjson")


def read(source: str | Path, *, text: str | None = None, label: str | None = None) -> Dataset:
    """Read labeled examples. Columns are guessed where they are not named, and the guess is in `notes`.

    Raises:
        FileMissing, EmptyData, ColumnMissing, UnreadableData, LineTooLong, UnknownName

    """
    path = _existing(Path(source))
    kind = path.suffix.lower()
    if path.name.endswith("_text.txt"):
        return _pair(path)
    if kind in TABLES:
        columns = _table(path, TABLES[kind])
    elif kind in JSON_LINES:
        columns = _json_lines(path)
    else:
        raise UnknownName(
            f"{path.name} is of a kind that is not read",
            hint="read are: .csv, .tsv, .jsonl, and x_text.txt beside x_labels.txt",
        )
    names = list(columns)
    if not names or not columns[names[0]]:
        raise EmptyData(f"{path} has no rows", hint="the first line names the columns, each further line is an example")
    text_column, text_note = wanted(text, names, str(path)) or guess("text", columns, taken=label, source=str(path))
    label_column, label_note = wanted(label, names, str(path)) or guess("label", columns, taken=text_column, source=str(path))
    if text_column == label_column:
        raise ColumnMissing(
            f'"{text_column}" is named as the text and as the label',
            where=str(path),
            hint=f"the columns are: {', '.join(names)}",
        )
    others = [name for name in names if name not in (text_column, label_column)]
    notes = [note for note in (text_note, label_note) if note]
    if others:
        notes.append(f"not used: {', '.join(others)}")
    return _dataset(path, text_column, columns[text_column], columns[label_column], notes)


def _existing(path: Path) -> Path:
    """The path, or the text file of a pair that was named by its beginning."""
    with suppress(OSError):  # a name that is too long is a missing file
        if path.is_file():
            return path
        pair = path.with_name(path.name + "_text.txt")
        if pair.is_file():
            return pair
        if path.is_dir():
            raise FileMissing(f"{path} is a folder, not a file", hint="name the file of examples")
    beside = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    raise FileMissing(f"there is no file {path}", hint=nearest(path.name, beside) or "check the path")


def _dataset(path: Path, name: str, texts: list[Any], labels: list[Any], notes: list[str]) -> Dataset:
    """Rows with a label and a text; how many were left out is said."""
    stripped = [label and label.strip() for label in labels]
    if stripped != labels:
        notes.append("white space around labels was left out")
    labels = stripped
    kept = [i for i in range(len(texts)) if texts[i] is not None and texts[i].strip() and labels[i]]
    without_label = sum(1 for label in labels if not label)
    without_text = len(texts) - len(kept) - without_label
    for count, what in ((without_label, "label"), (without_text, "text")):
        if count:
            notes.append(f"left out: {count} row(s) without a {what}")
    if not kept:
        raise EmptyData(f"{path} has no row with both a text and a label", hint="are these the right file and columns?")
    rows = pa.RecordBatch.from_arrays([pa.array([texts[i] for i in kept], pa.string())], [name])
    return Dataset(rows, pa.array([labels[i] for i in kept], pa.string()), str(path), tuple(notes))


def _table(path: Path, delimiter: str | None) -> dict[str, list[str]]:
    """The columns of a CSV or TSV file. Blank lines are passed over."""
    limit = settings().max_line_bytes
    csv.field_size_limit(limit)
    source = lines(path)
    skipped, first = next(((number, line) for number, line in enumerate(source) if line.strip()), (0, ""))
    delimiter = delimiter or max(",;\t|", key=first.count)  # of a tie, the comma
    raw = delimiter == "\t"  # a tab file holds raw text: quotes in it mean nothing
    rows = csv.reader(
        chain([first], source), delimiter=delimiter, strict=not raw, quoting=csv.QUOTE_NONE if raw else csv.QUOTE_MINIMAL
    )
    line = skipped + 1  # where the row starts: one that holds line breaks ends further down
    columns: list[list[str]] = []
    header: list[str] = []
    try:
        header = next(rows, [])
        columns = [[] for _ in header]
        line = skipped + rows.line_num + 1
        for row in rows:
            if row and len(row) != len(header):
                raise UnreadableData(
                    f"a row has {len(row)} cells, the header has {len(header)}",
                    where=f"{path}, line {line}",
                    hint='put the text between double quotes if it holds the delimiter, and double each " inside it',
                )
            for column, cell in zip(columns, row, strict=False):  # a blank line has no cell
                column.append(cell)
            line = skipped + rows.line_num + 1
    except csv.Error as error:
        where = f"{path}, line {line}"
        if "field limit" in str(error):
            hint = "a quote that is not closed? or raise CAUCE_MAX_LINE_BYTES"
            raise LineTooLong(f"a cell is over {limit} bytes", where=where, hint=hint) from None
        if "new-line character" in str(error):
            hint = "end lines with a line feed, as every editor can, or put the text between quotes"
            raise UnreadableData("a carriage return stands alone", where=where, hint=hint) from None
        raise UnreadableData(f"not CSV: {error}", where=where, hint='a quote that is not closed or not doubled ("")') from None
    if len(set(header)) != len(header):
        raise UnreadableData("two columns have the same name", where=f"{path}, line {skipped + 1}", hint="rename one of them")
    return dict(zip(header, columns, strict=True))


def _json_lines(path: Path) -> dict[str, list[Any]]:
    """The columns of JSON objects, one a line; a key that an object lacks is null."""
    objects: list[dict[str, Any]] = []
    for number, line in enumerate(lines(path), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            entry = json.loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            place = f" at place {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else ""
            raise UnreadableData(f"not JSON{place}", where=where, hint="one JSON object a line") from None
        if not isinstance(entry, dict):
            raise UnreadableData(
                f"not an object but {type(entry).__name__}",
                where=where,
                hint='one object a line: {"text": …, "label": …}',
            )
        for name, value in entry.items():
            if isinstance(value, list | dict):
                kind = type(value).__name__
                raise UnreadableData(f'"{name}" holds a {kind}', where=where, hint="values are texts, numbers, true or false")
            if isinstance(value, str) and not _is_unicode(value):
                raise UnreadableData(
                    f'"{name}" holds half a character', where=where, hint=r"a lone \ud800 to \udfff escape is not text"
                )
        objects.append(entry)
    names = list(dict.fromkeys(name for entry in objects for name in entry))
    return {name: [_as_text(entry.get(name)) for entry in objects] for name in names}


def _is_unicode(text: str) -> bool:
    """False for a text with a lone surrogate, which JSON can write and UTF-8 cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _pair(path: Path) -> Dataset:
    """`x_text.txt`, `x_labels.txt`: a line each; `mapping.txt` beside them gives the labels' names."""
    labels_path = path.with_name(path.name.removesuffix("_text.txt") + "_labels.txt")
    if not labels_path.is_file():
        raise FileMissing(
            f"there is no {labels_path.name} beside {path.name}",
            where=str(path),
            hint="a label a line, in the order of the texts",
        )
    texts = [line.rstrip("\r\n") for line in lines(path)]
    labels = [line.strip() for line in lines(labels_path)]
    if len(texts) != len(labels):
        raise UnreadableData(
            f"{path.name} has {len(texts)} lines, {labels_path.name} has {len(labels)}",
            where=str(path.parent),
            hint="a label for each text",
        )
    notes = []
    mapping_path = path.with_name("mapping.txt")
    if mapping_path.is_file():
        mapping = _mapping(mapping_path)
        for number, label in enumerate(labels, start=1):
            if label and label not in mapping:
                raise UnreadableData(
                    f'"{label}" is not in mapping.txt',
                    where=f"{labels_path}, line {number}",
                    hint=f"it has: {', '.join(mapping)}",
                )
        labels = [mapping.get(label, "") for label in labels]
        notes.append(f"labels named by {mapping_path.name}")
    return _dataset(path, "text", texts, labels, notes)


def _mapping(path: Path) -> dict[str, str]:
    """Number and name of each label, a tab between them."""
    pairs = [line.strip().split("\t") for line in lines(path) if line.strip()]
    if any(len(pair) != 2 for pair in pairs):
        raise UnreadableData("a line is not a number, a tab and a name", where=str(path), hint="for example: 0<tab>negative")
    return dict(pairs)
