"""What OpenAI's client asks: `POST /v1/embeddings`, and as vLLM and SGLang have it `POST /classify`.

A vector has the length 1, as OpenAI's have: their users compare by the dot product. A request is answered whole or not at
all: the protocol has no place for the error of a row.
"""

from __future__ import annotations

import asyncio
import base64
import time
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from cauce.errors import CauceError, InputError, Overloaded, WrongBody
from cauce.model import rows
from cauce.model.model import Model
from cauce.online.plane import Plane, Reply
from cauce.online.protocols import inputs
from cauce.online.protocols.native import RowError
from cauce.online.request import Request, Response
from cauce.online.routes import Route, model_headers, read_json, retry_headers, sentence
from cauce.online.work import Kind

EXAMPLE = '{"model": "…", "input": "…"}'


def routes(plane: Plane) -> list[Route]:
    """The addresses of this protocol."""

    async def answer(request: Request, body: dict[str, Any], kind: Kind) -> tuple[list[str], Reply]:
        """The texts of a request, and what the plane answers."""
        name = body.get("model")
        if name is not None and not isinstance(name, str):
            raise InputError(f"model is {name!r}", hint="give its name", where="model")
        texts = _texts(body.get("input"))
        chosen = plane.find(name, sticky=request.sticky)
        _check_inputs(chosen.model)
        reply = await plane.predict(texts, chosen, kind=kind, deadline=request.deadline, request_id=request.id)
        return texts, reply

    async def embeddings(request: Request) -> Response:
        body = _object(request)
        form = body.get("encoding_format")
        if form not in (None, "float", "base64"):
            raise InputError(f"encoding_format is {form!r}", hint="ask for float or base64", where="encoding_format")
        texts, reply = await answer(request, body, "vectors")
        vectors = inputs.vectors(reply.result, texts, normalize=True, dimensions=body.get("dimensions"))
        shown = [_packed(one) for one in vectors] if form == "base64" else vectors.tolist()
        data = [{"object": "embedding", "index": place, "embedding": one} for place, one in enumerate(shown)]
        return await _answer({"object": "list", "data": data}, body, texts, reply)

    async def classify(request: Request) -> Response:
        body = _object(request)
        texts, reply = await answer(request, body, "labels")
        result = inputs.whole(reply.result)
        data = [
            {"index": place, "label": one.label, "probs": scores, "num_classes": len(result.labels)}
            for place, (one, scores) in enumerate(zip(result, result.scores.tolist(), strict=True))
        ]
        told = {"id": f"classify-{request.id}", "object": "list", "created": int(time.time()), "data": data}
        return await _answer(told, body, texts, reply)

    return [
        Route("POST", "/v1/embeddings", embeddings, problem),
        Route("POST", "/classify", classify, problem),
        Route("POST", "/v1/classify", classify, problem),
    ]


def problem(error: CauceError, request_id: str) -> Response:
    """An error as OpenAI's clients read it; `param` is the field that is wrong."""
    kind = "server_error" if error.http_status >= 500 else "invalid_request_error"
    if isinstance(error, Overloaded):
        kind = "rate_limit_error"
    row = isinstance(error, RowError)
    message, field = (inputs.told(error), "input") if row else (sentence(error), error.where or None)
    told = {"message": message, "type": kind, "param": field, "code": error.code}
    return Response(orjson.dumps({"error": told}), error.http_status, headers=retry_headers(error))


def _object(request: Request) -> dict[str, Any]:
    body = read_json(request, EXAMPLE)
    if not isinstance(body, dict):
        raise WrongBody("the body is not a JSON object", hint=f"send {EXAMPLE}")
    return body


def _texts(given: Any) -> list[str]:
    """One text, or several."""
    found = [given] if isinstance(given, str) else given
    if not isinstance(found, list):
        raise InputError("input is neither a text nor a list of texts", hint='send {"input": ["…", "…"]}', where="input")
    if any(type(one) is int or isinstance(one, list) for one in found):
        raise InputError(
            "input holds token ids: they are another model's",
            hint="send texts (LangChain: check_embedding_ctx_length=False)",
            where="input",
        )
    return inputs.texts(found)


def _check_inputs(model: Model) -> None:
    """Refuse a model that one text is not enough for."""
    columns = model.manifest.inputs
    if [one.type for one in columns] != ["text"]:
        names = ", ".join(one.name for one in columns)
        raise InputError(f"the model reads the columns {names}", hint="ask it at /v1/predict", where="model")


def _tokens(model: Model, texts: list[str]) -> int:
    """What the model reads of these texts: tokens; bytes, where it reads no tokens."""
    columns = model.manifest.inputs
    batch, _ = rows.from_any(texts, columns)
    return int(model.runtime.encode(rows.cut(batch, columns, model.manifest.limits.max_chars)).cost.sum())


def _packed(vector: npt.NDArray[np.float32]) -> str:
    """Little-endian float32 in base64."""
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()


async def _answer(told: dict[str, Any], body: dict[str, Any], texts: list[str], reply: Reply) -> Response:
    """The reply, with the model as the request calls it and the tokens that were read."""
    tokens = await asyncio.to_thread(_tokens, reply.model, texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    told |= {"model": body.get("model") or reply.name, "usage": usage}
    return Response(orjson.dumps(told), headers=model_headers(reply))
