"""The model folder: written aside and renamed, so that a folder that exists is whole; read only when every hash is right."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from cauce.errors import (
    CannotWrite,
    FileGone,
    FileMissing,
    ModelFolderError,
    NotAModel,
    OutputExists,
    Tampered,
    writing,
)
from cauce.model import files, variants
from cauce.model.manifest import File, Manifest, parse
from cauce.model.sealed import RESTORE, check_path

MANIFEST, GOLDEN, MLMODEL = files.MANIFEST, files.GOLDEN, "MLmodel"
EVIDENCE, HASHES = "evidence", "evidence/hashes.json"


def read(folder: Path) -> Manifest:
    """The manifest of a folder of which every file is as it was written. Its variants are read by `variants.read`.

    Raises:
        FileMissing: no such folder.
        ModelFolderError: one of its kinds; see `cauce.errors`.

    """
    if not os.path.exists(folder):  # noqa: PTH110  (a name that is too long is no folder either; Path.exists raises)
        raise FileMissing(f"there is no model folder {folder}", hint="train one with: cauce train DATA --out FOLDER")
    where = str(folder)
    if not (folder / MANIFEST).is_file():
        raise NotAModel(f"{folder} has no {MANIFEST}", where=where, hint="name the folder that `cauce train` wrote")
    manifest = parse((folder / MANIFEST).read_bytes(), where)
    if manifest.variant in variants.names(folder):  # a runtime would read its files, and nobody checks them
        raise Tampered(
            f"there is a variant {manifest.variant}: so the model as it was saved is called",
            where=where,
            hint=f"remove {variants.ROOM}/{manifest.variant}",
        )
    room = folder / variants.ROOM  # what is in one of them is that variant's matter
    files.refuse_pickles((path for path in folder.rglob("*") if room not in path.parents[1:]), where)
    for name, file in (*manifest.files.items(), *evidence(folder).items()):
        files.check(folder, name, file)
    return manifest


@contextmanager
def create(out: Path, *, replace: bool = False) -> Iterator[Path]:
    """A temporary sibling to fill; renamed to `out` at the end, removed on any error.

    Raises:
        OutputExists: `out` is there and is not a model folder that may be replaced.
        CannotWrite, StorageFull

    """
    check_out(out, replace=replace)
    with writing(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        room = Path(tempfile.mkdtemp(prefix=f".{out.name}.tmp-", dir=out.parent))
    try:
        with writing(out):
            yield room
            files.sync(room)
            _rename(room, out, replace=replace)
            files.sync_one(out.parent)
    finally:
        shutil.rmtree(room, ignore_errors=True)


def check_out(out: Path, *, replace: bool) -> None:
    """Say now what would fail after the training.

    Raises:
        OutputExists: something is there that may not be replaced.
        CannotWrite: nothing can be written beside it.

    """
    with writing(out):
        if out.exists() or out.is_symlink():
            empty = out.is_dir() and not out.is_symlink() and not any(out.iterdir())
            only_a_model = not empty and _holds_only_a_model(out)
            if not empty and not (replace and only_a_model):
                hint = (
                    "choose another --out, or replace the model with --replace"
                    if only_a_model
                    else "choose another --out: what is there is not a model alone, so --replace does not touch it"
                )
                raise OutputExists(f"{out} exists already", hint=hint)
        parent = next((folder for folder in out.absolute().parents if folder.exists()), Path("/"))
        if not parent.is_dir():
            raise CannotWrite(f"cannot write {out}: {parent} is not a folder", hint="choose another --out")
        if not os.access(parent, os.W_OK | os.X_OK):
            raise CannotWrite(f"cannot write {out}: {parent} is read-only", hint="choose a folder that you may write to")


def _holds_only_a_model(place: Path) -> bool:
    """True for a model folder without a file of somebody's own in it: replacing it loses nothing else."""
    if not (place / MANIFEST).is_file():
        return False
    try:
        listed = json.loads((place / MANIFEST).read_bytes())["files"]
    except (ValueError, LookupError, TypeError):
        listed = ()  # a damaged model may be replaced too
    known = {MANIFEST, GOLDEN, MLMODEL, EVIDENCE, variants.ROOM, *(Path(name).parts[0] for name in listed if name)}
    return all(path.name in known for path in place.iterdir())


def write_evidence_hashes(folder: Path) -> None:
    """The evidence's own list: outside the identity, but a changed report is found out too."""
    names = {str(path.relative_to(folder)) for path in folder.glob(f"{EVIDENCE}/**/*") if path.is_file()} | {MLMODEL}
    list_evidence(folder, files.describe(folder, names - {HASHES}))


def list_evidence(folder: Path, listed: Mapping[str, File]) -> None:
    """Write the evidence's list, in place of the one before: what it does not name is not evidence."""
    files.put(folder / HASHES, _render({name: file.model_dump() for name, file in listed.items()}))


def contents(folder: Path) -> list[str]:
    """The files that make up a folder that was read: what else lies in it is not the model's, nor is a damaged variant."""
    measured = list(evidence(folder))
    own = parse((folder / MANIFEST).read_bytes(), str(folder)).files
    return [MANIFEST, *own, *([HASHES, *measured] if measured else []), *_variants(folder)]


def _variants(folder: Path) -> list[str]:
    """The files of the variants that are whole."""
    found = []
    for name in variants.names(folder):
        with suppress(ModelFolderError):
            own = variants.read(folder, name).files
            found += [f"{variants.ROOM}/{name}/{path}" for path in (variants.FILE, *own)]
    return found


def evidence(folder: Path) -> dict[str, File]:
    """The files that the evidence's list names; none where there is no evidence."""
    if not (folder / HASHES).is_file():
        if any(path.is_file() and not path.name.startswith(".") for path in (folder / EVIDENCE).rglob("*")):
            raise FileGone(f"{HASHES} is missing", where=str(folder), hint="copy the folder again")
        return {}
    raw = (folder / HASHES).read_bytes()
    try:
        content = json.loads(raw)
        listed = {name: File.model_validate(file) for name, file in content.items()}
        if _render(content) != raw:
            raise ValueError
    except (ValueError, AttributeError):
        raise Tampered(f"{HASHES} was changed", where=str(folder), hint=RESTORE) from None
    for name in listed:
        check_path(name, str(folder), HASHES)
    return listed


def _render(listed: Mapping[str, object]) -> bytes:
    return (json.dumps(listed, indent=2, sort_keys=True) + "\n").encode()


def _rename(room: Path, out: Path, *, replace: bool) -> None:
    """Move the room to its name. A model that is replaced is moved aside first, so no moment shows half of either."""
    old = out.with_name(f".{out.name}.old-{room.name[-8:]}") if replace and (out / MANIFEST).is_file() else None
    if old is not None:
        out.rename(old)
    try:
        room.rename(out)
    except OSError as error:
        if old is not None:
            old.rename(out)
        if out.exists():
            raise OutputExists(f"{out} exists already", hint="another run wrote it meanwhile; choose another --out") from error
        raise
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)
