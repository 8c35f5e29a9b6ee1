"""Which variant serves: the best that is proven on this processor, else the model as it was saved."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cauce.errors import ModelFolderError
from cauce.model import gates, processor, variants
from cauce.model.gates import Gate
from cauce.model.variant import Variant


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A variant of a model, and what is known of it.

    Attributes:
        variant: None where it is damaged.
        damage: what is wrong with it, in words.
        target, gate: what was measured of it on this processor; None where nothing was.
        elsewhere: the processors on which it passed, where nothing was measured here.

    """

    name: str
    variant: Variant | None = None
    damage: str = ""
    target: str | None = None
    gate: Gate | None = None
    elsewhere: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """True where `auto` may serve it."""
        return self.gate is not None and self.gate.passed

    @property
    def state(self) -> str:
        """What is known of it, in words."""
        if self.variant is None:
            return f"damaged: {self.damage}"
        if self.gate is None:
            others = f"; it passed on {', '.join(self.elsewhere)}" if self.elsewhere else ""
            return f"not measured on this processor{others}"
        measured = f"{self.gate.gain:.2f} times better in {self.target}, loses {self.gate.loss:.2f} points"
        return f"passed: {measured}" if self.gate.passed else f"kept out: {self.gate.why or measured}"

    def as_dict(self) -> dict[str, Any]:
        """The candidate for a program."""
        variant, gate = (one.model_dump(mode="json") if one else None for one in (self.variant, self.gate))
        known = {"state": self.state, "target": self.target, "elsewhere": list(self.elsewhere)}
        return {"name": self.name, "variant": variant, "gate": gate, **known}


def survey(folder: Path, version: str) -> tuple[list[Candidate], list[str]]:
    """Every variant of a model, the best that passed on this processor first; and what was wrong with a measurement."""
    measured, notes = gates.known(folder, version)
    found = [_examine(folder, name, measured) for name in variants.names(folder)]
    return sorted(found, key=lambda one: (not one.passed, -one.gate.gain if one.gate else 0.0, one.name)), notes


def _examine(folder: Path, name: str, measured: list[gates.Gates]) -> Candidate:
    try:
        variant = variants.read(folder, name)
    except ModelFolderError as error:
        return Candidate(name=name, damage=error.message)
    elsewhere = []
    for one in measured:
        gate = next((gate for gate in one.gates if (gate.variant, gate.seal) == (name, variant.seal)), None)
        if gate is not None and one.processor == processor.slug():
            return Candidate(name=name, variant=variant, target=one.target, gate=gate)
        if gate is not None and gate.passed:
            elsewhere.append(one.processor_name)
    return Candidate(name=name, variant=variant, elsewhere=tuple(dict.fromkeys(elsewhere)))
