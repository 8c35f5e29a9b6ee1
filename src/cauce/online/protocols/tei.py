"""Text Embeddings Inference: `POST /predict`, `POST /embed`, `GET /info`, `GET /health`; each also under `/models/{name}`.

In `/predict` the list `["a", "b"]` is one pair of texts, which no model here reads: it is refused, and a batch is
`[["a"], ["b"]]`. In `/embed` a list is a batch. As in TEI, one row that cannot be answered fails its request, and keys that are
not known are passed over. Texts over the limit are cut unless `truncate` is false (TEI's `auto_truncate`).

`raw_scores` gives logits, as `cauce.online.functions` explains.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import orjson

from cauce.errors import CauceError, EmptyData, Expired, InputError, NotReady, Overloaded, TextTooLong
from cauce.model.model import Model
from cauce.online import answers, functions
from cauce.online.plane import Plane
from cauce.online.protocols import inputs
from cauce.online.request import Request, Response
from cauce.online.routes import Route, model_headers, retry_headers
from cauce.text.threads import threads

BATCH = 'send "…" for one text, [["…"], ["…"]] for several'
DTYPES = {"bf16": "bfloat16", "int8": "int8"}
ANY = 2**31 - 1  # tokens of a call of a runtime that takes any number


def routes(plane: Plane) -> list[Route]:
    """The addresses of this protocol."""

    async def predict(request: Request, name: str | None = None) -> Response:
        body = inputs.read(request)
        inputs.cut_at_end(body)
        raw = inputs.flag(body, "raw_scores", False)
        rows, several = _sequences(body["inputs"])
        chosen = plane.find(name, sticky=request.sticky)
        reply = await plane.predict(
            _readable(rows, chosen.model),
            chosen,
            deadline=request.deadline,
            truncate=inputs.flag(body, "truncate", True),
            request_id=request.id,
        )
        found = answers.pairs(functions.apply(inputs.whole(reply.result), "none" if raw else None))
        return Response(orjson.dumps(found if several else found[0]), headers=model_headers(reply))

    async def embed(request: Request, name: str | None = None) -> Response:
        body = inputs.read(request)
        given = body["inputs"] if isinstance(body["inputs"], list) else [body["inputs"]]
        chosen = plane.find(name, sticky=request.sticky)
        rows = _readable(inputs.texts(given), chosen.model)
        return await inputs.embed(plane, request, chosen, rows, body, normalize=True)

    async def info(request: Request, name: str | None = None) -> Response:
        found = plane.find(name).model
        return Response(orjson.dumps(_described(found, name or next(iter(plane.served)), plane.admission.max_rows)))

    async def health(request: Request, name: str | None = None) -> Response:
        plane.find(name)
        if plane.ready:
            raise NotReady(plane.ready)
        return Response(b"", media_type="text/plain")

    return [
        Route(method, prefix + path, handler, refused)
        for prefix in ("", "/models/{name}")
        for method, path, handler in (
            ("POST", "/predict", predict),
            ("POST", "/embed", embed),
            ("GET", "/info", info),
            ("GET", "/health", health),
        )
    ]


def refused(error: CauceError, request_id: str) -> Response:
    """An error with TEI's type and status."""
    kind, status = _kind(error)
    return Response(orjson.dumps({"error": inputs.told(error), "error_type": kind}), status, headers=retry_headers(error))


def _kind(error: CauceError) -> tuple[str, int]:
    if error.code in (EmptyData.code, "empty_text"):
        return "Empty", 400
    if isinstance(error, NotReady):
        return "Unhealthy", 503
    if isinstance(error, Overloaded | Expired):
        return "Overloaded", 429
    if error.code == "runtime_failed" or not isinstance(error, InputError):
        return "Backend", 424
    return "Validation", 422 if isinstance(error, TextTooLong) else error.http_status


def _sequences(given: Any) -> tuple[list[str], bool]:
    """The texts of `inputs`, and whether they are a batch."""
    if not isinstance(given, list):
        return inputs.texts([given]), False
    batch = bool(given) and isinstance(given[0], list)
    sequences = given if batch else [given]
    for one in sequences:
        if not isinstance(one, list):
            raise InputError("inputs mixes texts and lists", hint=BATCH)
        if len(one) == 2:
            raise InputError("inputs holds a pair of texts, and no model here reads pairs", hint=BATCH)
        if len(one) > 2:
            raise InputError(f"inputs holds {len(one)} texts in one list", hint=BATCH)
    if not all(sequences):
        raise EmptyData("inputs is empty", hint=BATCH)
    return inputs.texts([one[0] for one in sequences]), batch


def _readable(rows: list[str], model: Model) -> list[str]:
    if not rows:
        raise EmptyData("inputs is empty", hint="send a text or more")
    if len(model.manifest.inputs) > 1:
        raise InputError("the model reads several columns, and TEI's inputs are texts", hint="ask it at POST /v1/predict")
    return rows


def _described(model: Model, name: str, max_rows: int) -> dict[str, Any]:
    """What TEI tells of its model; where we have no such number, one that refuses nobody."""
    labels = {str(place): label for place, label in enumerate(model.labels)}
    places = {label: place for place, label in enumerate(model.labels)}
    limits = model.manifest.limits
    return {
        "model_id": model.name,
        "model_sha": model.version,
        "model_dtype": DTYPES.get(model.precision, "float32"),
        "served_model_name": name,
        "model_type": (
            {"embedding": {"pooling": "mean"}}
            if model.task == "embedding"
            else {"classifier": {"id2label": labels, "label2id": places}}
        ),
        "max_concurrent_requests": max_rows,
        "max_input_length": limits.max_tokens or limits.max_chars,
        "max_batch_tokens": model.runtime.batch_cost or ANY,
        "max_batch_requests": 1 if model.runtime.batching == "single" else None,
        "max_client_batch_size": max_rows,
        "auto_truncate": True,
        "tokenization_workers": threads(),
        "version": version("cauce"),
        "sha": None,
        "docker_label": None,
    }
