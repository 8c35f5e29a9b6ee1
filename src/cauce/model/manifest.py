"""`cauce.json`, typed: only what decides the answer. Its canonical JSON is hashed into the version."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from cauce.model import sealed
from cauce.model.sealed import FORMAT, Part
from cauce.runtimes.base import RUNTIMES
from cauce.text.normalize import Normalizer

TASKS = ("classification", "multilabel", "regression", "embedding")

InputType = Literal["text", "category", "number", "boolean"]
Task = Literal["classification", "multilabel", "regression", "embedding"]


class Input(Part):
    """A column that the model reads."""

    name: str = Field(min_length=1)
    type: InputType


class Limits(Part):
    """What is cut: a text longer than this is scored by its beginning and marked `truncated`.

    `max_tokens` counts the special ones too; None where the model does not read tokens.
    """

    max_chars: int = Field(50_000, ge=1)
    max_tokens: int | None = Field(None, ge=3)

    @model_serializer(mode="wrap")
    def _serialized(self, fields: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A limit that is not there is not written: models from before it keep their version."""
        return {name: value for name, value in fields(self).items() if value is not None}


class Calibration(Part):
    """Logits are divided by the temperature before they become scores.

    Of a multilabel model, a row has the labels whose score reaches their threshold.
    """

    temperature: float = Field(1.0, gt=0)
    thresholds: tuple[float, ...] = Field((), strict=False)


class Recipe(Part):
    """How the model was made."""

    name: str
    parameters: dict[str, Any]
    seed: int


class Data(Part):
    """What it was trained on: the hash of its examples, and how many."""

    sha256: str
    rows: int


class File(Part):
    """A file of the folder: its hash and its size."""

    sha256: str
    bytes: int


class Manifest(Part):
    """The model's identity."""

    format: Literal[1] = FORMAT
    name: str
    task: Task
    labels: tuple[str, ...] = Field(strict=False)
    inputs: tuple[Input, ...] = Field(strict=False, min_length=1)
    languages: tuple[str, ...] = Field((), strict=False)
    normalizer: Normalizer | None  # None: the tokenizer reads the text as it is
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
        return sealed.seal(self.model_dump(mode="json"))

    def render(self) -> bytes:
        """The one way that this manifest is written down."""
        return sealed.render(self.model_dump(mode="json"))


def parse(raw: bytes, where: str) -> Manifest:
    """Read a `cauce.json`.

    Raises:
        NotAModel, Truncated, NewerFormat, UnknownTask, PathEscapes, PickleRefused, Tampered

    """
    return sealed.parse(Manifest, raw, "cauce.json", where, {"task": TASKS, "runtime": RUNTIMES})
