"""Any input as a plain local file: fetched from its URL, unpacked, and turned into UTF-8 where it is something else."""

from __future__ import annotations

import codecs
import gzip
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from cauce.batch.inputs import TEXT, Input, digest, kind_of
from cauce.data import encoding
from cauce.data.files import BROKEN_ZIP, is_url
from cauce.errors import FileMissing, UnreadableData, writing

BLOCK = 1 << 22


@dataclass(frozen=True)
class Plain:
    """An input that can be read.

    Attributes:
        path: a local file; its suffix is the input's kind.
        source: the input, with its hash.
        notes: what was found out, in words.

    """

    path: Path
    source: Input
    notes: tuple[str, ...] = ()


def plain(source: Input, room: Path, place: int) -> Plain:
    """The input itself where it is plain, else a copy in `room`.

    Args:
        place: of the input in its job; the copy is called after it.

    Raises:
        FileMissing, UnreadableData, Unavailable, MissingExtra

    """
    path, notes = Path(source.name), []
    if is_url(source.name):
        from cauce.batch.remote import fetch  # late: fsspec is optional

        path = room / f"{place}-fetched{''.join(Path(source.name).suffixes[-2:])}"
        fetch(source.name, path)
    known = replace(source, sha256=source.sha256 or digest(path))
    if path.suffix.lower() in (".gz", ".zip"):
        packed, (path, note) = path, _unpacked(path, room, place, source.name)
        notes += [note] if note else []
        if is_url(source.name):
            packed.unlink()
    if kind_of(path.name) in TEXT:
        codec, said = text_encoding(path, source.name)
        if said:
            notes.append(f"{source.name}: read as {said}")
            path = _recoded(path, room / f"{place}-utf8{path.suffix.lower()}", codec, source.name)
    return Plain(path, known, tuple(notes))


def text_encoding(path: Path, name: str) -> tuple[str, str]:
    """The codec of a text file, and its name for people where it is not UTF-8. Found out as `cauce.data.encoding` does.

    Raises:
        UnreadableData: no encoding fits.

    """
    with path.open("rb") as file:
        head = file.read(BLOCK)
        for mark, codec, called in encoding.MARKS:
            if head.startswith(mark):
                return codec, called
        wide = encoding.utf16(head[: len(head) // 2 * 2])
        if wide:
            return wide, "UTF-16 (without a mark)"
        if _is_utf8(file, head):
            return "utf-8", ""
        evidence = encoding.Evidence()
        file.seek(0)
        for lines in _whole_lines(file):
            evidence.add(lines)
    return ("cp1252", encoding.WESTERN) if evidence.is_western(name) else ("utf-8", "")


def _is_utf8(file: BinaryIO, head: bytes) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(head)
        while block := file.read(BLOCK):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _whole_lines(file: BinaryIO) -> Iterator[bytes]:
    rest = b""
    while block := file.read(BLOCK):
        whole, found, after = block.rpartition(b"\n")
        if found:
            yield rest + whole + found
            rest = after
        else:
            rest += block
    if rest:
        yield rest


def _recoded(path: Path, copy: Path, codec: str, name: str) -> Path:
    """The file as UTF-8; what the codec does not know is refused."""
    decoder = codecs.getincrementaldecoder(codec)()
    with path.open("rb") as file, writing(copy), copy.open("wb") as out:
        try:
            while block := file.read(BLOCK):
                out.write(decoder.decode(block).removeprefix("\ufeff" if not out.tell() else "").encode())
            decoder.decode(b"", final=True)
        except UnicodeError as error:
            raise UnreadableData(f"not {codec}: {error}", where=name, hint="was the file cut? save it as UTF-8") from None
    return copy


def _unpacked(path: Path, room: Path, place: int, name: str) -> tuple[Path, str]:
    """What a gz holds, or the only readable member of a zip."""
    if path.suffix.lower() == ".gz":
        copy = room / f"{place}-unpacked{kind_of(path.name)}"
        try:
            with gzip.open(path) as file:
                _copy(iter(lambda: file.read(BLOCK), b""), copy)
        except (OSError, EOFError, zlib.error) as error:
            raise UnreadableData(f"not a whole gz file: {error}", where=name, hint="copy the file again") from None
        return copy, ""
    from cauce.batch.inputs import KINDS

    try:
        with zipfile.ZipFile(path) as archive:
            members = [one for one in archive.namelist() if kind_of(one) in KINDS and not one.startswith("__MACOSX/")]
            if len(members) != 1:
                raise FileMissing(
                    f"the archive has {len(members)} files to read", where=name, hint="unpack it, and name the folder"
                )
            copy = room / f"{place}-unpacked{kind_of(members[0])}"
            with archive.open(members[0]) as file:
                _copy(iter(lambda: file.read(BLOCK), b""), copy)
    except BROKEN_ZIP as error:
        raise UnreadableData(f"the zip cannot be unpacked: {error}", where=name, hint="unpack it first") from None
    return copy, f"{name}: read from the archive: {members[0]}"


def _copy(pieces: Iterable[bytes], to: Path) -> None:
    with writing(to), to.open("wb") as out:
        for piece in pieces:
            out.write(piece)
