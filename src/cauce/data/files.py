"""The bytes of a file of examples: on disk, at a URL, in a zip or gz. What is read is what was there at one moment."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import struct
import time
import zipfile
import zlib
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from cauce.errors import DataTooLarge, FileMissing, InputError, Unavailable, UnreadableData, nearest, need
from cauce.settings import settings

TEXT = (".csv", ".tsv", ".jsonl", ".ndjson")
KINDS = (*TEXT, ".parquet", ".arrow", ".arrows", ".feather", ".ipc")
PAIR = "_text.txt"  # of a pair; its labels lie beside
BROKEN_ZIP = (  # all that zipfile raises of damaged archives; RuntimeError: of encrypted ones
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, ValueError, OverflowError, RuntimeError,
)  # fmt: skip
DEEPEST = 3  # archives in archives
FRESH = 3.0  # seconds: somebody may still be writing
PIECE = 1 << 20  # bytes unpacked at a time


@dataclass(frozen=True)
class File:
    """A file of examples in memory.

    Attributes:
        name: path or URL as it was given, for messages.
        kind: its suffix in lower case, without the `.gz`.
        raw: its bytes, unpacked.
        notes: what was unpacked, in words.

    """

    name: str
    kind: str
    raw: bytes
    notes: tuple[str, ...] = ()


def load(source: str | Path) -> File:
    """The bytes of a path, a URL, or a member of an archive (`archive.zip/member.csv`).

    Raises:
        FileMissing: no such file or member, or an archive with several and none named.
        UnreadableData: a broken archive, or a file that changed while it was read.
        DataTooLarge: over the setting `max_data_bytes`.
        MissingExtra: a URL without the extra `remote`.
        Unavailable: the store of the URL does not answer.

    """
    if is_url(source):
        archive, member = _split(str(source))
        return _unpacked(File(archive, _kind(archive), _download(archive)), member)
    path, member = existing(Path(source))
    raw, notes = _snapshot(path)
    return _unpacked(File(str(path), _kind(path.name), raw, notes), member)


def is_url(source: str | Path) -> bool:
    """Whether it names a place elsewhere, like `s3://bucket/rows.csv`."""
    return isinstance(source, str) and "://" in source


def existing(path: Path) -> tuple[Path, str]:
    """The file, and the member where the path leads into an archive; a pair may be named by its beginning.

    Raises:
        FileMissing: it is not there; the nearest is named.

    """
    with suppress(OSError):  # a name that is too long is a missing file
        if path.is_file():
            return path, ""
        pair = path.with_name(path.name + PAIR)
        if pair.is_file():
            return pair, ""
        if path.is_dir():
            raise FileMissing(f"{path} is a folder, not a file", hint="name the file of examples")
        archive, member = _split(path.as_posix())
        if member and Path(archive).is_file():
            return Path(archive), member
    beside = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    raise FileMissing(f"there is no file {path}", hint=nearest(path.name, beside) or "check the path")


def _split(path: str) -> tuple[str, str]:
    """A path as the archive that it leads into, and the member in it."""
    head, found, member = path.partition(".zip/")
    return (head + ".zip", member) if found else (path, "")


def _kind(name: str) -> str:
    pure = PurePosixPath(name.lower())
    return PurePosixPath(pure.stem).suffix + ".gz" if pure.suffix == ".gz" else pure.suffix


def _snapshot(path: Path) -> tuple[bytes, tuple[str, ...]]:
    """The file's bytes. One that is written to meanwhile is refused: its last row may be half a row."""
    with path.open("rb") as file:
        before = os.fstat(file.fileno())
        _check_size(before.st_size, str(path))
        raw = file.read(before.st_size + 1)
        after = os.fstat(file.fileno())
    if (len(raw), before.st_mtime_ns) != (before.st_size, after.st_mtime_ns):
        raise _changed(str(path), before.st_size, after.st_size)
    fresh = time.time() - after.st_mtime < FRESH and path.suffix in TEXT and not raw.endswith(b"\n")
    return raw, ("the last line has no end and was written a moment ago: is the file whole?",) if fresh else ()


def _download(url: str) -> bytes:
    """The bytes behind a URL, by fsspec."""
    fsspec = need("fsspec", extra="remote", what=f"reading {url.partition('://')[0]}://")
    try:
        store, path = fsspec.core.url_to_fs(url)
        before: dict[str, Any] = store.info(path)
        size = before.get("size")
        _check_size(size or 0, url)
        with store.open(path, "rb") as file:
            raw: bytes = _bounded(file, url)
        after: dict[str, Any] = store.info(path)
    except FileNotFoundError:
        raise FileMissing(f"there is no file {url}", hint="check the URL") from None
    except ImportError as missing:  # fsspec names the package of the protocol
        raise InputError(f"{url} cannot be read: {missing}", hint="install that package") from None
    except ValueError as error:  # a protocol that fsspec does not know
        raise InputError(f"{url} cannot be read: {error}", hint="check the beginning of the URL") from None
    except InputError:
        raise
    except Exception as error:  # each store has its own errors
        raise Unavailable(f"{url} cannot be read: {error}", hint="check the address, the access and the network") from error
    if size is not None and (len(raw), size) != (size, after.get("size")):
        raise _changed(url, size, after.get("size", 0))
    return raw


def _unpacked(file: File, member: str, depth: int = 0) -> File:
    """What a gz or a zip holds."""
    if file.kind.endswith(".gz"):
        try:
            with gzip.open(io.BytesIO(file.raw)) as unpacked:
                raw = _bounded(unpacked, file.name)
        except (OSError, EOFError, zlib.error) as error:
            raise UnreadableData(f"not a whole gz file: {error}", where=file.name, hint="copy the file again") from None
        return replace(file, kind=file.kind.removesuffix(".gz"), raw=raw)
    if file.kind != ".zip":
        return file
    if depth == DEEPEST:
        raise UnreadableData(f"archives more than {DEEPEST} deep", where=file.name, hint="unpack it first")
    try:
        with zipfile.ZipFile(io.BytesIO(file.raw)) as archive:
            wanted, inner = _split(member)
            chosen = _member(file.name, archive, wanted)
            with archive.open(chosen) as unpacked:
                raw = _bounded(unpacked, f"{file.name}/{chosen}")
    except BROKEN_ZIP as error:
        raise UnreadableData(f"the zip cannot be unpacked: {error}", where=file.name, hint="unpack it first") from None
    notes = () if member else (f"read from the archive: {chosen}",)
    return _unpacked(File(f"{file.name}/{chosen}", _kind(chosen), raw, (*file.notes, *notes)), inner, depth + 1)


def _member(name: str, archive: zipfile.ZipFile, wanted: str) -> str:
    """The member that was named, or the only one that can be read."""
    members = [entry for entry in archive.namelist() if not entry.endswith("/") and not entry.startswith("__MACOSX/")]
    if wanted:
        if wanted not in members:
            hint = nearest(wanted, members) or f"it has: {', '.join(members)}"
            raise FileMissing(f"there is no {wanted} in the archive", where=name, hint=hint)
        return wanted
    readable = [entry for entry in members if _kind(entry).removesuffix(".gz") in (*KINDS, ".zip") or entry.endswith(PAIR)]
    if len(readable) != 1:
        if not readable:
            raise FileMissing("the archive has no file of examples", where=name, hint=f"read are: {', '.join(KINDS)}")
        raise FileMissing(
            f"the archive has {len(readable)} files of examples",
            where=name,
            hint=f"name one: {name}/{readable[0]}; it has: {', '.join(readable)}",
        )
    return readable[0]


def _bounded(file: BinaryIO | gzip.GzipFile | Any, name: str) -> bytes:
    """All bytes, or a refusal as soon as they are more than the limit: a small archive may unpack to anything."""
    raw = bytearray()
    while part := file.read(PIECE):
        raw += part
        _check_size(len(raw), name)
    return bytes(raw)


def _check_size(size: int, name: str) -> None:
    limit = settings().max_data_bytes
    if size > limit:
        raise DataTooLarge(
            f"the file has over {limit} bytes", where=name, hint="train on a part of it, or raise CAUCE_MAX_DATA_BYTES"
        )


def _changed(name: str, before: int, after: int) -> UnreadableData:
    return UnreadableData(
        f"the file changed while it was read: {before} bytes before, {after} after",
        where=name,
        hint="wait until it is written, or read a copy",
    )
