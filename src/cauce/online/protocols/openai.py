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
from cauce.model.predictions import Predictions
from cauce.online.plane import Plane, Reply
from cauce.online.protocols.native import RowError
from cauce.online.request import Request, Response
from cauce.online.routes import Route, model_headers, read_json
from cauce.online.work import Kind, Result

Vectors = npt.NDArray[np.float32]


def routes(plane: Plane) -> list[Route]:
    """The addresses of this protocol."""

    async def answer(request: Request, body: dict[str, Any], kind: Kind) -> tuple[Reply, dict[str, int]]:
        """The answers to all texts of a request, and how many tokens they have."""
        name = body.get("model")
        if name is not None and not isinstance(name, str):
            raise InputError(f"model is {name!r}", hint="give its name", where="model")
        texts = _texts(body.get("input"))
        _check_inputs(plane.find(name).model)
        reply = await plane.predict(
            texts,
            model=name,
            kind=kind,
            deadline=request.deadline,
            sticky=request.headers.get("x-sticky"),
            request_id=request.id,
        )
        _refuse_unanswered(texts, reply.result)
        tokens = await asyncio.to_thread(_tokens, reply.model, texts)
        return reply, {"prompt_tokens": tokens, "total_tokens": tokens}

    async def embeddings(request: Request) -> Response:
        body = _object(request)
        form, dimensions = body.get("encoding_format"), body.get("dimensions")
        if form not in (None, "float", "base64"):
            raise InputError(f"encoding_format is {form!r}", hint="ask for float or base64", where="encoding_format")
        if dimensions is not None and (type(dimensions) is not int or dimensions < 1):
            raise InputError(f"dimensions is {dimensions!r}", hint="ask for 1 or more", where="dimensions")
        reply, usage = await answer(request, body, "vectors")
        vectors = _vectors(reply, dimensions)
        shown = [_packed(one) for one in vectors] if form == "base64" else vectors.tolist()
        data = [{"object": "embedding", "index": place, "embedding": one} for place, one in enumerate(shown)]
        return _answer({"object": "list", "data": data, "model": _name(body, reply), "usage": usage}, reply)

    async def classify(request: Request) -> Response:
        body = _object(request)
        reply, usage = await answer(request, body, "labels")
        result = reply.result
        data = [
            {"index": place, "label": one.label, "probs": scores, "num_classes": len(result.labels)}
            for place, (one, scores) in enumerate(zip(result, result.scores.tolist(), strict=True))
        ]
        told = {"id": f"classify-{request.id}", "object": "list", "created": int(time.time()), "model": _name(body, reply)}
        return _answer({**told, "data": data, "usage": usage}, reply)

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
    message = "; ".join(filter(None, (error.message, error.hint)))
    told = {"message": message, "type": kind, "param": error.where or None, "code": error.code}
    extra = (("retry-after", str(int(error.retry_after))),) if isinstance(error, Overloaded) else ()
    return Response(orjson.dumps({"error": told}), error.http_status, headers=extra)


def _object(request: Request) -> dict[str, Any]:
    body = read_json(request)
    if not isinstance(body, dict):
        raise WrongBody("the body is not a JSON object", hint='send {"model": "…", "input": "…"}')
    return body


def _texts(given: Any) -> list[str]:
    """One text, or several."""
    found = [given] if isinstance(given, str) else given
    if not isinstance(found, list):
        raise InputError("input is neither a text nor a list of texts", hint='send {"input": ["…", "…"]}', where="input")
    for place, one in enumerate(found):
        if type(one) is int or isinstance(one, list):
            raise InputError(
                "input holds token ids: they are another model's",
                hint="send texts (LangChain: check_embedding_ctx_length=False)",
                where="input",
            )
        if not isinstance(one, str):
            raise InputError(f"input holds {type(one).__name__}", hint="send texts", where=f"input[{place}]")
    return found


def _check_inputs(model: Model) -> None:
    """Refuse a model that one text is not enough for."""
    inputs = model.manifest.inputs
    if [one.type for one in inputs] != ["text"]:
        names = ", ".join(one.name for one in inputs)
        raise InputError(f"the model reads the columns {names}", hint="ask it at /v1/predict", where="model")


def _refuse_unanswered(texts: list[str], result: Result) -> None:
    """Refuse the request for its first row without an answer."""
    labels = isinstance(result, Predictions)
    places = np.flatnonzero(result.codes if labels else result.is_null())
    if places.size:
        place = int(places[0])
        raise RowError(rows.CODES[result.codes[place]] if labels else _reason(texts[place]), where=f"input[{place}]")


def _reason(text: str) -> str:
    """Why a text has no vector: the code of a row's error."""
    return "runtime_failed" if text.strip() else "empty_text"


def _tokens(model: Model, texts: list[str]) -> int:
    """What the model reads of these texts: tokens; bytes, where it reads no tokens."""
    inputs = model.manifest.inputs
    batch, _ = rows.from_any(texts, inputs)
    return int(model.runtime.encode(rows.cut(batch, inputs, model.manifest.limits.max_chars)).cost.sum())


def _vectors(reply: Reply, dimensions: int | None) -> Vectors:
    """Vectors of the length 1 (n, d), of the first dimensions alone where that was asked."""
    result = reply.result
    vectors: Vectors = result.flatten().to_numpy(zero_copy_only=False).reshape(len(result), -1)
    if dimensions is not None and dimensions > vectors.shape[1]:
        raise InputError(
            f"dimensions is {dimensions}, the model gives {vectors.shape[1]}", hint="ask for fewer", where="dimensions"
        )
    vectors = vectors[:, :dimensions].copy()
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return vectors


def _packed(vector: Vectors) -> str:
    """Little-endian float32 in base64."""
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()


def _name(body: dict[str, Any], reply: Reply) -> str:
    """The model as the request calls it."""
    return body.get("model") or reply.model.name


def _answer(told: dict[str, Any], reply: Reply) -> Response:
    return Response(orjson.dumps(told), headers=model_headers(reply))
