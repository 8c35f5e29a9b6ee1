"""Rows in, predictions out: what the JSON of KServe, TorchServe and MLflow have in common."""

from __future__ import annotations

from typing import Any

from cauce.errors import InputError
from cauce.model.manifest import Input
from cauce.model.predictions import Predictions
from cauce.model.rows import CODES
from cauce.online import answers
from cauce.online.plane import Plane, Reply
from cauce.online.protocols.native import RowError
from cauce.online.request import Request
from cauce.online.served import Version
from cauce.online.work import Result

Inputs = tuple[Input, ...]


def from_list(given: Any, inputs: Inputs) -> list[Any]:
    """Rows from a list of objects, of lists with a value for each column, or of bare values where there is one column.

    Raises:
        InputError: it is none of these.

    """
    if not isinstance(given, list):
        raise InputError(f"the rows are no list but {type(given).__name__}", hint='send a list, as ["…", "…"] or [{…}, {…}]')
    return [_row(one, inputs) for one in given]


def from_columns(columns: dict[str, Any], inputs: Inputs) -> list[Any]:
    """Rows from a list for each column. Columns that the model does not read are left out, those that are absent are missing.

    Raises:
        InputError: the lists differ in length, or none is the model's.

    """
    known = {one.name: columns[one.name] for one in inputs if one.name in columns}
    if not known:
        raise InputError(f"none of the model's columns is there: {', '.join(one.name for one in inputs)}", hint="name them so")
    lists = list(known.values())
    if any(not isinstance(values, list) or len(values) != len(lists[0]) for values in lists):
        raise InputError("the columns are not lists of one length", hint="send a value of each column for each row")
    return lists[0] if len(inputs) == 1 else [dict(zip(known, row, strict=True)) for row in zip(*lists, strict=True)]


async def ask(plane: Plane, request: Request, rows: list[Any], chosen: Version, *, truncate: bool = True) -> Reply:
    """The answers to these rows: vectors of a model that gives no labels."""
    return await plane.predict(
        rows,
        chosen,
        kind="vectors" if chosen.model.task == "embedding" else "labels",
        deadline=request.deadline,
        truncate=truncate,
        request_id=request.id,
    )


def predictions(reply: Reply) -> list[Any]:
    """What each row got: an object, or a vector (null, where it has none)."""
    result = reply.result
    found: list[Any] = answers.rows(result) if isinstance(result, Predictions) else result.to_pylist()
    return found


def check(result: Result) -> None:
    """Refuse an answer to one row that has none.

    Raises:
        RowError

    """
    if isinstance(result, Predictions):
        if result.codes[0]:
            raise RowError(CODES[result.codes[0]])
    elif result.null_count:
        raise RowError("empty_text")


def _row(one: Any, inputs: Inputs) -> Any:
    if isinstance(one, list):
        if len(one) != len(inputs):
            names = ", ".join(wanted.name for wanted in inputs)
            raise InputError(f"a row has {len(one)} values, the model reads {len(inputs)} columns", hint=f"send: {names}")
        return dict(zip((wanted.name for wanted in inputs), one, strict=True))
    if isinstance(one, dict) or one is None or len(inputs) == 1:
        return one
    raise InputError(f"a row is a bare {type(one).__name__}", hint=f"send: {', '.join(wanted.name for wanted in inputs)}")
