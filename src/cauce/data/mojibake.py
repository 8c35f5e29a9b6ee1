"""Texts whose encoding went wrong: UTF-8 read as Windows-1252 ("aÃ±o"), lost characters, HTML escaped twice."""

from __future__ import annotations

import html
import re

TIMES = 3  # a text may have gone wrong more than once
LOST = "\ufffd"
ESCAPED_TWICE = re.compile(r"&amp;(?:amp|lt|gt|quot|apos|nbsp|#\d{1,6}|#x[0-9a-fA-F]{1,5});")


def _windows() -> dict[str, int]:
    """The byte of each character of Windows-1252; its five free bytes are the control characters of Latin-1."""
    table = {}
    for byte in range(0x80, 0x100):
        try:
            table[bytes([byte]).decode("cp1252")] = byte
        except UnicodeDecodeError:
            table[chr(byte)] = byte
    return table


_BYTES = _windows()
_CONTINUATION = "[" + "".join(re.escape(char) for char, byte in _BYTES.items() if byte < 0xC0) + "]"
_SEQUENCE = re.compile(
    f"[\u00c2-\u00df]{_CONTINUATION}|[\u00e0-\u00ef]{_CONTINUATION}{{2}}|[\u00f0-\u00f4]{_CONTINUATION}{{3}}"
)
_LEFT_OVER = re.compile("[\x80-\x9f\u02c6\u02dc]")  # half a character, still in the wrong letters
_LIKELY = re.compile("[\u2010-\u203a\u2190-\u21ff\u2600-\u27bf\ufe0f\U0001f000-\U0001faff]")  # beside those of `_BYTES`


def mended(text: str) -> str:
    """The text as it was meant, where that is certain; otherwise as it is."""
    better = text
    for _ in range(TIMES):
        better = _SEQUENCE.sub(_decoded, better)
    if len(_LEFT_OVER.findall(better)) <= len(_LEFT_OVER.findall(text)):  # more of them: bytes are missing
        text = better
    if ESCAPED_TWICE.search(text):
        text = html.unescape(html.unescape(text))
    return text


def broken(text: str) -> bool:
    """True where UTF-8 was read as Windows-1252, also where it cannot be mended."""
    return not text.isascii() and _SEQUENCE.sub(_decoded, text) != text


def _decoded(match: re.Match[str]) -> str:
    """What the bytes say in UTF-8, if that is a character that messages hold."""
    try:
        char = bytes(_BYTES[char] for char in match[0]).decode("utf-8")
    except UnicodeDecodeError:
        return match[0]
    return char if char in _BYTES or _LIKELY.fullmatch(char) else match[0]
