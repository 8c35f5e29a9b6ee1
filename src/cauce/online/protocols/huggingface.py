"""The Hugging Face Inference API: `POST /` and `POST /models/{name}`, as `InferenceClient(model="http://…")` asks.

The model's task decides: one that gives vectors answers as feature-extraction does, every other as text-classification. A list
of inputs is a batch, and each text's answer is a list of its own, also that of a single text: clients rely on it. A row that
cannot be answered fails its request, because the reply has no place for its error.

`function_to_apply` is explained in `cauce.online.functions`. A token (`Authorization`) is not read.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson

from cauce.errors import CauceError, InputError
from cauce.online import answers, functions
from cauce.online.plane import Plane
from cauce.online.protocols import inputs
from cauce.online.request import Request, Response
from cauce.online.routes import Route, model_headers, retry_headers
from cauce.online.served import Version

OF_VECTORS = {"normalize", "prompt_name", "dimensions", "encoding_format"}  # only feature-extraction sends these
OTHER_TASKS = {"text_pair": "pairs of texts", "source_sentence": "sentence similarity"}  # by a key of their inputs


def routes(plane: Plane) -> list[Route]:
    """The addresses of this protocol."""

    async def answer(request: Request, name: str | None = None) -> Response:
        body = inputs.read(request)
        options = _parameters(body) | body  # text-classification sends its options there, feature-extraction here
        chosen = plane.find(name, sticky=request.sticky)
        given = body["inputs"] if isinstance(body["inputs"], list) else [body["inputs"]]
        columns = [one.name for one in chosen.model.manifest.inputs]
        rows = [_row(one, columns) for one in given]
        if len(columns) == 1:
            rows = inputs.texts(rows)
        if chosen.model.task == "embedding" or OF_VECTORS & options.keys():
            return _traced(request, await inputs.embed(plane, request, chosen, rows, options, normalize=False))
        return _traced(request, await _classify(plane, request, chosen, rows, options))

    return [Route("POST", "/", answer, refused), Route("POST", "/models/{name}", answer, refused)]


def refused(error: CauceError, request_id: str) -> Response:
    """An error as the clients of Hugging Face show it; `error_type` is its stable code."""
    body = orjson.dumps({"error": inputs.told(error), "error_type": error.code})
    return Response(body, error.http_status, headers=(*retry_headers(error), ("x-amzn-trace-id", request_id)))


async def _classify(plane: Plane, request: Request, chosen: Version, rows: list[Any], options: dict[str, Any]) -> Response:
    inputs.cut_at_end(options)
    top_k = options.get("top_k")
    if top_k is not None and (type(top_k) is not int or top_k < 1):
        raise InputError(f"top_k is {top_k!r}", hint="ask for 1 score or more")
    reply = await plane.predict(
        rows,
        chosen,
        deadline=request.deadline,
        truncate=inputs.flag(options, "truncate", inputs.flag(options, "truncation", True)),
        request_id=request.id,
    )
    found = functions.apply(inputs.whole(reply.result), options.get("function_to_apply"))
    return Response(orjson.dumps(answers.pairs(found, top_k)), headers=model_headers(reply))


def _parameters(body: dict[str, Any]) -> dict[str, Any]:
    parameters = body.get("parameters")
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise InputError("parameters is not an object", hint='send {"inputs": "…", "parameters": {"top_k": 1}}')
    if "candidate_labels" in parameters:
        raise InputError("zero-shot classification is not served here", hint="a model gives the labels it was trained on")
    return parameters


def _row(value: Any, columns: list[str]) -> Any:
    """What stands for a row: the value itself, or the text of an object that has nothing else."""
    if not isinstance(value, dict):
        return value
    for key, task in OTHER_TASKS.items():
        if key in value:
            raise InputError(f"{task} are not served here", hint=f"{inputs.SEND}, or a list of texts")
    if len(columns) > 1:
        return value
    if len(value) != 1 or not value.keys() & {"text", columns[0]}:
        raise InputError(f"inputs has the keys {', '.join(value) or 'of none'}", hint=f"{inputs.SEND}, or a list of texts")
    return next(iter(value.values()))


def _traced(request: Request, response: Response) -> Response:
    """The response with the request's id, where these clients look for it."""
    return replace(response, headers=(*response.headers, ("x-amzn-trace-id", request.id)))
