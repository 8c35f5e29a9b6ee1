"""TorchServe's inference address: a text, or JSON, to the probability of each label.

`curl http://…/predictions/mood -T review.txt` and `-d 'data=…'` work as they do there.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import orjson

from cauce.errors import CauceError, WrongBody
from cauce.model.manifest import Input
from cauce.online.plane import Plane
from cauce.online.protocols import instances
from cauce.online.request import JSON, Request, Response
from cauce.online.routes import Handler, Route, model_headers, read_json, retry_headers, sentence

FORM = "application/x-www-form-urlencoded"


def routes(plane: Plane) -> list[Route]:
    """The addresses of this protocol."""

    async def predict(request: Request, name: str, version: str | None = None) -> Response:
        given, chosen = _given(request), plane.find(name, version, request.sticky)
        inputs = chosen.model.manifest.inputs
        several = isinstance(given, dict) and "instances" in given
        rows = instances.from_list(given["instances"] if several else [_one(given, inputs)], inputs)
        reply = await instances.ask(plane, request, rows, chosen)
        found = instances.predictions(reply)
        if several:
            return Response(orjson.dumps({"predictions": found}), headers=model_headers(reply))
        instances.check(reply.result)
        told = found[0]
        if reply.model.task == "regression":
            told = told["score"]
        elif reply.model.task != "embedding":
            told = told["scores"]
        return Response(orjson.dumps(told), headers=model_headers(reply))

    return [
        Route("POST", "/predictions/{name}", predict, refusal),
        Route("POST", "/predictions/{name}/{version}", predict, refusal),
        Route("GET", "/ping", health(plane), refusal),
    ]


def health(plane: Plane) -> Handler:
    """What a load balancer asks, here and of MLflow's server and SageMaker's: whether requests should be sent."""

    async def ping(request: Request) -> Response:
        problem = plane.live or plane.ready
        return Response(orjson.dumps({"status": "Unhealthy" if problem else "Healthy"}), 503 if problem else 200)

    return ping


def refusal(error: CauceError, request_id: str) -> Response:
    """An error as TorchServe's clients read it."""
    told = {"code": error.http_status, "type": error.code, "message": sentence(error)}
    return Response(orjson.dumps(told), error.http_status, headers=retry_headers(error))


def _given(request: Request) -> Any:
    """What was sent: JSON where it says so, else a text."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == JSON:
        return read_json(request)
    try:
        text = request.body.decode()
    except UnicodeDecodeError:
        raise WrongBody("the text is not UTF-8", hint="send UTF-8") from None
    fields = parse_qs(text) if kind == FORM else {}
    return fields["data"][0] if "data" in fields else text


def _one(given: Any, inputs: tuple[Input, ...]) -> Any:
    """The only row: bare, as an object of columns, or below `data` or `body`."""
    names = {one.name for one in inputs}
    if isinstance(given, dict) and len(given) == 1 and not names & given.keys():
        return given.get("data", given.get("body", given))
    return given
