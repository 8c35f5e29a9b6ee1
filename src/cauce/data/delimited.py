"""CSV and TSV to columns of strings: the delimiter and the meaning of quotes are found out. No row is dropped in silence."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from itertools import islice
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cauce.errors import LineTooLong, UnreadableData
from cauce.settings import settings

DELIMITERS = ",;\t|"  # of a tie, the first
NAMED = {";": "semicolons", "\t": "tabs", "|": "bars"}
QUOTED = re.compile('"[^"]*"')
EXCEL = re.compile(r"sep=(.)\r?\n")  # a line that Excel writes before the header
ROWS = 50_000  # at a time: strings of Python are large

Lines = npt.NDArray[np.int64]


def parse(text: str, kind: str, name: str) -> tuple[pa.Table, Lines, list[str]]:
    """The columns of a file of this kind (.csv or .tsv), the line where each row starts, and what was found out.

    Blank lines are passed over.

    Raises:
        UnreadableData: a ragged row, a wrong quote, two columns of one name.
        LineTooLong: a cell over the setting `max_line_bytes`.

    """
    limit = csv.field_size_limit(settings().max_line_bytes)
    try:
        delimiter, quoted, before, notes = shape(text, kind)
        text = text.split("\n", before)[-1]
        table, lines = _table(text, delimiter, quoted=quoted, before=before, name=name)
        return table, lines, notes
    finally:
        csv.field_size_limit(limit)  # the process has one, for everybody


def shape(text: str, kind: str) -> tuple[str, bool, int, list[str]]:
    """The delimiter, whether quotes around cells are CSV's, how many lines stand before the header, and what was found out."""
    before, delimiter = 0, ""
    if excel := EXCEL.match(text):
        before, delimiter = 1, excel[1]
        text = text[excel.end() :]
    blank = re.match(r"(?:[ \t\r]*\n)*", text)
    if blank and blank.end():
        before += blank[0].count("\n")
        text = text[blank.end() :]
    first = text.partition("\n")[0]
    delimiter = delimiter or ("\t" if kind == ".tsv" and "\t" in first else _delimiter(first))
    notes = [f"read with {NAMED[delimiter]} between the cells"] if delimiter in NAMED and kind == ".csv" else []
    if delimiter != "\t" or '"' not in text:
        return delimiter, delimiter != "\t", before, notes
    quoted = _is_quoted(text)
    notes += ["read with quotes around cells, as a spreadsheet writes them"] if quoted else []
    return delimiter, quoted, before, notes


def header(text: str, delimiter: str, name: str, before: int, *, quoted: bool) -> tuple[list[str], int]:
    """The names of the columns, and how many lines they take.

    Raises:
        UnreadableData: a wrong quote, two columns of one name.

    """
    rows = _reader(text, delimiter, quoted=quoted)
    try:
        names: list[str] = next(rows, [])
    except csv.Error as error:
        raise _refusal(error, f"{name}, line {before + 1}") from None
    _check_names(names, f"{name}, line {before + 1}")
    return names, rows.line_num


def _reader(text: str, delimiter: str, *, quoted: bool) -> Any:
    return csv.reader(
        io.StringIO(text, newline="\n"),
        delimiter=delimiter,
        strict=quoted,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
    )


def _check_names(names: list[str], where: str) -> None:
    if len(set(names)) != len(names):
        raise UnreadableData("two columns have the same name", where=where, hint="rename one of them")


def _delimiter(first: str) -> str:
    outside = QUOTED.sub("", first)
    return max(DELIMITERS, key=outside.count)


def _is_quoted(text: str) -> bool:
    """Whether quotes in a tab file are CSV's: in most they are part of the text.

    They are where the file cannot be read without, or where a CSV writer would have written the very same.
    """
    lines = [line for line in text.split("\n") if line.strip("\r")]
    ragged = len({line.count("\t") for line in lines}) > 1
    reader = csv.reader(io.StringIO(text, newline="\n"), delimiter="\t", strict=True)
    try:
        rows = [row for row in reader if row]
    except csv.Error:
        return False
    if ragged or len(rows) != len(lines):
        return ragged and len({len(row) for row in rows}) == 1
    plain = "\n".join(line.removesuffix("\r") for line in lines) + "\n"
    return any(_written(rows, quoting) == plain for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL))


def _written(rows: list[list[str]], quoting: Literal[0, 1]) -> str:
    out = io.StringIO()
    csv.writer(out, delimiter="\t", lineterminator="\n", quoting=quoting).writerows(rows)
    return out.getvalue()


def _table(text: str, delimiter: str, *, quoted: bool, before: int, name: str) -> tuple[pa.Table, Lines]:
    rows = _reader(text, delimiter, quoted=quoted)
    line = before + 1  # where the next row starts
    batches: list[pa.RecordBatch] = []
    starts: list[Lines] = []
    names: list[str] = []
    block: list[list[str]] = []
    try:
        names = next(rows, [])
        _check_names(names, f"{name}, line {line}")
        line = before + rows.line_num + 1
        while True:
            block = []
            block.extend(islice(rows, ROWS))  # what was read before an error stays in it
            if not block:
                break
            at, line = _starts(block, line, before + rows.line_num + 1)
            batches.append(_batch(block, at, names, name))
            starts.append(at[[bool(row) for row in block]] if [] in block else at)
    except csv.Error as error:
        at, line = _starts(block, line, None)
        _batch(block, at, names, name)  # a ragged row before it is told first
        raise _refusal(error, f"{name}, line {line}") from None
    batches = batches or [_batch([], np.array([], np.int64), names, name)]
    return pa.Table.from_batches(batches), np.concatenate([np.array([], np.int64), *starts])


def _starts(rows: list[list[str]], first: int, after: int | None) -> tuple[Lines, int]:
    """The line where each row starts, and the line after the last: a row has a line, and one more for each line feed in it."""
    if after == first + len(rows):
        return np.arange(first, after), after
    ends = first + np.cumsum([1 + sum(cell.count("\n") for cell in row) for row in rows], dtype=np.int64)
    return np.concatenate([[first], ends[:-1]]) if rows else ends, int(ends[-1]) if rows else first


def _batch(rows: list[list[str]], starts: Lines, header: list[str], name: str) -> pa.RecordBatch:
    """The columns of rows; a blank line, which has no cell, is no row."""
    if set(map(len, rows)) - {0, len(header)}:
        at, row = next((at, row) for at, row in enumerate(rows) if row and len(row) != len(header))
        raise UnreadableData(
            f"a row has {len(row)} cells, the header has {len(header)}",
            where=f"{name}, line {starts[at]}",
            hint='put the text between double quotes if it holds the delimiter, and double each " inside it',
        )
    columns: Iterable[tuple[str, ...]] = zip(*(row for row in rows if row), strict=True) if any(rows) else [()] * len(header)
    return pa.RecordBatch.from_arrays([pa.array(column, pa.string()) for column in columns], header)


def _refusal(error: csv.Error, where: str) -> LineTooLong | UnreadableData:
    if "field limit" in str(error):
        hint = "a quote that is not closed? or raise CAUCE_MAX_LINE_BYTES"
        return LineTooLong(f"a cell is over {settings().max_line_bytes} bytes", where=where, hint=hint)
    if "new-line character" in str(error):
        hint = "end lines with a line feed, as every editor can, or put the text between quotes"
        return UnreadableData("a carriage return stands alone", where=where, hint=hint)
    return UnreadableData(f"not CSV: {error}", where=where, hint='a quote that is not closed or not doubled ("")')
