"""Labelled data in: CSV and TSV, JSON lines, and the pair `x_text.txt` beside `x_labels.txt` (and `mapping.txt`).

A file that is not what it says is refused with the first line where it goes wrong: no row is dropped in silence.
"""

from __future__ import annotations

import csv
import json
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cauce.data.lines import lines
from cauce.errors import EmptyData, FileMissing, LineTooLong, UnknownName, UnreadableData, nearest
from cauce.settings import settings

TABLES = {".csv": None, ".tsv": "\t"}
JSON_LINES = (".jsonl", ".ndjson")


@dataclass(frozen=True)
class Source:
    """A file as it was read, before anything is decided: every column, raw.

    Attributes:
        table: the columns. CSV, TSV and a pair: strings; JSON lines, Parquet and Arrow: their own types.
        lines: (n,) where each row starts, from 1.
        unit: what `lines` counts.
        name: path or URL, for messages.
        notes: what was found out, in words.

    """

    table: pa.Table
    lines: npt.NDArray[np.int64]
    unit: Literal["line", "row"]
    name: str
    notes: tuple[str, ...] = ()


def read_table(source: str | Path) -> Source:
    """Read every column of a file.

    Raises:
        FileMissing, EmptyData, UnreadableData, LineTooLong, UnknownName

    """
    path = _existing(Path(source))
    kind = path.suffix.lower()
    notes: tuple[str, ...] = ()
    if path.name.endswith("_text.txt"):
        columns, lines, notes = _pair(path)
    elif kind in TABLES:
        columns, lines = _table(path, TABLES[kind])
    elif kind in JSON_LINES:
        columns, lines = _json_lines(path)
    else:
        raise UnknownName(
            f"{path.name} is of a kind that is not read",
            hint="read are: .csv, .tsv, .jsonl, and x_text.txt beside x_labels.txt",
        )
    if not columns or not lines:
        raise EmptyData(f"{path} has no rows", hint="the first line names the columns, each further line is an example")
    table = pa.table({name: pa.array(column, pa.string()) for name, column in columns.items()})
    return Source(table, np.array(lines, np.int64), "line", str(path), notes)


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


def _table(path: Path, delimiter: str | None) -> tuple[dict[str, list[str]], list[int]]:
    """The columns of a CSV or TSV file, and the line of each row. Blank lines are passed over."""
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
    starts: list[int] = []
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
            if row:
                starts.append(line)
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
    return dict(zip(header, columns, strict=True)), starts


def _json_lines(path: Path) -> tuple[dict[str, list[Any]], list[int]]:
    """The columns of JSON objects, one a line, and the line of each; a key that an object lacks is null."""
    objects: list[dict[str, Any]] = []
    starts: list[int] = []
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
        starts.append(number)
    names = list(dict.fromkeys(name for entry in objects for name in entry))
    return {name: [_as_text(entry.get(name)) for entry in objects] for name in names}, starts


def _is_unicode(text: str) -> bool:
    """False for a text with a lone surrogate, which JSON can write and UTF-8 cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _pair(path: Path) -> tuple[dict[str, list[str]], list[int], tuple[str, ...]]:
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
    notes: tuple[str, ...] = ()
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
        notes = (f"labels named by {mapping_path.name}",)
    return {"text": texts, "label": labels}, list(range(1, len(texts) + 1)), notes


def _mapping(path: Path) -> dict[str, str]:
    """Number and name of each label, a tab between them."""
    pairs = [line.strip().split("\t") for line in lines(path) if line.strip()]
    if any(len(pair) != 2 for pair in pairs):
        raise UnreadableData("a line is not a number, a tab and a name", where=str(path), hint="for example: 0<tab>negative")
    return dict(pairs)
