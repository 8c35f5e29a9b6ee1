"""What differs between two models: the fields of their manifests, their files, and what was measured about them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cauce.model import folder

METRICS = f"{folder.EVIDENCE}/metrics.json"


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that the two do not share; what one of them has not is None."""

    field: str
    a: Any
    b: Any


def diff(a: Path, b: Path) -> list[Difference]:
    """What differs between two model folders. A nested field has its names joined by dots: `recipe.parameters.buckets`.

    Raises:
        FileMissing, ModelFolderError

    """
    first, second = _fields(a), _fields(b)
    return [
        Difference(field, first.get(field), second.get(field))
        for field in dict.fromkeys([*first, *second])
        if first.get(field) != second.get(field)
    ]


def metrics(place: Path) -> dict[str, Any]:
    """The figures that the folder's evidence holds; none where nobody measured."""
    if not (place / METRICS).is_file():
        return {}
    measured = json.loads((place / METRICS).read_text(encoding="utf-8"))
    found = measured.get("metrics", {}) if isinstance(measured, dict) else {}
    return found if isinstance(found, dict) else {}


def _fields(place: Path) -> dict[str, Any]:
    manifest = folder.read(place)
    fields = {"version": manifest.version, **manifest.model_dump(mode="json"), "metrics": metrics(place)}
    return dict(_flat(fields, ""))


def _flat(value: Any, name: str) -> list[tuple[str, Any]]:
    """Every leaf of nested objects, under its names joined by dots. A list is a leaf."""
    if not isinstance(value, dict):
        return [(name, value)]
    return [leaf for key, part in value.items() for leaf in _flat(part, f"{name}.{key}" if name else str(key))]
