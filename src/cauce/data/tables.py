"""A file of examples as a table: every column as it is written, before anything is decided of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cauce.data import arrow_files, delimited, files, json_lines, pair
from cauce.data.encoding import to_utf8
from cauce.errors import EmptyData, UnknownName


@dataclass(frozen=True)
class Source:
    """A file as it was read.

    Attributes:
        table: the columns. CSV, TSV and a pair: strings; JSON lines, Parquet and Arrow: their own types.
        lines: (n,) where each row starts, from 1.
        unit: what `lines` counts.
        name: path or URL, for messages.
        notes: what was found out (encoding, delimiter, archive), in words.

    """

    table: pa.Table
    lines: npt.NDArray[np.int64]
    unit: Literal["line", "row"]
    name: str
    notes: tuple[str, ...] = ()

    def where(self, row: int) -> str:
        """A row (from 0) for a message: the file, and the line that its user sees."""
        return f"{self.name}, {self.unit} {self.lines[row]}"


def read_table(source: str | Path) -> Source:
    """Read every column of a file.

    Args:
        source: a path, a URL that fsspec knows, a zip or gz of one file, or `archive.zip/member`; of a pair, `x_text.txt`
            or `x`.

    Raises:
        FileMissing, EmptyData, UnreadableData, LineTooLong, DataTooLarge, UnknownName
        MissingExtra, Unavailable: of a URL.

    """
    file = files.load(source)
    unit: Literal["line", "row"] = "line"
    if file.name.endswith(files.PAIR):
        table, lines, notes = pair.parse(file)
    elif file.kind in files.TEXT:
        raw, encoding = to_utf8(file.raw, file.name)
        text = raw.decode()
        is_json = file.kind in (".jsonl", ".ndjson")
        table, lines, notes = json_lines.parse(text, file.name) if is_json else delimited.parse(text, file.kind, file.name)
        notes = [*([f"read as {encoding}"] if encoding else []), *notes]
    elif file.kind in files.KINDS:
        unit = "row"
        table, notes = arrow_files.parse(file.raw, file.kind, file.name)
        lines = np.arange(1, len(table) + 1)
    else:
        raise UnknownName(
            f"{Path(file.name).name} is of a kind that is not read",
            hint=f"read are: {', '.join(files.KINDS)}, each also in .zip or .gz, and x_text.txt beside x_labels.txt",
        )
    if not table.num_columns or not len(table):
        raise EmptyData(f"{file.name} has no rows", hint="the first line names the columns, each further line is an example")
    return Source(table, lines, unit, file.name, (*file.notes, *notes))
