"""The server's application: addresses of all protocols, health, metrics, the list of models, and its documentation."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from cauce.errors import CauceError, NotReady
from cauce.model.manifest import Manifest
from cauce.online.front import Front
from cauce.online.metrics import Metrics
from cauce.online.openapi import document
from cauce.online.plane import Plane
from cauce.online.protocols import huggingface, kserve, mlflow, native, oip, openai, tei, torchserve
from cauce.online.routes import Envelope, Table, unknown, wrong_method
from cauce.settings import Serve

PROTOCOLS = (native, huggingface, tei, openai, oip, kserve, torchserve, mlflow)


def application(plane: Plane, metrics: Metrics, settings: Serve) -> Front:
    """The application of a server whose models are loaded."""
    table = Table(route for protocol in PROTOCOLS for route in protocol.routes(plane))
    limits: dict[str, Any] = {"max_body": settings.max_body_bytes, "timeout": settings.timeout}
    return Front(table, _behind(plane, table, metrics), plane.admission, metrics, access_log=settings.access_log, **limits)


def _behind(plane: Plane, table: Table, metrics: Metrics) -> FastAPI:
    """What is asked rarely."""
    app = FastAPIOffline(title="Cauce", version="1", openapi_url="/openapi.json")
    app.openapi = lambda: document(plane)  # type: ignore[method-assign]

    @app.get("/health/live", include_in_schema=False)
    async def live() -> Response:
        return _health(plane.live)

    @app.get("/health/ready", include_in_schema=False)
    async def ready() -> Response:
        return _health(plane.ready)

    @app.get("/metrics", include_in_schema=False)
    async def page() -> Response:
        return PlainTextResponse(metrics.page(plane), media_type="text/plain; version=0.0.4")

    @app.get("/v1/models", include_in_schema=False)
    async def models() -> Response:
        """One body that our own readers, OpenAI's and KServe's all accept."""
        data = [_described(name, one.current.model.manifest) for name, one in plane.served.items()]
        return _json({"object": "list", "data": data, "models": list(plane.served)})

    @app.get("/v1/models/{name}", include_in_schema=False)
    async def model(name: str) -> Response:
        try:
            one = plane.find(name).model
        except CauceError as error:
            return _plain(error)
        served = plane.served[name.partition("@")[0]]
        ready = not served.problem and not plane.admission.draining
        states = [{"version": each.model.version, "state": "AVAILABLE" if ready else "LOADING"} for each in served.versions]
        told = {**_described(served.name, one.manifest), "ready": ready, "follows": served.followed}
        return _json({**told, "model_version_status": states}, 200 if ready else 503)

    @app.exception_handler(404)
    async def missing(request: Request, _: Exception) -> Response:
        return _plain(unknown(request.url.path), table.envelope(request.url.path) or native.problem)

    @app.exception_handler(405)
    async def method(request: Request, _: Exception) -> Response:
        return _plain(wrong_method(request.method, request.url.path, ["GET"]))

    return app


def _described(name: str, manifest: Manifest) -> dict[str, Any]:
    return {
        "id": name,
        "object": "model",
        "created": 0,
        "owned_by": "cauce",
        "name": name,
        "version": manifest.version,
        "task": manifest.task,
        "labels": list(manifest.labels),
        "inputs": [{"name": one.name, "type": one.type} for one in manifest.inputs],
        "limits": manifest.limits.model_dump(),
    }


def _json(told: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(told), status, media_type="application/json")


def _plain(error: CauceError, envelope: Envelope = native.problem) -> Response:
    answer = envelope(error, "")
    return Response(answer.body, answer.status, media_type=answer.media_type)


def _health(problem: str) -> Response:
    return _plain(NotReady(problem)) if problem else _json({"status": "ok"})
