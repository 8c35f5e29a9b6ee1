"""Messages that come as Arrow columns: each is what its row would be as a JSON object."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from cauce.data.json_text import objects
from cauce.model.predictions import names_beside
from cauce.stream.message import ANSWERS, CODES, OWN
from cauce.stream.messages import Messages


def from_columns(rows: pa.RecordBatch, alias: str | None) -> Messages:
    """The messages of rows, whose texts are all UTF-8. Of several things that are wrong the first that `parse` finds counts.

    Args:
        alias: see `messages.text_key`.

    """
    n = len(rows)
    codes, names = np.zeros(n, np.uint8), rows.schema.names
    text = "text" if "text" in names or alias is None else alias
    kept = [
        (name, column)
        for name, column, own in zip(names_beside(names, ANSWERS), rows.columns, names, strict=True)
        if own not in {*OWN, text}
    ]
    others = pa.RecordBatch.from_pydict(dict(kept)) if kept else None
    ids, ops, revs, created = (_column(rows, name) for name in ("id", "op", "rev", "created_at"))
    ids = _kept(ids, types.is_integer, "wrong_id", codes)
    ids = pc.if_else(pc.equal(ids, ""), None, ids)
    ops = _kept(ops, lambda kind: False, "wrong_op", codes)
    deletes = pc.fill_null(pc.equal(ops, "delete"), False)
    _mark(pc.and_not(ops.is_valid(), pc.is_in(ops, pa.array(["upsert", "delete"]))), "wrong_op", codes)
    if not types.is_integer(revs.type):
        _mark(revs.is_valid(), "wrong_rev", codes)
        revs = pa.nulls(n, pa.int64())
    created = _kept(created, _is_time, "wrong_created_at", codes)
    _mark(pc.and_(deletes, ids.is_null()), "delete_without_id", codes)
    return Messages(
        data=None,
        bodies=np.zeros(n, np.int64),
        texts=_kept(_column(rows, text), lambda kind: False, "wrong_type" if alias else "", codes),
        ids=ids,
        created=created,
        others=pa.nulls(n, pa.string()) if others is None else objects(others).cast(pa.string()),
        deletes=deletes.to_numpy(zero_copy_only=False),
        revs=pc.fill_null(revs, 0).cast(pa.int64(), safe=False).to_numpy(zero_copy_only=False),
        codes=codes,
    )


def _column(rows: pa.RecordBatch, name: str) -> pa.Array:
    """A column, without dictionaries; nulls where there is none of this name."""
    if name not in rows.schema.names:
        return pa.nulls(len(rows), pa.string())
    column = rows.column(name)
    return column.cast(column.type.value_type) if types.is_dictionary(column.type) else column


def _kept(column: pa.Array, also: Callable[[pa.DataType], bool], code: str, codes: npt.NDArray[np.uint8]) -> pa.StringArray:
    """The values as text, of a column of texts or of a kind that is taken `also`; else nulls, and a code for what was there."""
    kind = column.type
    if types.is_string(kind) or types.is_large_string(kind) or also(kind):
        return column.cast(pa.string())
    if code:
        _mark(column.is_valid(), code, codes)
    return pa.nulls(len(column), pa.string())


def _is_time(kind: pa.DataType) -> bool:
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_temporal(kind))


def _mark(wrong: pa.BooleanArray, code: str, codes: npt.NDArray[np.uint8]) -> None:
    codes[wrong.to_numpy(zero_copy_only=False) & (codes == 0)] = CODES.index(code)
