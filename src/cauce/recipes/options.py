"""What can be set of a recipe: typed, with presets, and errors that name the nearest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cauce.errors import InputError, UnknownName, nearest

Preset = Literal["fast", "balanced", "best"]
Precision = Literal["auto", "fp32", "bf16"]

Kind = TypeVar("Kind", bound="Options")


class Options(BaseModel):
    """Of a recipe without any; the others derive from it. `PRESETS` says what a preset sets."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {"fast": {}, "balanced": {}, "best": {}}

    model_config = ConfigDict(frozen=True, extra="forbid")


class Network(Options):
    """What the recipes that train a network have in common."""

    epochs: int = Field(4, ge=1, description="Most passes over the training rows.")
    passes: int = Field(100_000, ge=1, description="Rows that are seen in all: large data needs fewer epochs.")
    least: int = Field(1, ge=1, description="Fewest passes over the training rows, however many they are.")
    batch: int = Field(32, ge=1, description="Rows of a step.")
    rate: float = Field(1e-4, gt=0, description="The highest learning rate.")
    warmup: float = Field(0.1, ge=0, lt=1, description="Share of the steps in which the rate rises; then it falls to 0.")
    weight_decay: float = Field(0.01, ge=0, description="Weight decay of AdamW.")
    clip: float = Field(1.0, gt=0, description="Largest norm of a step's gradient.")
    dropout: float = Field(0.1, ge=0, lt=1, description="Share of the values that are dropped in training.")
    smoothing: float = Field(0.0, ge=0, lt=1, description="Share of each label's truth that is spread over all labels.")
    class_weights: bool = Field(True, description="Labels count alike, however rare.")
    max_tokens: int = Field(128, ge=3, description="Longest text in tokens, the special ones counted; the rest is cut.")
    patience: int = Field(3, ge=1, description="Evaluations without a better one after which the training ends.")
    precision: Precision = Field("auto", description="bf16: products in 16 bits. auto: where this processor is faster so.")
    device: str = Field("cpu", description="cpu, or cuda where there is a GPU.")
    teacher: str | None = Field(None, description="A model whose scores are learnt too.")
    unlabelled: str | None = Field(None, description="Texts without labels, that the teacher scores.")
    soft: float = Field(0.7, ge=0, le=1, description="Weight of what the teacher says; the labels have the rest.")
    temperature: float = Field(2.0, gt=0, description="By what the logits of teacher and student are divided to compare them.")


def parse(kind: type[Kind], preset: str = "balanced", given: Mapping[str, Any] | None = None) -> Kind:
    """The options of a recipe: its preset, and over it what was given, text or values.

    Raises:
        UnknownName: no such preset or option.
        InputError: a value that the option cannot have.

    """
    if preset not in kind.PRESETS:
        known = ", ".join(kind.PRESETS)
        raise UnknownName(f'there is no preset "{preset}"', hint=nearest(preset, kind.PRESETS) or f"presets: {known}")
    given = given or {}
    for name in given:
        if name not in kind.model_fields:
            known = ", ".join(kind.model_fields) or "none"
            raise UnknownName(
                f'this recipe has no option "{name}"', hint=nearest(name, kind.model_fields) or f"its options: {known}"
            )
    try:
        return kind.model_validate({**kind.PRESETS[preset], **given})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise InputError(
            f'the option "{name}" is {first["input"]!r}: {first["msg"].lower()}', hint="see: cauce train --help"
        ) from None
