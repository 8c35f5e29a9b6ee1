"""The n-grams of a text and their buckets, in plain Python: what the linear kernel must match, and what explains it.

Character n-grams run over the normalized text with one space on each side and stay within what spaces enclose: a space may
be their first or last character, never one between. A word is a run of word characters, or a run
of other characters that are not spaces (punctuation, emoji). Hashes are 32 bits wide, the bucket is the top bits.
"""

from __future__ import annotations

from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from cauce.text.hashing import CHAIN, CHAR_SEED, MIX, STEP, WORD_SEED
from cauce.text.unicode import is_word

_32 = 0xFFFFFFFF


class Ngrams(BaseModel):
    """Which n-grams are hashed into how many buckets (2 ** bits).

    The defaults were chosen once, by cross-validation over the training parts of six data sets; see docs/design-notes.md.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    char_low: int = Field(4, ge=1, le=8)
    char_high: int = Field(5, ge=1, le=8)
    word_high: int = Field(2, ge=0, le=4)
    bits: int = Field(18, ge=8, le=24)

    def reference(self, normalized: str) -> list[Ngram]:
        """All n-grams of a normalized text, with repeats."""
        return [*self._chars(f" {normalized} "), *self._words(normalized)]

    def _chars(self, padded: str) -> list[Ngram]:
        out = []
        for start in range(len(padded)):
            hashed = int(CHAR_SEED)
            for order, char in enumerate(padded[start : start + self.char_high], start=1):
                if order > 2 and padded[start + order - 2] == " ":
                    break
                hashed = ((hashed ^ ord(char)) * int(STEP)) & _32
                if order >= self.char_low:
                    out.append(Ngram(start - 1, start - 1 + order, self._bucket(hashed)))
        return out

    def _words(self, text: str) -> list[Ngram]:
        out = []
        words: list[tuple[int, int]] = []  # where the word starts, its hash
        i = 0
        while i < len(text):
            if text[i] == " ":
                i += 1
                continue
            start, kind, hashed = i, is_word(text[i]), int(WORD_SEED)
            while i < len(text) and text[i] != " " and is_word(text[i]) == kind:
                hashed = ((hashed ^ ord(text[i])) * int(STEP)) & _32
                i += 1
            words.append((start, hashed))
            chain = 0
            for back, (first, word) in enumerate(reversed(words[-self.word_high :] if self.word_high else [])):
                chain = (chain * int(CHAIN) + word) & _32
                out.append(Ngram(first, i, self._bucket((chain + back) & _32)))
        return out

    def _bucket(self, hashed: int) -> int:
        hashed = ((hashed ^ (hashed >> 16)) * int(MIX)) & _32
        hashed = ((hashed ^ (hashed >> 13)) * int(CHAIN)) & _32
        return hashed >> (32 - self.bits)


class Ngram(NamedTuple):
    """Where an n-gram starts and ends in the normalized text (the spaces around it are at -1 and at its length)."""

    start: int
    end: int
    bucket: int
