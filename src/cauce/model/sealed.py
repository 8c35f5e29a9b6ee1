"""Sealed JSON: `cauce.json` and `variant.json` hold the hash of what they say, and are written in one way only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from pathlib import PurePosixPath
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from cauce.errors import NewerFormat, NotAModel, PathEscapes, PickleRefused, Tampered, Truncated, UnknownTask

FORMAT: Final = 1
PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib", ".dill", ".npy", ".npz")
RESTORE = "restore the folder from where you got it"
OURS = "is this a folder that `cauce train` wrote?"

P = TypeVar("P", bound=BaseModel)


class Part(BaseModel):
    """What such a file holds: no unknown field, no value of another type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def seal(fields: dict[str, Any], key: str = "version") -> str:
    """sha256 of the fields' canonical JSON, without the field `key`, which holds it."""
    body = {name: value for name, value in fields.items() if name != key}
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def render(fields: dict[str, Any], key: str = "version") -> bytes:
    """The one way that these fields are written down."""
    body = {**fields, key: seal(fields, key)}
    return (json.dumps(body, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def parse(kind: type[P], raw: bytes, file: str, where: str, known: dict[str, Collection[str]], key: str = "version") -> P:
    """Read such a file. The most telling refusal comes first: format, unknown names, paths, pickles, then the seal.

    Args:
        file: its name, for messages.
        where: its folder, for messages.
        known: the values that a field may have.
        key: the field that holds the seal.

    Raises:
        NotAModel, Truncated, NewerFormat, UnknownTask, PathEscapes, PickleRefused, Tampered

    """
    fields = _json_object(raw, file, where)
    known_format = fields.get("format")
    if not isinstance(known_format, int) or known_format < 1:
        raise NotAModel(f"{file} does not say which format it is", where=where, hint=OURS)
    if known_format > FORMAT:
        raise NewerFormat(
            f"{file} has format {known_format}, this Cauce reads up to {FORMAT}",
            where=where,
            hint="update Cauce: pip install --upgrade cauce",
        )
    for name, values in known.items():
        if fields.get(name) not in tuple(values):
            raise UnknownTask(
                f"{file}: the {name} is {fields.get(name)!r}; this Cauce knows {', '.join(values)}",
                where=where,
                hint="update Cauce: pip install --upgrade cauce",
            )
    files = fields.get("files")
    for path in files if isinstance(files, dict) else ():
        check_path(path, where, file)
    sealed = fields.pop(key, None)
    if sealed != seal(fields, key) or render(fields, key) != raw:
        raise Tampered(f"{file} was changed after it was written", where=where, hint=RESTORE)
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        raise NotAModel(f"{file}: {'.'.join(map(str, first['loc']))}: {first['msg'].lower()}", where=where) from None


def check_path(path: str, where: str, file: str) -> None:
    """Refuse a path that leaves the folder, or names a pickle.

    Args:
        file: the one that names the path.

    Raises:
        PathEscapes, PickleRefused

    """
    pure = PurePosixPath(path)
    if not path or "\\" in path or "\0" in path or ":" in path or pure.is_absolute() or ".." in pure.parts or str(pure) != path:
        raise PathEscapes(f"{file} names the path {path!r}", where=where, hint="a model's files lie inside its folder")
    if pure.suffix.lower() in PICKLES:
        raise PickleRefused(
            f"{path} is a pickle: loading one runs code",
            where=where,
            hint="save the weights as safetensors, or import an ONNX model",
        )


def _json_object(raw: bytes, file: str, where: str) -> dict[str, Any]:
    try:
        fields = json.loads(raw)
    except UnicodeDecodeError:
        raise Tampered(f"{file} is not UTF-8", where=where, hint=RESTORE) from None
    except json.JSONDecodeError as error:
        if error.pos >= len(error.doc.rstrip()) - 1 or "Unterminated" in error.msg:
            raise Truncated(f"{file} ends too early", where=where, hint="copy the folder again") from None
        raise Tampered(f"{file} is not JSON: {error}", where=where, hint=RESTORE) from None
    except RecursionError:
        raise Tampered(f"{file} is nested too deep", where=where, hint=RESTORE) from None
    if not isinstance(fields, dict):
        raise NotAModel(f"{file} is not an object", where=where, hint=OURS)
    return fields
