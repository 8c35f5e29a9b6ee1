"""The files of a model folder: described by size and hash, checked against them, written so that a kill leaves no half."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from cauce.errors import FileGone, PathEscapes, PickleRefused, Tampered, Truncated
from cauce.model.manifest import File
from cauce.model.sealed import PICKLES, RESTORE

MANIFEST, GOLDEN = "cauce.json", "golden.jsonl"


def describe(folder: Path, names: Iterable[str]) -> dict[str, File]:
    """Hash and size of files of the folder."""
    return {name: File(sha256=_sha256(folder / name), bytes=(folder / name).stat().st_size) for name in sorted(names)}


def check(folder: Path, name: str, expected: File) -> None:
    """Refuse a file that is not as it was written, wherever it leads.

    Raises:
        FileGone, PathEscapes, Truncated, PickleRefused, Tampered

    """
    path, where = folder / name, str(folder)
    check_inside(folder, name)
    if path.stat().st_size < expected.bytes:
        raise Truncated(
            f"{name} has {path.stat().st_size} bytes of {expected.bytes}", where=where, hint="copy the folder again"
        )
    with path.open("rb") as file:
        if _is_pickle(file.read(9)):
            raise PickleRefused(f"{name} is a pickle: loading one runs code", where=where, hint="take it out of the folder")
    if path.stat().st_size != expected.bytes or _sha256(path) != expected.sha256:
        raise Tampered(f"{name} does not match its size and hash", where=where, hint=RESTORE)


def check_inside(folder: Path, name: str) -> None:
    """Refuse a file that is missing, or a link out of the folder.

    Raises:
        FileGone, PathEscapes

    """
    path, where = folder / name, str(folder)
    if not path.is_file():
        raise FileGone(f"{name} is missing", where=where, hint="copy the folder again")
    if not path.resolve().is_relative_to(folder.resolve()):
        raise PathEscapes(f"{name} is a link out of the folder", where=where, hint="put the file itself there")


def refuse_pickles(paths: Iterable[Path], where: str) -> None:
    """Refuse what is called as a pickle is.

    Raises:
        PickleRefused

    """
    for path in paths:
        if path.suffix.lower() in PICKLES:
            raise PickleRefused(
                f"{path.name} is a pickle: loading one runs code", where=where, hint="take it out of the folder"
            )


def put(path: Path, content: bytes) -> None:
    """Write a small file by one rename: whoever reads it sees the one before or this one."""
    handle, aside = tempfile.mkstemp(prefix=f".{path.name}.tmp-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), 0o644)
            file.flush()
            os.fsync(file.fileno())
        Path(aside).replace(path)
    finally:
        Path(aside).unlink(missing_ok=True)
    sync_one(path.parent)


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


def _is_pickle(head: bytes) -> bool:
    """True for the first bytes of a pickle (protocols 2 to 5) or of torch's zip of pickles.

    A safetensors file may start with the same byte, a length, but has its JSON header at the ninth.
    """
    return (head[:1] == b"\x80" and head[1:2] in b"\2\3\4\5" and head[8:9] != b"{") or head[:4] == b"PK\x03\x04"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
