"""Tensors on the wire, as the Open Inference Protocol has them: a JSON object, and after it the bytes of tensors.

Nothing that a sender says about sizes is believed: what does not add up is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from cauce.errors import InputError, WrongBody

NUMBERS = {
    "BOOL": "?",
    **{f"{sign}INT{8 * size}": f"<{kind}{size}" for sign, kind in (("", "i"), ("U", "u")) for size in (1, 2, 4, 8)},
    **{f"FP{8 * size}": f"<f{size}" for size in (2, 4, 8)},
}
PREFIX = 4  # bytes before each element of BYTES, which say how long it is


@dataclass(frozen=True, slots=True)
class Tensor:
    """An array of numbers or booleans, or of texts (`BYTES`)."""

    name: str
    datatype: str
    values: npt.NDArray[Any]


def split(body: bytes, length: str | None) -> tuple[dict[str, Any], bytes]:
    """The JSON object of a body, and the bytes after it.

    Args:
        length: what the header `Inference-Header-Content-Length` says; None where all of the body is JSON.

    Raises:
        WrongBody

    """
    try:
        end = len(body) if length is None else int(length)
    except ValueError:
        end = -1
    if not 0 <= end <= len(body):
        raise WrongBody(f'Inference-Header-Content-Length is "{length}"', hint=f"the body has {len(body)} bytes in all")
    try:
        head = orjson.loads(body[:end])
    except orjson.JSONDecodeError as error:
        raise WrongBody(f"the body is not JSON: {error}", hint='send {"inputs": […]} in UTF-8') from None
    if not isinstance(head, dict):
        raise WrongBody("the body is not a JSON object", hint='send {"inputs": […]}')
    return head, body[end:]


def columns(head: dict[str, Any], tail: bytes) -> dict[str, list[Any]]:
    """The values of each input tensor: one a row.

    Raises:
        InputError: a tensor is not whole, or not one value a row.

    """
    given = head.get("inputs")
    if not isinstance(given, list) or not all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in given):
        hint = 'send {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["…"]}]}'
        raise InputError("inputs is not a list of named tensors", hint=hint)
    found: dict[str, list[Any]] = {}
    for one in given:
        name, size = one["name"], parameters(one).get("binary_data_size")
        if name in found:
            raise InputError(f'two tensors are called "{name}"', hint="send each column once")
        if size is None:
            values = _flat(name, one.get("data"), one.get("shape"))
        else:
            if type(size) is not int or not 0 <= size <= len(tail):
                raise InputError(f'"{name}" says {size!r} bytes, {len(tail)} are left', hint="send all tensors whole")
            values, tail = _unpacked(name, one.get("datatype"), tail[:size]), tail[size:]
        if len(values) != (rows := _rows(name, one.get("shape"))):
            raise InputError(f'"{name}" has {len(values)} values for a shape of {rows}', hint="one value a row")
        found[name] = values
    if tail:
        raise InputError(f"{len(tail)} bytes are left after the last tensor", hint="say binary_data_size of each tensor")
    return found


def parameters(one: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a request or a tensor.

    Raises:
        InputError: they are no object.

    """
    found = one.get("parameters") or {}
    if not isinstance(found, dict):
        raise InputError("parameters is not an object", hint='send {"parameters": {…}}')
    return found


def write(head: dict[str, Any], tensors: list[tuple[Tensor, bool]]) -> tuple[bytes, int | None]:
    """A reply with these tensors, those marked as bytes after the JSON, and the length of the JSON where there are any."""
    outputs, tail = [], []
    for tensor, binary in tensors:
        told: dict[str, Any] = {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.values.shape)}
        if binary:
            tail.append(_packed(tensor))
            told["parameters"] = {"binary_data_size": len(tail[-1])}
        else:
            flat = tensor.values.ravel()
            told["data"] = flat.tolist() if tensor.datatype == "BYTES" else flat
        outputs.append(told)
    start = orjson.dumps({**head, "outputs": outputs}, option=orjson.OPT_SERIALIZE_NUMPY)
    binaries = any(binary for _, binary in tensors)
    return b"".join((start, *tail)), len(start) if binaries else None


def _rows(name: str, shape: Any) -> int:
    """How many rows a tensor of one value a row has: [n] or [n, 1]."""
    known = isinstance(shape, list) and all(type(one) is int and one >= 0 for one in shape)
    if not known or len(shape) not in (1, 2) or shape[1:] not in ([], [1]):
        raise InputError(f'"{name}" has the shape {str(shape)[:40]}', hint="one value a row: [n] or [n, 1]")
    rows: int = shape[0]
    return rows


def _flat(name: str, data: Any, shape: Any) -> list[Any]:
    """The values of a tensor in JSON, which may be nested as its shape is."""
    if not isinstance(data, list):
        raise InputError(f'"{name}" has neither data nor binary_data_size', hint="send its values as a list")
    if isinstance(shape, list) and len(shape) > 1:
        data = [value for one in data for value in (one if isinstance(one, list) else (one,))]
    if any(isinstance(value, list | dict) for value in data):
        raise InputError(f'"{name}" is nested deeper than its shape', hint="one value a row: [n] or [n, 1]")
    return list(data)


def _unpacked(name: str, datatype: Any, raw: bytes) -> list[Any]:
    if datatype == "BYTES":
        return _texts(name, raw)
    if not isinstance(datatype, str) or datatype not in NUMBERS:
        raise InputError(f'"{name}" is of the datatype {str(datatype)[:40]}', hint=f"one of BYTES, {', '.join(NUMBERS)}")
    kind = np.dtype(NUMBERS[datatype])
    if len(raw) % kind.itemsize:
        raise InputError(f'"{name}" has {len(raw)} bytes', hint=f"{datatype} has {kind.itemsize} a value")
    values: list[Any] = np.frombuffer(raw, kind).tolist()
    return values


def _texts(name: str, raw: bytes) -> list[str]:
    """The elements of BYTES. What is not UTF-8 becomes a text that the model refuses, so that its neighbors are answered."""
    found, place = [], 0
    while place < len(raw):
        start = place + PREFIX
        place = start + int.from_bytes(raw[place:start], "little")
        if place > len(raw) or start > len(raw):
            raise InputError(f'an element of "{name}" is longer than its tensor', hint="4 bytes of length, then the text")
        found.append(raw[start:place].decode("utf-8", "surrogateescape"))
    return found


def _packed(tensor: Tensor) -> bytes:
    if tensor.datatype != "BYTES":
        return tensor.values.astype(NUMBERS[tensor.datatype], copy=False).tobytes()
    texts = [text.encode() for text in tensor.values.ravel().tolist()]
    return b"".join(part for text in texts for part in (len(text).to_bytes(PREFIX, "little"), text))
