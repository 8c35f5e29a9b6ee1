"""Our own protocol: `POST /v1/predict` and `POST /v1/embed`, errors as problem+json (RFC 9457)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import orjson

from cauce.errors import CauceError, InputError, UnknownName, WrongBody, nearest
from cauce.model.model import Model, check_min_score
from cauce.model.rows import CODES, MEANINGS
from cauce.online import answers
from cauce.online.plane import Plane, Reply
from cauce.online.request import Request, Response
from cauce.online.routes import Route, model_headers, read_json, retry_headers
from cauce.online.served import Version

PROBLEM = "application/problem+json"
OPTIONS = {"rows", "model", "version", "top_k", "min_score", "explain", "truncate"}


def routes(plane: Plane) -> list[Route]:
    """The addresses of this protocol."""

    async def predict(request: Request, name: str | None = None) -> Response:
        body = _object(request)
        top_k, min_score = body.get("top_k"), body.get("min_score", 0.0)
        if type(top_k) is float and top_k.is_integer():
            top_k = int(top_k)  # JSON has one kind of numbers
        if top_k is not None and (type(top_k) is not int or top_k < 1):
            raise InputError(f"top_k is {top_k!r}", hint="ask for 1 score or more")
        if type(min_score) not in (int, float):
            raise InputError(f"min_score is {min_score!r}", hint="give a number between 0 and 1")
        chosen = _chosen(request, body, name)
        if min_score:
            check_min_score(chosen.model.task, min_score)
        rows, several = _asked(body, chosen.model)
        if (explain := _flag(body, "explain", default=False)) and several:
            raise InputError("rows are explained one by one", hint="send one row with explain")
        reply = await plane.predict(
            rows,
            chosen,
            deadline=request.deadline,
            truncate=_flag(body, "truncate", default=True),
            request_id=request.id,
        )
        result = replace(reply.result, min_score=min_score) if min_score else reply.result
        found = answers.rows(result, top_k)
        if not several and "error" in found[0]:
            raise RowError(CODES[result.codes[0]])
        if explain:
            found[0]["explain"] = _explained(await asyncio.to_thread(reply.model.explain, rows[0]))
        told = {"predictions": found} if several else found[0]
        return _answer({**told, "model": _named(reply)}, reply)

    async def embed(request: Request, name: str | None = None) -> Response:
        body = _object(request)
        chosen = _chosen(request, body, name)
        rows, several = _asked(body, chosen.model)
        reply = await plane.predict(
            rows,
            chosen,
            kind="vectors",
            deadline=request.deadline,
            truncate=_flag(body, "truncate", default=True),
            request_id=request.id,
        )
        vectors = reply.result.to_pylist()
        if not several and vectors[0] is None:
            raise RowError("empty_text")
        return _answer({**({"vectors": vectors} if several else {"vector": vectors[0]}), "model": _named(reply)}, reply)

    def _chosen(request: Request, body: dict[str, Any], name: str | None) -> Version:
        """Which version is asked: by the address, by the body, or by neither."""
        return plane.find(name or _text(body, "model"), _text(body, "version"), request.sticky)

    async def root(request: Request) -> Response:
        """People are shown the documentation; programs are told who is here."""
        if "text/html" in request.headers.get("accept", ""):
            return Response(b"", 307, headers=(("location", "/docs"),))
        return Response(orjson.dumps({"name": "cauce", "status": "alive", "models": list(plane.served), "docs": "/docs"}))

    return [
        Route("GET", "/", root, problem),
        Route("POST", "/v1/predict", predict, problem),
        Route("POST", "/v1/models/{name}/predict", predict, problem),
        Route("POST", "/v1/embed", embed, problem),
        Route("POST", "/v1/models/{name}/embed", embed, problem),
    ]


class RowError(InputError):
    """A row cannot be answered, and the request has no other, or its answer no place for the error of one."""

    def __init__(self, code: str, where: str = "") -> None:
        super().__init__(MEANINGS[code], where=where)
        self.code = code


def problem(error: CauceError, request_id: str) -> Response:
    """An error as problem+json."""
    told = {
        "type": "about:blank",
        "title": error.message,
        "status": error.http_status,
        **error.as_dict(),
        "request_id": request_id,
    }
    told["detail"] = told.pop("message")
    return Response(orjson.dumps(told), error.http_status, PROBLEM, retry_headers(error))


def _answer(told: dict[str, Any], reply: Reply) -> Response:
    return Response(orjson.dumps(told), headers=model_headers(reply))


def _named(reply: Reply) -> dict[str, str]:
    return {"name": reply.name, "version": reply.model.version, "variant": reply.model.variant}


def _object(request: Request) -> dict[str, Any]:
    body = read_json(request)
    if not isinstance(body, dict):
        raise WrongBody("the body is not a JSON object", hint='send {"text": "…"}, or {"rows": […]} for several')
    return body


def _text(body: dict[str, Any], key: str) -> str | None:
    value = body.get(key)
    if value is not None and not isinstance(value, str):
        raise InputError(f"{key} is {value!r}", hint=f"give {key} as a text")
    return value


def _check(body: dict[str, Any], model: Model) -> bool:
    """Whether it holds several rows; a key that is neither an option nor a column is refused: it may be a slip of the pen."""
    columns = [one.name for one in model.manifest.inputs]
    known = [*OPTIONS, *columns, "text"] if len(columns) == 1 else [*OPTIONS, *columns]
    for key in body:
        if key not in known:
            hint = nearest(key, known) or f"known: {', '.join(sorted(known))}; other columns can stand in an object of rows"
            raise UnknownName(f'neither an option nor a column is called "{key[:100]}"', hint=hint)
    return isinstance(body.get("rows"), list) or ("rows" in body and "rows" not in columns)


def _asked(body: dict[str, Any], model: Model) -> tuple[list[Any], bool]:
    """The rows, and whether there may be several."""
    several = _check(body, model)
    return (_rows(body["rows"]) if several else [_row(body, model)]), several


def _flag(body: dict[str, Any], key: str, *, default: bool) -> bool:
    value = body.get(key, default)
    if type(value) is not bool:
        raise InputError(f"{key} is {value!r}", hint=f"give {key} as true or false")
    return value


def _rows(rows: Any) -> list[Any]:
    if not isinstance(rows, list):
        raise InputError("rows is not a list", hint='send {"rows": ["…", "…"]} or {"rows": [{…}, {…}]}')
    if any(not isinstance(row, str | dict) and row is not None for row in rows):
        raise InputError("a row is neither a text nor an object", hint='send {"rows": ["…", "…"]} or {"rows": [{…}, {…}]}')
    return rows


def _row(body: dict[str, Any], model: Model) -> Any:
    """The only row: its columns stand beside the options; of a model of one text it may be called `text`."""
    names = [one.name for one in model.manifest.inputs]
    row = {name: body[name] for name in names if name in body and (name not in OPTIONS or name not in body.keys() - OPTIONS)}
    if not row and len(names) == 1 and "text" in body:
        return {names[0]: body["text"]}
    if not row:
        raise InputError(f"the body has none of the model's columns: {', '.join(names)}", hint='send {"text": "…"}')
    return row


def _explained(reasons: Any) -> dict[str, Any]:
    return {
        "label": reasons.label,
        "logit": reasons.logit,
        "bias": reasons.bias,
        "contributions": [{"piece": piece, "value": value} for piece, value in reasons.contributions],
    }
