"""`cauce.json`, typed: only what decides the answer. Its canonical JSON is hashed into the version."""

from __future__ import annotations

import hashlib
import json
from pathlib import PurePosixPath
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cauce.errors import NewerFormat, NotAModel, PathEscapes, PickleRefused, Tampered, Truncated, UnknownTask
from cauce.runtimes.base import RUNTIMES
from cauce.text.normalize import Normalizer

FORMAT: Final = 1
TASKS = ("classification", "multilabel", "regression")
PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib", ".dill", ".npy", ".npz")

InputType = Literal["text", "category", "number", "boolean"]
Task = Literal["classification", "multilabel", "regression"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Input(_Part):
    """A column that the model reads."""

    name: str = Field(min_length=1)
    type: InputType


class Limits(_Part):
    """What is cut: a text longer than this is scored by its beginning and marked `truncated`."""

    max_chars: int = Field(50_000, ge=1)


class Calibration(_Part):
    """Logits are divided by the temperature before they become scores.

    Of a multilabel model, a row has the labels whose score reaches their threshold.
    """

    temperature: float = Field(1.0, gt=0)
    thresholds: tuple[float, ...] = Field((), strict=False)


class Recipe(_Part):
    """How the model was made."""

    name: str
    parameters: dict[str, Any]
    seed: int


class Data(_Part):
    """What it was trained on: the hash of its examples, and how many."""

    sha256: str
    rows: int


class File(_Part):
    """A file of the folder: its hash and its size."""

    sha256: str
    bytes: int


class Manifest(_Part):
    """The model's identity."""

    format: Literal[1] = FORMAT
    name: str
    task: Task
    labels: tuple[str, ...] = Field(strict=False)
    inputs: tuple[Input, ...] = Field(strict=False, min_length=1)
    languages: tuple[str, ...] = Field((), strict=False)
    normalizer: Normalizer
    limits: Limits
    calibration: Calibration
    runtime: str
    variant: str
    recipe: Recipe
    data: Data
    files: dict[str, File]

    @property
    def version(self) -> str:
        """sha256 of the canonical JSON."""
        return seal(self.model_dump(mode="json"))

    def render(self) -> bytes:
        """The one way that this manifest is written down."""
        return _render(self.model_dump(mode="json"))


def seal(fields: dict[str, Any]) -> str:
    """The version of a manifest's fields: sha256 of their canonical JSON, without the field `version` itself."""
    body = {key: value for key, value in fields.items() if key != "version"}
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _render(fields: dict[str, Any]) -> bytes:
    body = {**fields, "version": seal(fields)}
    return (json.dumps(body, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def parse(raw: bytes, where: str) -> Manifest:
    """Read a `cauce.json`. The most telling refusal comes first: format, task, paths, pickles, then the seal.

    Raises:
        NotAModel, Truncated, NewerFormat, UnknownTask, PathEscapes, PickleRefused, Tampered

    """
    fields = _json_object(raw, where)
    known_format = fields.get("format")
    if not isinstance(known_format, int) or known_format < 1:
        raise NotAModel(
            "cauce.json does not say which format it is", where=where, hint="is this a folder that `cauce train` wrote?"
        )
    if known_format > FORMAT:
        raise NewerFormat(
            f"the model has format {known_format}, this Cauce reads up to {FORMAT}",
            where=where,
            hint="update Cauce: pip install --upgrade cauce",
        )
    for kind, known in (("task", TASKS), ("runtime", tuple(RUNTIMES))):
        if fields.get(kind) not in known:
            raise UnknownTask(
                f"the model's {kind} is {fields.get(kind)!r}; this Cauce knows {', '.join(known)}",
                where=where,
                hint="update Cauce: pip install --upgrade cauce",
            )
    files = fields.get("files")
    for path in files if isinstance(files, dict) else ():
        check_path(path, where)
    sealed = fields.pop("version", None)
    if sealed != seal(fields) or _render(fields) != raw:
        raise Tampered(
            "cauce.json was changed after it was written", where=where, hint="restore the folder from where you got it"
        )
    try:
        return Manifest.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        raise NotAModel(f"cauce.json: {'.'.join(map(str, first['loc']))}: {first['msg'].lower()}", where=where) from None


def check_path(path: str, where: str) -> None:
    """Refuse a path that leaves the folder, or names a pickle.

    Raises:
        PathEscapes, PickleRefused

    """
    pure = PurePosixPath(path)
    if not path or "\\" in path or "\0" in path or ":" in path or pure.is_absolute() or ".." in pure.parts or str(pure) != path:
        raise PathEscapes(f"cauce.json names the path {path!r}", where=where, hint="a model's files lie inside its folder")
    if pure.suffix.lower() in PICKLES:
        raise PickleRefused(
            f"{path} is a pickle: loading one runs code",
            where=where,
            hint="save the weights as safetensors, or import an ONNX model",
        )


def _json_object(raw: bytes, where: str) -> dict[str, Any]:
    try:
        fields = json.loads(raw)
    except UnicodeDecodeError:
        raise Tampered("cauce.json is not UTF-8", where=where, hint="restore the folder from where you got it") from None
    except json.JSONDecodeError as error:
        if error.pos >= len(error.doc.rstrip()) - 1 or "Unterminated" in error.msg:
            raise Truncated("cauce.json ends too early", where=where, hint="copy the folder again") from None
        raise Tampered(
            f"cauce.json is not JSON: {error}", where=where, hint="restore the folder from where you got it"
        ) from None
    if not isinstance(fields, dict):
        raise NotAModel("cauce.json is not an object", where=where, hint="is this a folder that `cauce train` wrote?")
    return fields
