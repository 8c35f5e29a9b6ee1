"""The compiled loops of the duplicate search, held against their plain definitions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import assume, given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

from cauce.data import shingles

TEXTS = st.text(alphabet="abc 12", max_size=14)


def chars(text: str) -> npt.NDArray[np.uint32]:
    return np.array([ord(char) for char in text], np.uint32)


def plain(first: str, second: str) -> int:
    """The whole table: add, drop, change, swap two neighbors; a digit counts more."""

    def price(*symbols: str) -> int:
        return max(shingles.DIGIT_EDITS if symbol.isdigit() else 1 for symbol in symbols)

    table = {(-1, -1): 0}
    for i, symbol in enumerate(first):
        table[i, -1] = table[i - 1, -1] + price(symbol)
    for j, symbol in enumerate(second):
        table[-1, j] = table[-1, j - 1] + price(symbol)
    for i, one in enumerate(first):
        for j, other in enumerate(second):
            ways = [
                table[i - 1, j] + price(one),
                table[i, j - 1] + price(other),
                table[i - 1, j - 1] + (0 if one == other else price(one, other)),
            ]
            if i and j and one == second[j - 1] and other == first[i - 1]:
                ways.append(table[i - 2, j - 2] + price(one, other))
            table[i, j] = min(ways)
    return table[len(first) - 1, len(second) - 1]


@given(first=TEXTS, second=TEXTS, most=st.integers(1, 6))
@example_settings(deadline=None, max_examples=400)
def test_the_edits_in_a_band_are_those_of_the_whole_table(first: str, second: str, most: int) -> None:
    rows = np.zeros((3, 40), np.int64)  # what an earlier pair has left
    found = shingles.edits(chars(first), chars(second), most, True, rows)
    assert found == min(plain(first, second), most + 1)


@given(text=st.text(alphabet="abcdef ", min_size=12, max_size=32), place=st.integers(0, 31), kind=st.integers(0, 3))
@example_settings(deadline=None, max_examples=200)
def test_two_short_keys_one_edit_apart_share_a_hash(text: str, place: int, kind: int) -> None:
    i = place % (len(text) - 1)
    other = (
        text[:i] + text[i + 1 :],
        text[:i] + "x" + text[i:],
        text[:i] + "x" + text[i + 1 :],
        text[:i] + text[i + 1] + text[i] + text[i + 2 :],
    )[kind]
    assume(len(other) >= shingles.SHORTEST)
    both = chars(text + other)
    offsets = np.array([0, len(text), len(text) + len(other)], np.int64)
    ends = np.cumsum(np.diff(offsets) + 1)
    hashes = np.empty(int(ends[-1]), np.uint64)
    shingles.delete(both, offsets, np.arange(2), ends, hashes)
    assert set(hashes[: ends[0]].tolist()) & set(hashes[ends[0] :].tolist())
