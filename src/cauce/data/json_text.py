"""Arrow columns as JSON text, without a Python object for each value."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

ESCAPED = (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"))
CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f]"


def objects(rows: pa.RecordBatch) -> pa.LargeStringArray:
    """Each row as a JSON object on one line, (n,); the columns are its keys."""
    pieces: list[Any] = []
    for place, (name, column) in enumerate(zip(rows.schema.names, rows.columns, strict=True)):
        key = json.dumps(name, ensure_ascii=False) + ": "
        pieces += [_scalar(("{" if not place else ", ") + key), as_json(column).cast(pa.large_string())]
    return pc.binary_join_element_wise(*pieces, _scalar("}"), _scalar(""), null_replacement="null", null_handling="replace")


def as_json(column: pa.Array) -> pa.Array:
    """Each value as JSON, string; null where it is null."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return as_json(column.cast(kind.value_type))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _quoted(column)
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        return column.cast(pa.string())
    if pa.types.is_floating(kind):
        finite = pc.is_finite(column)
        return pc.if_else(finite, column, pa.scalar(None, kind)).cast(pa.string())
    if pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind):
        return _list(column)
    if pa.types.is_temporal(kind):
        return _quoted(column.cast(pa.string()))
    values = column.to_pylist()
    return pa.array([None if one is None else json.dumps(one, ensure_ascii=False, default=str) for one in values], pa.string())


def _quoted(column: pa.Array) -> pa.Array:
    if pc.any(pc.match_substring_regex(column, CONTROL)).as_py():
        written = [None if one is None else json.dumps(one, ensure_ascii=False) for one in column.to_pylist()]
        return pa.array(written, pa.large_string())
    if pc.any(pc.match_substring_regex(column, r'[\\"\n\r\t]')).as_py():
        for char, escape in ESCAPED:
            column = pc.replace_substring(column, char, escape)
    mark = pa.scalar('"', column.type)
    return pc.binary_join_element_wise(mark, column, mark, pa.scalar("", column.type))


def _list(column: pa.Array) -> pa.Array:
    """Lists of plain values as JSON."""
    if pa.types.is_nested(column.type.value_type):
        return pa.array([None if v is None else json.dumps(v, ensure_ascii=False, default=str) for v in column.to_pylist()])
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    items = pc.fill_null(as_json(column.flatten()).cast(pa.string()), "null")
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array(ends), items), ", ")
    texts = pc.binary_join_element_wise("[", joined, "]", "")
    return pc.if_else(column.is_valid(), texts, pa.scalar(None, pa.string()))


def _scalar(text: str) -> pa.Scalar:
    return pa.scalar(text, pa.large_string())
