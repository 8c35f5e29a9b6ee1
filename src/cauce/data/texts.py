"""Texts without labels: a file of a text a line, or the text column of any file of examples."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from cauce.data.columns import text_and_label
from cauce.data.encoding import to_utf8
from cauce.data.files import load
from cauce.data.tables import read_table
from cauce.data.values import strings
from cauce.errors import EmptyData

LINES = (".txt", ".txt.gz")


def texts(source: str | Path, column: str | None = None) -> pa.Array:
    """The texts of a file that are not empty, (n,) string.

    Args:
        source: `.txt` (a text a line), or what `read_table` reads.
        column: of the text, guessed where it is not named.

    Raises:
        EmptyData: there is none.
        InputError: of the file, see `read_table`; of the column, see `text_and_label`.

    """
    if str(source).lower().endswith(LINES):
        file = load(source)
        lines = to_utf8(file.raw, file.name)[0].decode().split("\n")
        found = pa.array([line.strip() for line in lines if line.strip()], pa.string())
    else:
        table = read_table(source)
        found = strings(table, text_and_label(table, column, None)[0]).values.drop_null()
    if not len(found):
        raise EmptyData(f"{source} has no texts", hint="a text a line (.txt), or a column of texts")
    return found
