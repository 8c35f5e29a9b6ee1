"""The files that a job reads: globs, folders and URLs as a list in a fixed order."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cauce.data.files import is_url
from cauce.errors import EmptyData, FileMissing, UnknownName, nearest

TEXT = (".csv", ".tsv", ".jsonl", ".ndjson")
KINDS = (*TEXT, ".parquet", ".arrow", ".arrows", ".feather", ".ipc")


@dataclass(frozen=True)
class Input:
    """A file that is read.

    Attributes:
        name: path or URL.
        bytes: its size.
        stamp: when it was last changed, or what the store of a URL says instead; an unchanged one means an unchanged file.
        sha256: of its content.

    """

    name: str
    bytes: int
    stamp: str
    sha256: str = ""

    @property
    def kind(self) -> str:
        """Its suffix in lower case, that of the file inside a `.gz`."""
        return kind_of(self.name)

    def unchanged(self, now: Input) -> bool:
        """Whether it is as it was: the same size and time, or else the same content."""
        return (self.bytes, self.stamp) == (now.bytes, now.stamp) or (
            self.bytes == now.bytes and bool(self.sha256) and self.sha256 == now.sha256
        )


def kind_of(name: str) -> str:
    """The suffix that says how a file is read."""
    pure = PurePosixPath(name.lower())
    return PurePosixPath(pure.stem).suffix if pure.suffix == ".gz" else pure.suffix


def find(sources: Sequence[str], out: str) -> list[Input]:
    """The files that paths, folders, globs and URLs name, each once, by name; those in the output folder are left out.

    Raises:
        FileMissing: nothing is there.
        EmptyData: a folder or a glob without a file that can be read.
        UnknownName: a file of a kind that is not read.

    """
    found: dict[str, Input] = {}
    for source in sources:
        for one in _of_url(source, out) if is_url(source) else _of_path(source, out):
            found.setdefault(one.name, one)
    return [found[name] for name in sorted(found)]


def _of_path(source: str, out: str) -> list[Input]:
    path = Path(source)
    if path.is_dir():
        paths = [file for file in path.rglob("*") if _readable(file.relative_to(path))]
    elif path.is_file():
        _check_kind(source)
        paths = [path]
    elif glob.has_magic(source):
        paths = [Path(name) for name in glob.glob(source, recursive=True) if _readable(Path(Path(name).name))]  # noqa: PTH207
    else:
        beside = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
        raise FileMissing(f"there is no file {source}", hint=nearest(path.name, beside) or "check the path")
    place = None if is_url(out) else Path(out).resolve()
    kept = [file for file in paths if file.is_file() and (place is None or not file.resolve().is_relative_to(place))]
    if not kept:
        ours = " but what this job wrote" if paths else ""
        raise EmptyData(f"{source} has no file to read{ours}", hint=f"read are: {', '.join(KINDS)}, each also in .gz or .zip")
    return [_of_file(file) for file in kept]


def _readable(path: Path) -> bool:
    """A file of our kinds that is not hidden, in no hidden folder."""
    return not any(part.startswith((".", "_")) for part in path.parts) and _is_known(path.name)


def _is_known(name: str) -> bool:
    return kind_of(name) in (*KINDS, ".zip")


def _check_kind(name: str) -> None:
    if not _is_known(name):
        raise UnknownName(
            f"{PurePosixPath(name).name} is of a kind that is not read",
            hint=f"read are: {', '.join(KINDS)}, each also in .gz or .zip",
        )


def _of_file(path: Path) -> Input:
    facts = path.stat()
    return Input(path.as_posix(), facts.st_size, str(facts.st_mtime_ns))


def _of_url(source: str, out: str) -> list[Input]:
    from cauce.batch.remote import infos  # late: fsspec is optional

    own = out.rstrip("/") + "/"
    found = [Input(name, size, stamp) for name, size, stamp in infos(source) if not name.startswith(own)]
    if not glob.has_magic(source) and len(found) == 1 and found[0].name == source:
        _check_kind(source)
    kept = [one for one in found if _readable(Path(PurePosixPath(one.name).name))]
    if not kept:
        raise EmptyData(f"{source} has no file to read", hint=f"read are: {', '.join(KINDS)}, each also in .gz or .zip")
    return kept


def digest(path: Path) -> str:
    """sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
