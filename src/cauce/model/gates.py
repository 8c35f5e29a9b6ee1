"""What variants proved, and on which processor: the machine's own measurements, and those that a model's maker sent along.

A measurement belongs to a version, a variant's content and a processor. It changes no answer and no version.
"""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from cauce.errors import ModelFolderError, writing
from cauce.faults import fault
from cauce.model import files, folder
from cauce.model.processor import name, slug
from cauce.model.sealed import Part
from cauce.settings import settings

ROOM = f"{folder.EVIDENCE}/gates"
LARGEST = 1 << 16  # bytes of a file; what is longer was not written here
KEPT = 1000  # versions whose measurements a machine keeps

Target = Literal["latency", "throughput", "size", "quality"]


class Gate(Part):
    """What one variant proved.

    Attributes:
        seal: of the variant that was measured (`Variant.seal`): another one of its name has proven nothing.
        loss: points of the dev metric that it loses against the model as it was saved.
        gain: times that it is better on the target.
        why: what kept it out; empty where it passed.
        figures: what else was measured, by name.

    """

    variant: str = Field(max_length=64)
    seal: str = Field(max_length=64)
    passed: bool
    loss: float = Field(allow_inf_nan=False)
    gain: float = Field(allow_inf_nan=False)
    why: str = Field("", max_length=500)
    figures: dict[str, float] = Field({}, max_length=32)


class Gates(Part):
    """One measurement of the variants of a version: it takes the place of the one before on the same processor.

    Attributes:
        processor: its slug; see `cauce.model.processor`.
        processor_name: for people.
        target: what was to get better.
        max_loss: points of the dev metric that a variant may lose.
        time: when, in UTC.

    """

    format: Literal[1] = 1
    version: str = Field(pattern="^[0-9a-f]{64}$")
    processor: str = Field(default_factory=slug, pattern="^[a-z0-9_-]{1,200}$")
    processor_name: str = Field(default_factory=name, max_length=500)
    target: Target
    max_loss: float
    time: str = Field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"), max_length=40)
    gates: tuple[Gate, ...] = Field(strict=False, max_length=64)


def record(found: Gates) -> None:
    """Keep a measurement in the machine's state, under `CAUCE_HOME`. The oldest versions' are given up beyond some.

    Raises:
        CannotWrite, StorageFull

    """
    room = _room()
    with writing(room, instead="CAUCE_HOME"):
        place = room / found.version
        place.mkdir(parents=True, exist_ok=True)
        files.put(place / f"{found.processor}.json", _render(found))
        _forget(room)


def publish(place: Path, found: Gates) -> None:
    """Put a measurement into the model's evidence, for those who get the folder. A kill at any moment leaves a whole folder.

    Raises:
        CannotWrite, StorageFull

    """
    if found in published(place, found.version, []):
        return
    own = f"{ROOM}/{found.processor}.json"
    with writing(place, instead="a copy of it: cp -r MODEL COPY"):
        listed = folder.evidence(place)
        (place / folder.EVIDENCE).mkdir(exist_ok=True)
        folder.list_evidence(place, {path: file for path, file in listed.items() if path != own})
        fault("gates.unlisted")
        (place / ROOM).mkdir(exist_ok=True)
        files.put(place / own, _render(found))
        fault("gates.written")
        folder.list_evidence(place, listed | files.describe(place, [own]))


def known(place: Path, version: str) -> tuple[list[Gates], list[str]]:
    """All measurements of a version: the machine's own first, then the maker's. And what was wrong with some, in words."""
    notes: list[str] = []
    room = _room() / version
    own = _read(sorted(room.glob("*.json")) if room.is_dir() else [], version, notes)
    return own + published(place, version, notes), notes


def published(place: Path, version: str, notes: list[str]) -> list[Gates]:
    """The measurements that the model's maker sent along; what is wrong with one is added to the notes."""
    listed: list[Path] = []
    with suppress(ModelFolderError):  # whoever reads the folder says what is wrong with its evidence
        listed = [place / path for path in folder.evidence(place) if path.startswith(f"{ROOM}/")]
    return _read(listed, version, notes)


def _read(paths: list[Path], version: str, notes: list[str]) -> list[Gates]:
    """What these files hold. One that is damaged is said and left out: its variants count as not measured."""
    found = []
    for path in paths:
        try:
            with path.open("rb") as file:
                raw = file.read(LARGEST + 1)
            if len(raw) > LARGEST:
                raise ValueError("it is too long")
            gates = Gates.model_validate(json.loads(raw))
            if gates.version != version:
                raise ValueError("it is of another version")
        except (OSError, ValueError, RecursionError) as error:
            reason = "it is not a measurement" if isinstance(error, ValidationError | UnicodeError) else str(error)
            notes.append(f"{path} is left out: {reason}; measure again with: cauce optimize MODEL")
        else:
            found.append(gates)
    return found


def _render(found: Gates) -> bytes:
    return (json.dumps(found.model_dump(mode="json"), indent=2) + "\n").encode()


def _room() -> Path:
    return settings().home / "gates"


def _forget(room: Path) -> None:
    """Give up the versions that were measured longest ago."""
    for place in sorted(room.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)[KEPT:]:
        shutil.rmtree(place, ignore_errors=True)
