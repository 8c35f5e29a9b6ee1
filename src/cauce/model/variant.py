"""`variant.json`, typed: another way to compute the answers of one version. Sealed as `cauce.json` is."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field

from cauce.errors import NameInvalid
from cauce.model import sealed
from cauce.model.manifest import File
from cauce.model.sealed import FORMAT, Part
from cauce.runtimes.base import RUNTIMES, Batching

Precision = Literal["fp32", "bf16", "int8"]

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
TAKEN = ("auto",)  # what `cauce.load` means by it


class Variant(Part):
    """A variant of a model.

    Attributes:
        version: of the model that it belongs to.
        batching: "single" where an answer could depend on the rows beside it.
        precision: of its numbers; says how far its golden answers may be off.
        parameters: what its runtime, or whoever made it, has to know.
        files: those of its own folder. What is not there is the model's own file.

    """

    format: Literal[1] = FORMAT
    name: str
    version: str
    runtime: str
    batching: Batching
    precision: Precision
    parameters: dict[str, Any] = Field(default_factory=dict)
    files: dict[str, File] = Field(default_factory=dict)

    @property
    def seal(self) -> str:
        """sha256 of the canonical JSON: another variant of the same name has another."""
        return sealed.seal(self.model_dump(mode="json"), "seal")

    def render(self) -> bytes:
        """The one way that this variant is written down."""
        return sealed.render(self.model_dump(mode="json"), "seal")


def parse(raw: bytes, file: str, where: str) -> Variant:
    """Read a `variant.json`.

    Args:
        file: its path in the model folder, for messages.
        where: the model folder, for messages.

    Raises:
        NotAModel, Truncated, NewerFormat, UnknownTask, PathEscapes, PickleRefused, Tampered

    """
    return sealed.parse(Variant, raw, file, where, {"runtime": RUNTIMES}, "seal")


def check_name(name: str, own: str) -> None:
    """Refuse what cannot be the name of a variant.

    Args:
        own: what the model as it was saved is called.

    Raises:
        NameInvalid

    """
    if name in (*TAKEN, own):
        raise NameInvalid(f'"{name}" is taken: {_meaning(name)}', hint="choose another name")
    if not NAME.fullmatch(name):
        raise NameInvalid(
            f"{name!r} cannot be a variant's name", hint="a-z, digits, `-`, `_` and `.`, a letter or digit first, 64 at most"
        )


def _meaning(name: str) -> str:
    return "it lets Cauce choose" if name in TAKEN else "so the model as it was saved is called"
