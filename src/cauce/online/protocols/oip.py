"""The Open Inference Protocol, version 2, over HTTP: what Triton, KServe and their clients speak.

With the extensions for binary tensors, classification, statistics, and the model's configuration. An error is
`{"error": "<code>: <what happened>"}` everywhere below /v2.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections import defaultdict
from dataclasses import replace
from importlib.metadata import version as installed
from typing import Any

import orjson

from cauce.errors import CauceError, InputError, NotReady, UnknownName, nearest
from cauce.model.model import Model
from cauce.online.plane import Plane, Reply
from cauce.online.protocols import instances, signature, tensors
from cauce.online.protocols.stats import Stats
from cauce.online.request import Request, Response
from cauce.online.routes import Route, model_headers, retry_headers, sentence
from cauce.online.served import Served

EXTENSIONS = ["binary_tensor_data", "classification", "model_configuration", "model_repository", "statistics"]
LENGTH = "inference-header-content-length"
BINARY = "application/octet-stream"
WORTH_PACKING = 16_384  # bytes of a reply, from which on packing it is worth the time


def routes(plane: Plane) -> list[Route]:
    """The addresses of this protocol."""
    counts: dict[tuple[str, str], Stats] = defaultdict(Stats)

    async def server(request: Request) -> Response:
        return _json({"name": "cauce", "version": installed("cauce"), "extensions": EXTENSIONS})

    async def live(request: Request) -> Response:
        return _state("live", plane.live)

    async def ready(request: Request) -> Response:
        return _state("ready", plane.ready)

    async def model_ready(request: Request, name: str, version: str | None = None) -> Response:
        plane.find(name, version)
        return _state("ready", _problem(plane, _served(plane, name)), name=name)

    async def metadata(request: Request, name: str, version: str | None = None) -> Response:
        model, served = plane.find(name, version).model, _served(plane, name)
        return _json(
            {
                "name": served.name,
                "versions": [one.model.version for one in served.versions],
                "platform": f"cauce_{model.manifest.runtime}",
                "inputs": [one.as_dict() for one in signature.inputs(model)],
                "outputs": [one.as_dict() for one in signature.outputs(model)],
            }
        )

    async def config(request: Request, name: str, version: str | None = None) -> Response:
        model = plane.find(name, version).model
        return _json(
            {
                "name": _served(plane, name).name,
                "platform": f"cauce_{model.manifest.runtime}",
                "backend": "cauce",
                "max_batch_size": 0,  # the shapes have their rows in them
                "input": [one.as_config() for one in signature.inputs(model)],
                "output": [one.as_config() for one in signature.outputs(model)],
                "parameters": {"labels": {"string_value": orjson.dumps(model.labels).decode()}},
            }
        )

    async def stats(request: Request, name: str | None = None, version: str | None = None) -> Response:
        asked = [_served(plane, name)] if name else list(plane.served.values())
        known = [(one.name, each.model.version) for one in asked for each in one.versions]
        if name and version:
            known = [(asked[0].name, plane.find(name, version).model.version)]
        return _json({"model_stats": [counts[one].as_dict(*one) for one in known]})

    async def index(request: Request) -> Response:
        found = []
        for one in plane.served.values():
            problem = _problem(plane, one)
            state = {"state": "UNAVAILABLE" if problem else "READY", "reason": problem}
            found += [{"name": one.name, "version": each.model.version, **state} for each in one.versions]
        return _json(found)

    async def fixed(request: Request, name: str) -> Response:
        raise InputError("models are named when the server starts", hint="cauce serve NAME=MODEL; cauce models promote")

    async def infer(request: Request, name: str, version: str | None = None) -> Response:
        chosen, began = plane.find(name, version, request.sticky), time.monotonic()
        model = chosen.model
        try:
            head, columns = _read(request, model)
            wanted = _wanted(head, model)
            rows = instances.from_columns(columns, model.manifest.inputs)
            whole = tensors.parameters(head).get("truncate") is False
            reply = await instances.ask(plane, request, rows, chosen, truncate=not whole)
            found = [(_output(output, options, reply), binary) for output, options, binary in wanted]
        except CauceError:
            counts[chosen.name, model.version].fail.add(time.monotonic() - began)
            raise
        told = {"model_name": chosen.name, "model_version": model.version}
        if "id" in head:
            told["id"] = head["id"]
        body, length = tensors.write(told, found)
        counts[chosen.name, model.version].answered(reply, time.monotonic() - began)
        headers = model_headers(reply)
        if length is None:
            return await _packed(Response(body, headers=headers), request)
        return await _packed(Response(body, 200, BINARY, (*headers, (LENGTH, str(length)))), request)

    of_a_model = [
        ("GET", "", metadata),
        ("GET", "/ready", model_ready),
        ("GET", "/config", config),
        ("GET", "/stats", stats),
        ("POST", "/infer", infer),
    ]
    return [
        Route("GET", "/v2", server, refusal),
        Route("GET", "/v2/health/live", live, refusal),
        Route("GET", "/v2/health/ready", ready, refusal),
        Route("GET", "/v2/models/stats", stats, refusal),
        Route("POST", "/v2/repository/index", index, refusal),
        Route("POST", "/v2/repository/models/{name}/load", fixed, refusal),
        Route("POST", "/v2/repository/models/{name}/unload", fixed, refusal),
        *(
            Route(method, start + end, handler, refusal)
            for method, end, handler in of_a_model
            for start in ("/v2/models/{name}", "/v2/models/{name}/versions/{version}")
        ),
    ]


def refusal(error: CauceError, request_id: str) -> Response:
    """An error as these clients read it."""
    return Response(
        orjson.dumps({"error": f"{error.code}: {sentence(error)}"}), error.http_status, headers=retry_headers(error)
    )


def _json(told: Any) -> Response:
    return Response(orjson.dumps(told))


def _state(what: str, problem: str, **more: str) -> Response:
    if problem:
        raise NotReady(problem)
    return _json({**more, what: True})


def _served(plane: Plane, name: str) -> Served:
    plane.find(name)
    return plane.served[name.partition("@")[0]]


def _problem(plane: Plane, served: Served) -> str:
    return "the server is going down" if plane.admission.draining else served.problem


def _read(request: Request, model: Model) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """The request, and its values by the model's columns. Of a model of one column the tensor may have any name."""
    names = [one.name for one in model.manifest.inputs]
    length = request.headers.get(LENGTH)
    if length == "0":  # a raw request: the body is the only element of the only tensor
        if [one.type for one in model.manifest.inputs] != ["text"]:
            raise InputError("a raw request is for a model of one text", hint=f"send tensors: {', '.join(names)}")
        text = request.body.decode("utf-8", "surrogateescape")
        return {"parameters": {"binary_data_output": True}}, {names[0]: [text]}
    head, tail = tensors.split(request.body, length)
    columns = tensors.columns(head, tail)
    if len(names) == len(columns) == 1:
        return head, dict(zip(names, columns.values(), strict=True))
    if unknown := [name for name in columns if name not in names]:
        hint = nearest(unknown[0], names) or f"the model reads: {', '.join(names)}"
        raise UnknownName(f'the model {model.name} has no input "{unknown[0][:80]}"', hint=hint)
    return head, columns


def _wanted(head: dict[str, Any], model: Model) -> list[tuple[signature.Declared, dict[str, Any], bool]]:
    """The outputs that are asked for, their options, and whether they go as bytes."""
    binary = tensors.parameters(head).get("binary_data_output") is True
    asked = head.get("outputs") or [{"name": one.name} for one in signature.outputs(model)]
    if not isinstance(asked, list) or not all(isinstance(one, dict) for one in asked):
        raise InputError("outputs is not a list of objects", hint='send [{"name": "label"}], or none for all')
    options = [tensors.parameters(one) for one in asked]
    return [
        (signature.find(model, one.get("name")), each, each.get("binary_data", binary) is True)
        for one, each in zip(asked, options, strict=True)
    ]


def _output(output: signature.Declared, options: dict[str, Any], reply: Reply) -> tensors.Tensor:
    """An output with its values.

    Raises:
        RowError: the only row has no answer. Beside others it shows in the output `error`, or is not a number.

    """
    result = reply.result
    if len(result) == 1:
        instances.check(result)
    tensor = signature.filled(output, result)
    count = options.get("classification")
    return tensor if count is None else signature.classified(tensor, reply.model.labels, count)


async def _packed(response: Response, request: Request) -> Response:
    """The response as its reader wants it packed, where it is large: on a thread, as it takes a while."""
    accepted = request.headers.get("accept-encoding", "")
    kinds = [kind for kind in ("gzip", "deflate") if kind in accepted]
    if len(response.body) < WORTH_PACKING or not kinds:
        return response
    engine = zlib.compressobj(1, wbits={"gzip": 31, "deflate": 15}[kinds[0]])
    body = await asyncio.to_thread(lambda: engine.compress(response.body) + engine.flush())
    return replace(response, body=body, headers=(*response.headers, ("content-encoding", kinds[0])))
