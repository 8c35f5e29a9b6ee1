"""Files of word vectors as they are written: a word and its numbers, one after the other, in text or in binary.

Text: word2vec and fastText `.vec` (a first line with how many words, and how many numbers each) and GloVe (without it).
Binary: word2vec's, the same first line and then 4 bytes a number. Each also in a gz.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from cauce.errors import FileMissing, LineTooLong, UnreadableData

GZ, ZIP, PICKLE = b"\x1f\x8b", b"PK\x03\x04", b"\x80"
HEADER = re.compile(rb"(\d{1,12}) (\d{1,6})\s*\n")
LONGEST = 1 << 20  # bytes of a line, and of a word
FORMATS = "word2vec text or binary, GloVe text, fastText .vec or .bin, each also as .gz"

Floats = npt.NDArray[np.float32]


class Entry(NamedTuple):
    """A word, and its numbers as they are written; `place` counts lines, and words of a binary, from 1."""

    place: int
    word: str
    numbers: bytes


class VectorFile:
    """A file of word vectors. Iterating over it reads it once more, whole, and holds one word at a time.

    Attributes:
        width: numbers of a vector.
        words: how many the first line promises, if it does.
        text: whether the numbers are written as text.

    Raises:
        FileMissing: no such file.
        UnreadableData: of no format that is read; while iterating: half a file, another width, not UTF-8, no number.
        LineTooLong: a line or a word over 1 MB.

    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with opened(path) as file:
            line = self._line(file, 1)
            header = HEADER.fullmatch(line)
            self.words = int(header[1]) if header else None
            if header:  # of a binary, what stands up to the next line feed by chance may be anything
                line = file.readline(LONGEST)
        numbers = line.rstrip(b" \r\n").split(b" ")[1:]
        self.text = bool(numbers) and all(map(_is_number, numbers))
        self.width = int(header[2]) if header else len(numbers)
        if not self.width or not (self.text or header):
            raise UnreadableData("not a file of word vectors", where=f"{path}, line 1", hint=_hint(line))

    def __iter__(self) -> Iterator[Entry]:
        with opened(self.path) as file:
            place, found = 0, 0
            for place, word, numbers in self._lines(file) if self.text else self._records(file):
                found += 1
                try:
                    yield Entry(place, word.decode(), numbers)
                except UnicodeDecodeError:
                    raise self._wrong("the word is not UTF-8", place, "convert the file to UTF-8") from None
        if self.words is not None and found < self.words:
            raise self._half(found, place)

    def vector(self, entry: Entry) -> Floats:
        """The numbers of a word, (width,)."""
        try:
            numbers = entry.numbers.split(b" ") if self.text else np.frombuffer(entry.numbers, "<f4")
            row = np.array(numbers, np.float32)
        except ValueError:
            row = np.array([np.nan], np.float32)
        if not np.isfinite(row).all():
            raise self._wrong(f'the vector of "{entry.word}" has a value that is no number', entry.place, "copy the file again")
        return row

    def _lines(self, file: BinaryIO) -> Iterator[tuple[int, bytes, bytes]]:
        place = 1
        if self.words is not None:
            self._line(file, place)
            place = 2
        while line := self._line(file, place):
            row = line.rstrip(b" \r\n")
            if row.count(b" ") == self.width:
                word, _, numbers = row.partition(b" ")
            else:  # a few words of GloVe have spaces in them
                pieces = row.split(b" ")
                word, numbers = b" ".join(pieces[: -self.width]), b" ".join(pieces[-self.width :])
                if len(pieces) <= self.width or _is_number(pieces[-self.width - 1]):
                    if not line.endswith(b"\n"):
                        raise self._half(None, place)
                    raise self._wrong(
                        f"{len(pieces) - 1} numbers, where the vectors before have {self.width}",
                        place,
                        "every word has as many",
                    )
            yield place, word, numbers
            place += 1

    def _records(self, file: BinaryIO) -> Iterator[tuple[int, bytes, bytes]]:
        """A word, a space, its numbers; some writers end each with a line feed."""
        self._line(file, 1)
        block, start = b"", 0
        for place in range(1, cast("int", self.words) + 1):
            while (end := block.find(b" ", start)) < 0 or len(block) < end + 1 + 4 * self.width:
                if end < 0 and len(block) - start > LONGEST:
                    raise UnreadableData("not a file of word vectors", where=str(self.path), hint=f"read are: {FORMATS}")
                more = file.read(LONGEST + 4 * self.width)
                if not more:
                    raise self._half(place - 1, place)
                block, start = block[start:] + more, 0
            yield place, block[start:end].lstrip(b"\n"), block[end + 1 : end + 1 + 4 * self.width]
            start = end + 1 + 4 * self.width

    def _line(self, file: BinaryIO, place: int) -> bytes:
        line = file.readline(LONGEST + 1)
        if len(line) > LONGEST:
            raise LineTooLong(
                f"a line of over {LONGEST} bytes", where=f"{self.path}, line {place}", hint=f"read are: {FORMATS}"
            )
        return line

    def _wrong(self, what: str, place: int, hint: str) -> UnreadableData:
        return UnreadableData(what, where=f"{self.path}, {'line' if self.text else 'word'} {place}", hint=hint)

    def _half(self, found: int | None, place: int) -> UnreadableData:
        what = "the file ends within a line" if found is None else f"the file ends after {found} words of {self.words}"
        return self._wrong(what, place, "copy the file again")


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The file's bytes, unpacked where it is a gz.

    Raises:
        FileMissing: no such file.
        UnreadableData: a broken gz.

    """
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == GZ
            raw.seek(0)
            with gzip.open(raw) if packed else raw as file:
                yield cast("BinaryIO", file)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise FileMissing(f"there is no file {path}", hint="name a file of word vectors") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UnreadableData(f"not a whole gz file: {error}", where=str(path), hint="copy the file again") from None


def _hint(line: bytes) -> str:
    if line.startswith(ZIP):
        return "it is a zip: unpack it first"
    if line.startswith(PICKLE):
        return "it looks like a pickle, which is not read: save the vectors as word2vec text"
    return f"read are: {FORMATS}"


def _is_number(piece: bytes) -> bool:
    try:
        float(piece)
    except ValueError:
        return False
    return True
