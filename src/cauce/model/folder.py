"""The model folder: written aside and renamed, so that a folder that exists is whole; read only when every hash is right."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cauce.errors import (
    CannotWrite,
    FileGone,
    FileMissing,
    NotAModel,
    OutputExists,
    PathEscapes,
    PickleRefused,
    Tampered,
    Truncated,
    writing,
)
from cauce.model.manifest import PICKLES, File, Manifest, check_path, parse

MANIFEST, GOLDEN, MLMODEL = "cauce.json", "golden.jsonl", "MLmodel"
EVIDENCE, HASHES = "evidence", "evidence/hashes.json"
BLOCK = 1 << 20


def read(folder: Path) -> Manifest:
    """The manifest of a folder of which every file is as it was written.

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
    for path in folder.rglob("*"):
        if path.suffix.lower() in PICKLES:
            raise PickleRefused(
                f"{path.name} is a pickle: loading one runs code", where=where, hint="take it out of the folder"
            )
    for name, file in manifest.files.items():
        _verify(folder, name, file)
    for name, file in _evidence(folder).items():
        _verify(folder, name, file)
    return manifest


def describe(folder: Path, names: Iterable[str]) -> dict[str, File]:
    """Hash and size of files of the folder."""
    return {name: File(sha256=_sha256(folder / name), bytes=(folder / name).stat().st_size) for name in sorted(names)}


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
            sync(room)
            _rename(room, out, replace=replace)
            sync_one(out.parent)
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
    known = {MANIFEST, GOLDEN, MLMODEL, EVIDENCE, "variants", *(Path(name).parts[0] for name in listed if name)}
    return all(path.name in known for path in place.iterdir())


def write_evidence_hashes(folder: Path) -> None:
    """The evidence's own list: outside the identity, but a changed report is found out too."""
    names = {str(path.relative_to(folder)) for path in folder.glob(f"{EVIDENCE}/**/*") if path.is_file()} | {MLMODEL}
    files = {name: file.model_dump() for name, file in describe(folder, names - {HASHES}).items()}
    (folder / HASHES).write_bytes(_render(files))


def contents(folder: Path) -> list[str]:
    """The files that make up a folder that was read: what else lies in it is not the model's."""
    evidence = list(_evidence(folder))
    own = parse((folder / MANIFEST).read_bytes(), str(folder)).files
    return [MANIFEST, *own, *([HASHES, *evidence] if evidence else [])]


def _evidence(folder: Path) -> dict[str, File]:
    """The files that the evidence's list names; none where there is no evidence."""
    if not (folder / HASHES).is_file():
        if (folder / EVIDENCE).exists():
            raise FileGone(f"{HASHES} is missing", where=str(folder), hint="copy the folder again")
        return {}
    raw = (folder / HASHES).read_bytes()
    try:
        files = json.loads(raw)
        listed = {name: File.model_validate(file) for name, file in files.items()}
        if _render(files) != raw:
            raise ValueError
    except (ValueError, AttributeError):
        raise Tampered(f"{HASHES} was changed", where=str(folder), hint="restore the folder from where you got it") from None
    for name in listed:
        check_path(name, str(folder))
    return listed


def _verify(folder: Path, name: str, expected: File) -> None:
    path, where = folder / name, str(folder)
    if not path.is_file():
        raise FileGone(f"{name} is missing", where=where, hint="copy the folder again")
    if not path.resolve().is_relative_to(folder.resolve()):
        raise PathEscapes(f"{name} is a link out of the folder", where=where, hint="put the file itself there")
    if path.stat().st_size < expected.bytes:
        raise Truncated(
            f"{name} has {path.stat().st_size} bytes of {expected.bytes}", where=where, hint="copy the folder again"
        )
    with path.open("rb") as file:
        if _is_pickle(file.read(9)):
            raise PickleRefused(f"{name} is a pickle: loading one runs code", where=where, hint="take it out of the folder")
    if path.stat().st_size != expected.bytes or _sha256(path) != expected.sha256:
        raise Tampered(f"{name} does not match its size and hash", where=where, hint="restore the folder from where you got it")


def _is_pickle(head: bytes) -> bool:
    """True for the first bytes of a pickle (protocols 2 to 5) or of torch's zip of pickles.

    A safetensors file may start with the same byte, a length, but has its JSON header at the ninth.
    """
    return (head[:1] == b"\x80" and head[1:2] in b"\2\3\4\5" and head[8:9] != b"{") or head[:4] == b"PK\x03\x04"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _render(files: Mapping[str, object]) -> bytes:
    return (json.dumps(files, indent=2, sort_keys=True) + "\n").encode()


def sync(folder: Path) -> None:
    """Flush every file and folder below to the disk; readable for all, as a new file would be."""
    for path in [*folder.rglob("*"), folder]:
        path.chmod(0o755 if path.is_dir() else 0o644)
        sync_one(path)


def sync_one(place: Path) -> None:
    """Flush a file, or the names that a folder holds."""
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


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
    parent = os.open(out.parent, os.O_RDONLY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)
