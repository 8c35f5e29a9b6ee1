"""What both protocols of Hugging Face read, a body with `inputs` and the options of vectors; OpenAI's shares a part of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from cauce.errors import CauceError, InputError, WrongBody
from cauce.model.predictions import Predictions
from cauce.model.rows import CODES
from cauce.online.plane import Plane
from cauce.online.protocols.native import RowError
from cauce.online.request import Request, Response
from cauce.online.routes import model_headers, read_json, sentence
from cauce.online.served import Version

EXAMPLE = '{"inputs": "…"}'
SEND = f"send {EXAMPLE}"


def read(request: Request) -> dict[str, Any]:
    """The body, which has `inputs`.

    Raises:
        WrongBody: it is no JSON object.
        InputError: it has none.

    """
    body = read_json(request, EXAMPLE)
    if not isinstance(body, dict):
        raise WrongBody("the body is not a JSON object", hint=SEND)
    if "inputs" not in body:
        raise InputError("the body has no inputs", hint=SEND)
    return body


def texts(values: Sequence[Any]) -> list[str]:
    """The values, which are texts.

    Raises:
        RowError: one is something else.

    """
    for place, value in enumerate(values):
        if not isinstance(value, str):
            raise RowError("missing_input" if value is None else "wrong_type", _where(place, len(values)))
    return list(values)


def flag(options: dict[str, Any], name: str, default: bool) -> bool:
    """An option that is true or false; null is as good as absent.

    Raises:
        InputError: it is something else.

    """
    value = options.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise InputError(f"{name} is {value!r}", hint="give true or false")
    return value


def cut_at_end(options: dict[str, Any]) -> None:
    """Refuse to cut a text at its beginning.

    Raises:
        InputError

    """
    direction = options.get("truncation_direction")
    if direction is not None and (not isinstance(direction, str) or direction.lower() != "right"):
        raise InputError(f"truncation_direction is {direction!r}", hint='texts are cut at their end: "right"')


async def embed(
    plane: Plane, request: Request, chosen: Version, rows: Sequence[str], options: dict[str, Any], *, normalize: bool
) -> Response:
    """The vectors of texts, as a list of lists.

    Args:
        options: of the request.
        normalize: whether the vectors get the length 1, where the request does not say.

    """
    cut_at_end(options)
    if options.get("prompt_name") is not None:
        raise InputError(f"prompt_name is {options['prompt_name']!r}", hint="the models here have no prompts: leave it out")
    if options.get("encoding_format") not in (None, "float"):
        raise InputError(f"encoding_format is {options['encoding_format']!r}", hint='vectors are lists here: "float"')
    unit = flag(options, "normalize", normalize)
    reply = await plane.predict(
        rows,
        chosen,
        kind="vectors",
        deadline=request.deadline,
        truncate=flag(options, "truncate", True),
        request_id=request.id,
    )
    made = vectors(reply.result, rows, normalize=unit, dimensions=options.get("dimensions"))
    return Response(orjson.dumps(made, option=orjson.OPT_SERIALIZE_NUMPY), headers=model_headers(reply))


def whole(found: Predictions) -> Predictions:
    """The answers, all of them: for replies that have no place for the error of a row.

    Raises:
        RowError: a row has none.
        CauceError: the model gave something that is no number.

    """
    if found.codes.any():
        place = int(np.argmax(found.codes != 0))
        raise RowError(CODES[found.codes[place]], _where(place, len(found)))
    _finite(found.scores)
    return found


def told(error: CauceError) -> str:
    """An error in one line: where, what happened, and what to do."""
    return f"{error.where}: {sentence(error)}" if error.where else sentence(error)


def vectors(
    found: pa.Array, rows: Sequence[Any], *, normalize: bool = False, dimensions: int | None = None
) -> npt.NDArray[np.float32]:
    """The vectors of texts (n, d), all of them; `found` is what the plane gave.

    Raises:
        RowError: a row has none.
        InputError: the vectors have fewer dimensions.
        CauceError: the model gave something that is no number.

    """
    if found.null_count:
        place = int(np.argmax(found.is_null().to_numpy(zero_copy_only=False)))
        blank = isinstance(rows[place], str) and not rows[place].strip()
        raise RowError("empty_text" if blank else "runtime_failed", _where(place, len(rows)))
    made = _finite(found.flatten().to_numpy().reshape(len(found), -1))
    if dimensions is not None:
        if type(dimensions) is not int or not 1 <= dimensions <= made.shape[1]:
            raise InputError(f"dimensions is {dimensions!r}", hint=f"the vectors have {made.shape[1]} numbers")
        made = np.ascontiguousarray(made[:, :dimensions])
    if normalize:
        made = made / np.maximum(np.linalg.norm(made, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return made


def _finite(numbers: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    if not np.isfinite(numbers).all():  # JSON has no word for it
        raise CauceError("the model gave something that is no number", hint="cauce doctor examines it")
    return numbers


def _where(place: int, rows: int) -> str:
    """The row's number, where there are others."""
    return f"row {place + 1}" if rows > 1 else ""
