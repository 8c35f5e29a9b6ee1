"""MLflow's scoring server: `POST /invocations` with rows in any of its four shapes.

The predictions are the columns that `mlflow models serve` gives for the same folder.
"""

from __future__ import annotations

from importlib.metadata import version as installed
from typing import Any

import orjson

from cauce.errors import CauceError, InputError, WrongBody, WrongMediaType
from cauce.model.manifest import Input
from cauce.model.predictions import Predictions
from cauce.online.plane import Plane
from cauce.online.protocols import instances
from cauce.online.request import JSON, Request, Response
from cauce.online.routes import Route, model_headers, read_json, retry_headers, sentence

SHAPES = ("inputs", "instances", "dataframe_records", "dataframe_split")
CODES = {
    400: "BAD_REQUEST",
    404: "RESOURCE_DOES_NOT_EXIST",
    429: "REQUEST_LIMIT_EXCEEDED",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def routes(plane: Plane) -> list[Route]:
    """The addresses of this protocol; `GET /ping` is TorchServe's too."""

    async def invocations(request: Request) -> Response:
        kind = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
        if kind != JSON:
            raise WrongMediaType(f"the body is {kind[:40]}", hint=f"send {JSON}")
        body = read_json(request)
        chosen = plane.find(None, sticky=request.sticky)
        rows = _rows(body, chosen.model.manifest.inputs)
        options = body.get("params") or {}
        whole = isinstance(options, dict) and options.get("truncate") is False
        reply = await instances.ask(plane, request, rows, chosen, truncate=not whole)
        result = reply.result.to_arrow() if isinstance(reply.result, Predictions) else reply.result
        return Response(orjson.dumps({"predictions": result.to_pylist()}), headers=model_headers(reply))

    async def version(request: Request) -> Response:
        return Response(installed("cauce").encode())

    return [
        Route("POST", "/invocations", invocations, refusal),
        Route("GET", "/version", version, refusal),
    ]


def refusal(error: CauceError, request_id: str) -> Response:
    """An error as MLflow's clients read it."""
    other = "INTERNAL_ERROR" if error.http_status >= 500 else "INVALID_PARAMETER_VALUE"
    told = {"error_code": CODES.get(error.http_status, other), "message": f"{error.code}: {sentence(error)}"}
    return Response(orjson.dumps(told), error.http_status, headers=retry_headers(error))


def _rows(body: Any, inputs: tuple[Input, ...]) -> list[Any]:
    """The rows, in whichever of the four shapes they come."""
    found = [shape for shape in SHAPES if shape in body] if isinstance(body, dict) else []
    if len(found) != 1:
        raise WrongBody("the body is no object with rows in one shape", hint=f"send exactly one of {', '.join(SHAPES)}")
    given = body[found[0]]
    if found[0] == "dataframe_split":
        return _split(given, inputs)
    if isinstance(given, dict):
        return instances.from_columns(given, inputs)
    return instances.from_list([given] if isinstance(given, str) else given, inputs)


def _split(given: Any, inputs: tuple[Input, ...]) -> list[Any]:
    """Rows of a frame: the names of its columns, and its values by row."""
    names, data = (given.get("columns"), given.get("data")) if isinstance(given, dict) else (None, None)
    if not isinstance(names, list) or not isinstance(data, list):
        raise InputError("dataframe_split has no columns and data", hint='send {"columns": ["text"], "data": [["…"], ["…"]]}')
    if any(not isinstance(row, list) or len(row) != len(names) for row in data):
        raise InputError("a row has not one value a column", hint=f"the columns are: {', '.join(map(str, names))}")
    return instances.from_columns({str(name): [row[place] for row in data] for place, name in enumerate(names)}, inputs)
