"""Bytes to UTF-8: the one place where an encoding is decided, from evidence in the bytes, and said.

A mark at the beginning decides. Without one, NULs at every other place are UTF-16, and what is valid UTF-8 is UTF-8. The
rest is Windows-1252 where its bytes above 127 stand where Western languages have accented letters and signs. A file with
lines of both is refused with the first line of the rarer kind: no guess is made that could spoil a text.
"""

from __future__ import annotations

import codecs
import re

import numpy as np

from cauce.errors import LineTooLong, UnreadableData
from cauce.settings import settings

MARKS = (
    (codecs.BOM_UTF8, "utf-8", ""),
    (codecs.BOM_UTF32_LE, "utf-32-le", "UTF-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16"),
)
WESTERN = "Windows-1252"
LEAST_NULS = 0.2  # of the bytes: a UTF-16 file in the Latin script has half
LEAST_IN_PLACE = 0.9  # of the bytes above 127, to take a file for Windows-1252

ABOVE = re.compile(rb"[\x80-\xff]")
LETTER = rb"\x8a\x8c\x8e\x9a\x9c\x9e\x9f\xc0-\xd6\xd8-\xf6\xf8-\xfe"  # of Windows-1252, but ÿ
SIGN = rb"[\x80\x82-\x89\x8b\x93-\x99\x9b\xa0-\xac\xae-\xb6\xb8-\xbf\xd7\xf7]"
# one accented letter or two, or a sign at an edge of a word (within one only ‘ ’ · and the soft hyphen)
IN_PLACE = re.compile(
    rb"(?<![%(letter)b])[%(letter)b]{1,2}(?![%(letter)b])|[\x91\x92\xad\xb7]|(?<![A-Za-z%(letter)b])%(sign)b|%(sign)b(?![A-Za-z%(letter)b])"
    % {b"letter": LETTER, b"sign": SIGN}
)
FOREIGN = re.compile(rb"(?!([\x80-\xff])\1{2})[\x80-\xff]{4,}")  # a word of another script; not ¡¡¡¡
# what UTF-8 texts have, whole or broken, and Western texts in one byte a letter hardly ever: Ã or Â and a sign, â€…, ðŸ…
OF_UTF8 = re.compile(
    rb"[\xc2\xc3][\x80-\xbf]|[\xe1-\xef][\x80-\x9f\xa1-\xbf][\x80-\xbf]|\xed[\xa0-\xbf][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]"
    rb"|[\xd0\xd1\xd8\xd9][\x80-\xbf]"
)


def to_utf8(raw: bytes, name: str) -> tuple[bytes, str]:
    """The text as UTF-8 without a mark, and the encoding where it was another.

    Raises:
        UnreadableData: no encoding fits every line, or a NUL byte.
        LineTooLong: a line over the setting `max_line_bytes`.

    """
    for mark, encoding, called in MARKS:
        if raw.startswith(mark):
            raw = raw[len(mark) :]
            text, said = (raw, "") if encoding == "utf-8" else (_decoded(raw, encoding, called, name), called)
            break
    else:
        text, said = _without_mark(raw, name)
    _check_lines(text, name)
    if not said:
        _check_utf8(text, name)
    return text, said


def _without_mark(raw: bytes, name: str) -> tuple[bytes, str]:
    if wide := utf16(raw):
        return _decoded(raw, wide, "UTF-16", name), "UTF-16 (without a mark)"
    if _is(raw, "utf-8") or b"\0" in raw:
        return raw, ""
    evidence = Evidence()
    evidence.add(raw)
    return (raw.decode("cp1252").encode(), WESTERN) if evidence.is_western(name) else (raw, "")


class Evidence:
    """What speaks for Windows-1252 in a text that is not UTF-8, added up over whole lines."""

    def __init__(self) -> None:
        self._lines = self._broken = self._whole = self._above = self._in_place = 0
        self._first: tuple[int, bytes] = (0, b"")  # line that can only be UTF-8
        self._possible = True

    def add(self, raw: bytes) -> None:
        """Look at some more lines."""
        lines = raw.split(b"\n")
        for number, line in enumerate(lines, start=self._lines + 1):
            if line.isascii():
                continue
            if not _is(line, "utf-8"):
                self._broken += 1
            elif OF_UTF8.search(line):
                self._whole += 1
                self._first = self._first if self._first[0] else (number, line)
        self._lines += len(lines) - 1
        in_place, odd, foreign = (sum(len(found[0]) for found in kind.finditer(raw)) for kind in (IN_PLACE, OF_UTF8, FOREIGN))
        self._in_place += in_place - odd - foreign
        self._above += len(ABOVE.findall(raw))
        self._possible = self._possible and _is(raw, "cp1252")

    def is_western(self, name: str) -> bool:
        """Whether it is Windows-1252; else it is UTF-8 with a wrong line.

        Raises:
            UnreadableData: lines of both.

        """
        if self._whole >= self._broken:
            return False
        if self._whole:
            number, bad = self._first
            place = OF_UTF8.search(bad)
            raise UnreadableData(
                f"UTF-8 from place {place.start() + 1 if place else 1}, in a file that is not: {self._broken} other lines are "
                f"{WESTERN} or alike",
                where=f"{name}, line {number}",
                hint="two files in one? save each as UTF-8, then join them",
            )
        return self._in_place >= LEAST_IN_PLACE * self._above and self._possible


def utf16(raw: bytes) -> str:
    """UTF-16 without a mark: NULs at the even or the odd places, hardly any at the others."""
    if len(raw) % 2 or b"\0" not in raw:
        return ""
    nul = np.frombuffer(raw, np.uint8) == 0
    even, odd = int(nul[::2].sum()), int(nul[1::2].sum())
    encoding = "utf-16-le" if odd > even else "utf-16-be"
    if min(even, odd) * 3 > max(even, odd) or not _is(raw, encoding):
        return ""
    text = raw.decode(encoding)
    many = (even + odd) >= LEAST_NULS * len(raw) or not _is(raw, "utf-8")
    return encoding if many and "\n" in text and "\0" not in text else ""


def _is(raw: bytes, encoding: str) -> bool:
    try:
        raw.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _decoded(raw: bytes, encoding: str, called: str, name: str) -> bytes:
    try:
        return raw.decode(encoding).encode()
    except UnicodeDecodeError as error:
        line = raw[: error.start].decode(encoding, "replace").count("\n") + 1
        raise UnreadableData(
            f"not {called}: byte {error.start + 1} after the mark",
            where=f"{name}, line {line}",
            hint="was the file cut? save it as UTF-8",
        ) from None


def _check_lines(text: bytes, name: str) -> None:
    """No line over the limit, no NUL: what comes first in the file is told."""
    limit = settings().max_line_bytes
    ends = np.flatnonzero(np.frombuffer(text, np.uint8) == ord("\n")) + 1
    edges = np.concatenate([[0], ends, [len(text)]])
    long = np.flatnonzero(np.diff(edges) > limit)
    nul = text.find(b"\0")
    if len(long) and (nul < 0 or edges[long[0]] <= nul):
        raise LineTooLong(
            f"a line is over {limit} bytes",
            where=f"{name}, line {long[0] + 1}",
            hint="is this a text file? or raise CAUCE_MAX_LINE_BYTES",
        )
    if nul >= 0:
        line, place = _place(text, nul)
        raise UnreadableData(
            f"a NUL byte at place {place}", where=f"{name}, line {line}", hint="is this a text file? save it as UTF-8"
        )


def _check_utf8(text: bytes, name: str) -> None:
    try:
        text.decode()
    except UnicodeDecodeError as error:
        line, place = _place(text, error.start)
        raise UnreadableData(
            f"not UTF-8: byte 0x{text[error.start]:02x} at place {place}",
            where=f"{name}, line {line}",
            hint="save the file as UTF-8 (in Excel: CSV UTF-8); if two files were joined, convert each before",
        ) from None


def _place(text: bytes, at: int) -> tuple[int, int]:
    """Line and place in it of a byte, from 1."""
    return text.count(b"\n", 0, at) + 1, at - text.rfind(b"\n", 0, at)
