"""Rows as callers have them (texts, dicts, tables) to checked Arrow columns. A wrong row gets a code, not an exception."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cauce.errors import ColumnMissing, WrongRows, nearest
from cauce.model.manifest import Input
from cauce.text import kernels
from cauce.text.buffers import utf8
from cauce.text.threads import run_sliced

MEANINGS = {
    "empty_text": "the text is empty or only white space",
    "invalid_utf8": "the text is not valid UTF-8",
    "missing_input": "the value is null or the column is not in the row",
    "wrong_type": "the value is not of the column's type",
    "runtime_failed": "the engine failed on this row alone",
}
CODES = ("", *MEANINGS)
FINE, EMPTY, INVALID, MISSING, WRONG_TYPE, FAILED = range(len(CODES))  # the first three are what `kernels.inspect` says

ARROW = {"text": pa.string(), "category": pa.string(), "number": pa.float64(), "boolean": pa.bool_()}
# of numbers and of booleans; a category and a label may be called "none"
MISSING_MARKS = (
    "", "na", "n/a", "#n/a", "nan", "null", "none", "nd", "n/d", "s/d", "-", "?", "unknown", "desconocido",
)  # fmt: skip
BOOLEANS = {
    **dict.fromkeys(("true", "yes", "y", "t", "1", "1.0", "sí", "si", "s", "verdadero"), True),
    **dict.fromkeys(("false", "no", "n", "f", "0", "0.0", "falso"), False),
}
SMALLEST_SLICE = 4096

Codes = npt.NDArray[np.uint8]


def from_any(rows: Any, inputs: tuple[Input, ...]) -> tuple[pa.RecordBatch, Codes]:
    """Any kind of rows as one batch of the declared columns, and a code for each row whose values could not be taken.

    Raises:
        WrongRows: not rows at all, or bare texts for a model with several inputs.
        ColumnMissing: a table without a declared column.

    """
    if isinstance(rows, str):
        rows = [rows]
    if isinstance(rows, pa.Array | pa.ChunkedArray):
        rows = pa.table({inputs[0].name: rows}) if len(inputs) == 1 else rows
    if isinstance(rows, Sequence) and not isinstance(rows, bytes):
        return _from_list(rows, inputs)
    if not isinstance(rows, pa.RecordBatch | pa.Table):
        if not hasattr(rows, "__arrow_c_stream__") and not hasattr(rows, "__arrow_c_array__"):
            raise WrongRows(f"rows of type {type(rows).__name__}", hint="pass a list of texts, a list of dicts, or a table")
        rows = pa.table(rows)
    return select(rows, inputs)


def select(table: pa.RecordBatch | pa.Table, inputs: tuple[Input, ...]) -> tuple[pa.RecordBatch, Codes]:
    """The declared columns of a table, in their order and types, each in one piece, and a code for each row.

    Strings are read as numbers and booleans where the model wants them: a value that is none is that row's own error.

    Raises:
        ColumnMissing: a declared column is not there.
        WrongRows: a column's type does not fit, or there are two of its name.

    """
    columns, codes = [], np.zeros(len(table), np.uint8)
    for wanted in inputs:
        if wanted.name not in table.schema.names:
            raise ColumnMissing(
                f'the rows have no column "{wanted.name}"; they have {", ".join(table.schema.names) or "none"}',
                hint=nearest(wanted.name, table.schema.names) or f"the model reads: {', '.join(i.name for i in inputs)}",
            )
        if table.schema.names.count(wanted.name) > 1:
            raise WrongRows(f'the rows have several columns "{wanted.name}"', hint="leave one")
        column = table.column(wanted.name)
        if isinstance(column, pa.ChunkedArray):
            column = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
        columns.append(_typed(column, wanted, codes))
    return pa.RecordBatch.from_arrays(columns, [wanted.name for wanted in inputs]), codes


def check(batch: pa.RecordBatch, inputs: tuple[Input, ...], max_chars: int) -> tuple[Codes, npt.NDArray[np.bool_]]:
    """A code for each row (0 where all is well), and which rows have a text longer than `max_chars`.

    Of several texts of a row some may be missing or empty; of a row without texts not every value.
    """
    if len(inputs) == 1 and inputs[0].type == "text" and not batch.column(0).null_count:
        codes, chars = inspect(batch.column(0))  # the usual case, in a microsecond
        return codes, chars > max_chars
    nulls = [column.is_null(nan_is_null=True).to_numpy(zero_copy_only=False) for column in batch.columns]
    codes, long = np.zeros(len(batch), np.uint8), np.zeros(len(batch), np.bool_)
    blank = []
    for wanted, column, null in zip(inputs, batch.columns, nulls, strict=True):
        if wanted.type in ("text", "category"):
            status, chars = inspect(column)
            codes[(status == INVALID) & ~null] = INVALID
            if wanted.type == "text":
                long |= chars > max_chars
                blank.append((status == EMPTY) | null)
    texts = [null for wanted, null in zip(inputs, nulls, strict=True) if wanted.type == "text"]
    if blank:
        codes[(codes == FINE) & np.logical_and.reduce(blank)] = EMPTY
    codes[np.logical_and.reduce(texts or nulls)] = MISSING  # a row of none of the columns is another table's
    return codes, long


def inspect(column: pa.Array) -> tuple[Codes, npt.NDArray[np.int32]]:
    """The kernels' status of each text and its number of code points."""
    data, offsets = utf8(column)
    status, chars = np.empty(len(column), np.uint8), np.empty(len(column), np.int32)
    run_sliced(lambda start, end: kernels.inspect(data, offsets, start, end, status, chars), len(column), SMALLEST_SLICE)
    return status, chars


def cut(batch: pa.RecordBatch, inputs: tuple[Input, ...], max_chars: int) -> pa.RecordBatch:
    """The batch with each text cut to `max_chars` code points."""
    columns = [
        pc.utf8_slice_codeunits(column, 0, max_chars) if wanted.type == "text" else column
        for wanted, column in zip(inputs, batch.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, batch.schema.names)


def _from_list(rows: Sequence[Any], inputs: tuple[Input, ...]) -> tuple[pa.RecordBatch, Codes]:
    codes = np.zeros(len(rows), np.uint8)
    dicts = any(not isinstance(row, str) and isinstance(row, Mapping) for row in rows)
    if not dicts and len(inputs) > 1 and rows:
        names = ", ".join(wanted.name for wanted in inputs)
        raise WrongRows("this model reads several columns, bare texts are not enough", hint=f"pass dicts with: {names}")
    if dicts and len(inputs) > 1:
        codes[[row is not None and not isinstance(row, Mapping) for row in rows]] = WRONG_TYPE
        rows = [row if isinstance(row, Mapping) else {} for row in rows]
    columns = []
    for wanted in inputs:
        values = [row.get(wanted.name) if isinstance(row, Mapping) else row for row in rows] if dicts else rows
        try:
            columns.append(pa.array(values, ARROW[wanted.type]))
        except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeError, OverflowError):
            columns.append(_one_by_one(values, wanted, codes))
    return pa.RecordBatch.from_arrays(columns, [wanted.name for wanted in inputs]), codes


def _one_by_one(values: Sequence[Any], wanted: Input, codes: Codes) -> pa.Array:
    """The column with a null, and a code, where a value does not fit."""
    kept = []
    for row, value in enumerate(values):
        try:
            kept.append(pa.scalar(_read(value, wanted), ARROW[wanted.type]))
        except UnicodeError:
            codes[row] = INVALID
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, ValueError, KeyError):
            codes[row] = WRONG_TYPE
        if len(kept) == row:
            kept.append(pa.scalar(None, ARROW[wanted.type]))
    return pa.array([scalar.as_py() for scalar in kept], ARROW[wanted.type])


def _read(value: Any, wanted: Input) -> Any:
    """A single value of another type than the column's, read as that type, as a file of strings is read for training.

    Raises:
        ValueError, KeyError, OverflowError: it is none.

    """
    numeric = isinstance(value, bool | int | float)
    if wanted.type == "text" or (wanted.type == "category" and not numeric):
        return value
    if numeric and value != value:  # NaN
        return None
    if wanted.type == "category":
        return json.dumps(int(value) if isinstance(value, float) and value.is_integer() else value)
    if not numeric and not isinstance(value, str):
        return value
    word = json.dumps(value) if numeric else value.strip().lower()
    if word in MISSING_MARKS:
        return None
    if wanted.type == "boolean":
        return BOOLEANS[word]
    if "_" in word:  # Python's own way to write a thousand
        raise ValueError(word)
    return float(value)


def _decoded(column: pa.Array, codes: Codes) -> list[str | None]:
    """The values of a string column; a null, and a code, where one is not UTF-8."""
    status, _ = inspect(column)
    wrong = (status == INVALID) & column.is_valid().to_numpy(zero_copy_only=False)
    codes[wrong] = INVALID
    values: list[str | None] = pc.if_else(pa.array(wrong), None, column).to_pylist()
    return values


def _zero_or_one(column: pa.Array, codes: Codes) -> pa.Array:
    """Numbers as booleans; a null, and a code, where one is neither 0 nor 1."""
    missing = column.is_null(nan_is_null=True)
    wrong = pc.invert(pc.or_(missing, pc.is_in(column, pa.array([0.0, 1.0]))))
    codes[wrong.to_numpy(zero_copy_only=False)] = WRONG_TYPE
    return pc.if_else(pc.or_(missing, wrong), pa.scalar(None, pa.bool_()), pc.equal(column, 1.0))


def _typed(column: pa.Array, wanted: Input, codes: Codes) -> pa.Array:
    kind = column.type
    strings = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if wanted.type in ("text", "category") and strings:
        return column
    if pa.types.is_dictionary(kind) or pa.types.is_string_view(kind):
        return _typed(column.cast(pa.large_string()), wanted, codes)
    if strings:
        return _one_by_one(_decoded(column, codes), wanted, codes)
    if pa.types.is_floating(kind) and wanted.type == "category":
        return _one_by_one(column.to_pylist(), wanted, codes)
    if wanted.type != "text" or pa.types.is_null(kind):
        with suppress(pa.ArrowInvalid, pa.ArrowNotImplementedError):
            if wanted.type == "boolean" and not pa.types.is_boolean(kind):
                return _zero_or_one(column.cast(pa.float64(), safe=False), codes)
            return column.cast(ARROW[wanted.type], safe=wanted.type != "number")  # a number may lose its last digits
    raise WrongRows(
        f'the column "{wanted.name}" holds {kind}, the model reads {wanted.type}',
        hint=f"turn it into {ARROW[wanted.type]} first",
    )
