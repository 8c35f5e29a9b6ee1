"""The first version of KServe's protocol, which is TensorFlow Serving's: `{"instances": […]}` to `{"predictions": […]}`.

Whether a model is ready is asked with `GET /v1/models/{name}`, which all protocols share.
"""

from __future__ import annotations

import orjson

from cauce.errors import WrongBody
from cauce.online.plane import Plane
from cauce.online.protocols import instances
from cauce.online.protocols.oip import refusal
from cauce.online.protocols.tensors import parameters
from cauce.online.request import Request, Response
from cauce.online.routes import Route, model_headers, read_json


def routes(plane: Plane) -> list[Route]:
    """The addresses of this protocol."""

    async def predict(request: Request, name: str, version: str | None = None) -> Response:
        body = read_json(request)
        if not isinstance(body, dict) or "instances" not in body:
            raise WrongBody("the body is no object with instances", hint='send {"instances": ["…", "…"]}')
        chosen = plane.find(name, version, request.sticky)
        rows = instances.from_list(body["instances"], chosen.model.manifest.inputs)
        whole = parameters(body).get("truncate") is False
        reply = await instances.ask(plane, request, rows, chosen, truncate=not whole)
        return Response(orjson.dumps({"predictions": instances.predictions(reply)}), headers=model_headers(reply))

    return [
        Route("POST", "/v1/models/{name}:predict", predict, refusal),
        Route("POST", "/v1/models/{name}/versions/{version}:predict", predict, refusal),
    ]
