"""JSON lines to columns: one object a line, each column of the type that its values have."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cauce.errors import UnreadableData

SCALARS = (str, bool, int, float)


def parse(text: str, name: str) -> tuple[pa.Table, npt.NDArray[np.int64], list[str]]:
    """The columns, the line of each row, and what was left out. A key that an object lacks is null.

    Raises:
        UnreadableData: not an object a line, or a value of another kind than those before it.

    """
    objects: list[dict[str, Any]] = []
    starts: list[int] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line and not line.isspace():
            objects.append(_object(line, f"{name}, line {number}"))
            starts.append(number)
    names = list(dict.fromkeys(key for entry in objects for key in entry))
    columns: dict[str, pa.Array] = {}
    nested = []
    for key in names:
        column = _column(key, [entry.get(key) for entry in objects], starts, name)
        if column is None:
            nested.append(key)
        else:
            columns[key] = column
    notes = [f"not read, it is nested: {', '.join(nested)}"] if nested else []
    return pa.table(columns), np.array(starts, np.int64), notes


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:  # ValueError: also a number of thousands of digits
        place = f" at place {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else ""
        raise UnreadableData(f"not JSON{place}", where=where, hint="one JSON object a line") from None
    if not isinstance(entry, dict):
        kind = type(entry).__name__
        raise UnreadableData(f"not an object but {kind}", where=where, hint='one object a line: {"text": …, "label": …}')
    if "\\u" in line:
        for key, value in entry.items():
            for part in (key, *(value if isinstance(value, list) else (value,))):
                _check_unicode(key, part, where)
    return entry


def _check_unicode(key: str, value: Any, where: str) -> None:
    """Refuse a lone surrogate, which JSON can write and UTF-8 cannot."""
    try:
        str(value).encode()
    except UnicodeEncodeError:
        shown = key.encode("ascii", "backslashreplace").decode()
        hint = r"a lone \ud800 to \udfff escape is not text"
        raise UnreadableData(f'"{shown}" holds half a character', where=where, hint=hint) from None


def _column(key: str, values: list[Any], starts: list[int], name: str) -> pa.Array | None:
    """The values in their common type: text where they are of several; None where all of them are nested."""
    types = set(map(type, values)) - {type(None)}
    if types == {str}:
        return pa.array(values, pa.string())
    if types == {bool}:
        return pa.array(values, pa.bool_())
    kinds = [_kind(value) for value in values]
    found = set(kinds) - {"null"}
    if found & {"list", "nested"}:
        if len(found) > 1:
            first = next(row for row, kind in enumerate(kinds) if kind != "null")
            row = next(row for row, kind in enumerate(kinds) if kind not in ("null", kinds[first]))
            raise UnreadableData(
                f'"{key}" holds {_said(values[row])}, and {_said(values[first])} in line {starts[first]}',
                where=f"{name}, line {starts[row]}",
                hint="one kind of value a key: texts, numbers, true and false, or lists of them",
            )
        if found == {"nested"}:
            return None
        items = pa.list_(pa.string())
        return pa.array([value and [_as_text(item) for item in value] for value in values], items)
    if found == {"int"}:
        return pa.array(values, pa.int64())
    if found and found <= {"int", "float"}:
        return pa.array([None if value is None or math.isnan(value) else float(value) for value in values], pa.float64())
    return pa.array([_as_text(value) for value in values], pa.string())


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, list):
        return "list" if all(item is None or isinstance(item, SCALARS) for item in value) else "nested"
    if isinstance(value, int) and not isinstance(value, bool):
        return "int" if -(2**63) <= value < 2**63 else "large int"
    return "nested" if isinstance(value, dict) else type(value).__name__


def _said(value: Any) -> str:
    return {"list": "a list", "dict": "an object"}.get(type(value).__name__, "a text or number")


def _as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)
