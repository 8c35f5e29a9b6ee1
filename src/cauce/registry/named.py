"""A model by any of its names: a folder, `name`, `name@alias` or `name@<version prefix>`."""

from __future__ import annotations

import os
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cauce.errors import CauceError, NameInvalid, Tampered, UnknownName
from cauce.model import folder
from cauce.model import model as models
from cauce.model.model import Model
from cauce.registry import names
from cauce.registry.names import Reference
from cauce.registry.registry import Registry


@dataclass(frozen=True, slots=True)
class Place:
    """Where a model lies.

    Attributes:
        version: what the registry says it is; None where a folder was named.
        note: what was decided, where a folder and a registered model have one name.

    """

    folder: Path
    version: str | None = None
    note: str = ""


def load(model: str | Path, variant: str = "auto") -> Model:
    """Open a model: every hash checked, the golden rows answered as they were when it was saved.

    Args:
        model: its folder; or its name in the registry: `name` (the champion), `name@alias`, `name@<version prefix>`;
            or `"echo"`, the fake that ships. A folder goes before a name, with a warning.
        variant: one that the model has; `"auto"` takes the best that is proven on this processor, else the model as it was
            saved, with a warning that says why it is not another.

    Raises:
        FileMissing, ModelFolderError: see `cauce.errors`.
        UnknownName: no such model, alias, version or variant.

    """
    if model == "echo":
        return models.echo_model(variant=variant)
    place = find(model)
    opened = open_place(place, variant)
    for note in filter(None, (place.note, *opened.notes)):
        warnings.warn(note, stacklevel=2)
    return opened


def open_place(place: Place, variant: str = "auto") -> Model:
    """Open the model that `find` found.

    Raises:
        ModelFolderError, UnknownName

    """
    opened = models.load(place.folder, variant)
    if place.version not in (None, opened.version):
        raise Tampered("the folder holds another version", where=str(place.folder), hint="register the model folder again")
    return opened


def find(model: str | Path) -> Place:
    """Where a model lies.

    Raises:
        UnknownName: neither a folder nor a registered model.
        FileGone, DatabaseDamaged, NewerFormat

    """
    text = str(model)
    is_folder = os.path.exists(text)  # noqa: PTH110  (a name that is too long is no folder either; Path.exists raises)
    try:
        reference = names.parse(text)
    except NameInvalid:
        if "@" in text and not is_folder and os.sep not in text:
            raise
        return Place(Path(model))  # a path: it is, or is refused as one
    if is_folder:
        return Place(Path(model), note=_shadows(reference))
    registry = Registry()
    known = registry.names()
    if not known and "@" not in text:
        return Place(Path(model))  # nothing is registered: it was meant as a path
    try:
        version = registry.find(reference)
    except UnknownName as unknown:
        if "@" in text or reference.name in known:
            raise
        hint = unknown.hint or "name a model folder"
        raise UnknownName(f'there is neither a folder nor a registered model "{text}"', hint=hint) from None
    registry.check_folder(version)
    return Place(version.folder, version.version)


def moves(model: str) -> bool:
    """Whether a promotion gives this name to another version: not that of a folder, of one version, or of `echo`.

    Raises:
        UnknownName, FileGone, DatabaseDamaged, NewerFormat

    """
    return model != "echo" and find(model).version is not None and not names.parse(model).is_prefix


def serving(model: str | Path, opened: Model) -> Path | None:
    """The folder of the champion that serves under the name of this model, where it is another version with the same labels.

    Args:
        model: how the model was named; a folder's name is the one in its manifest.

    """
    with suppress(CauceError):  # no such name, or a registry that is wrong: nothing to stand beside
        name = opened.name if os.path.exists(str(model)) else names.parse(str(model)).name  # noqa: PTH110
        version = Registry().find(name)
        manifest = folder.read(version.folder)
        if version.version != opened.version and (manifest.task, manifest.labels) == (opened.task, opened.labels):
            return version.folder
    return None


def _shadows(reference: Reference) -> str:
    """What to say where a registered model has the name of the folder that is taken."""
    with suppress(CauceError):  # whatever is wrong with the registry: the folder is here
        if reference.name in Registry().names():
            other = f"write {reference} for the registered one"
            return f'"{reference.name}" is a folder here and a registered model: the folder is taken; {other}'
    return ""
