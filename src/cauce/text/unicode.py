"""What a code point is, as one table: its lower case, and whether it is part of a word, a space, noise, or not plain.

The table is made from Python's own `unicodedata`, so the fast form and the reference can only ever follow the same
version of Unicode. Making it takes 0.2 s: it is kept beside the compiled kernels.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from functools import cache

import numpy as np
import numpy.typing as npt

from cauce.text.compiled import cache_folder

LIMIT = 0x20000  # code points from here on are rare (CJK extensions): judged by range, not by table
IDEOGRAPHS_END = 0x40000

LOWER = (1 << 21) - 1  # the low bits hold the lower-case code point
WORD = 1 << 21
SPACE = 1 << 22
NOISE = 1 << 23  # control characters, variation selectors, zero-width marks: dropped
DIGIT = 1 << 24
HARD = 1 << 25  # NFC or lower case needs more than this one code point: `unicodedata` does it first

_NOISE = frozenset("\u00ad\u200b\u2060\ufeff\ufe0e\ufe0f")


def is_noise(char: str) -> bool:
    """True for what carries no meaning in a message: controls, soft hyphens, zero-width and variation marks."""
    return char in _NOISE or ((char < " " or "\x7f" <= char < "\xa0") and not char.isspace())


def is_word(char: str) -> bool:
    """True for letters, digits, the marks that sit on letters, and `_`."""
    if ord(char) >= LIMIT:
        return ord(char) < IDEOGRAPHS_END
    return char.isalnum() or char == "_" or (unicodedata.category(char)[0] == "M" and char not in _NOISE)


@cache
def markup_table() -> npt.NDArray[np.uint32]:
    """`table()` with `<` and `&` as hard as what needs `unicodedata`: a text without them costs nothing more."""
    marked = table().copy()
    marked[[ord("<"), ord("&")]] |= np.uint32(HARD)
    return marked


@cache
def table() -> npt.NDArray[np.uint32]:
    """One uint32 for each code point below `LIMIT`: its lower case and the flags above."""
    folder = cache_folder()
    kept = folder and folder / f"unicode-{unicodedata.unidata_version}.npy"
    if kept is not None:
        try:
            found: npt.NDArray[np.uint32] = np.load(kept, allow_pickle=False)
            if found.shape == (LIMIT,) and found.dtype == np.uint32:
                return found
        except (OSError, ValueError):
            pass  # not there yet, or cut off: made anew
    made = _make()
    if kept is not None:
        with suppress(OSError):
            kept.parent.mkdir(mode=0o700, exist_ok=True)
            aside = kept.with_name(f"{kept.stem}.{os.getpid()}.npy")
            try:
                np.save(aside, made)
                aside.replace(kept)
            finally:
                aside.unlink(missing_ok=True)
    return made


def _make() -> npt.NDArray[np.uint32]:
    numbers = [*range(0xD800), *range(0xE000, LIMIT)]
    chars = [chr(number) for number in numbers]
    lower = [char.lower() for char in chars]
    parts = [unicodedata.decomposition(char) for char in chars]
    entries = np.array(
        [ord(small) if len(small) == 1 else ord(char) for char, small in zip(chars, lower, strict=True)], np.uint32
    )

    def mark(flag: int, holds: Iterable[object]) -> None:
        entries[np.fromiter(map(bool, holds), np.bool_, len(chars))] |= np.uint32(flag)

    mark(SPACE, (char.isspace() for char in chars))
    mark(NOISE, map(is_noise, chars))
    mark(WORD, map(is_word, chars))
    mark(DIGIT, (char.isdigit() for char in chars))
    mark(HARD, map(unicodedata.combining, chars))
    mark(HARD, (len(small) != 1 for small in lower))
    mark(HARD, (part and not unicodedata.is_normalized("NFC", char) for char, part in zip(chars, parts, strict=True)))

    out = np.zeros(LIMIT, np.uint32)
    out[numbers] = entries
    joined = {int(half, 16) for part in parts if part and part[0] != "<" for half in part.split()[1:]}
    joined.update(range(0x1161, 0x11C3))  # Hangul vowels and finals: NFC joins them too
    joined.add(0x03A3)  # capital sigma: its lower case depends on its place in the word
    out[[number for number in joined if number < LIMIT]] |= HARD
    return out
