"""The words of a text, and what lies between them: only words are ever altered, so the rest cannot be broken."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from cauce.text.unicode import is_word

_CHUNK = re.compile(r"\S+")
_INSIDE = "'’-"  # part of a word where it stands between letters
_BEFORE_NO_WORD = frozenset("@#:;=<&/\\")  # a mention, a hashtag, `:D`, `:smile:`, `<br>`, `&amp;`, a path

# What turns the meaning, and so the label, of the words around it.
NEGATIONS = frozenset(
    "no not nor never none nobody nothing nowhere neither cannot without hardly barely scarcely ain't aint dont doesnt didnt "
    "cant couldnt wont wouldnt shouldnt isnt arent wasnt werent hasnt havent hadnt ni nunca jamás jamas nada nadie ningún "
    "ningun ninguno ninguna ningunos ningunas tampoco sin apenas".split()
)


@dataclass(frozen=True)
class Words:
    """A text as `gaps[0] + words[0] + gaps[1] + … + gaps[-1]`: one gap more than words.

    A word is letters alone. Links, mentions, hashtags, emoji, emoticons and whatever holds a digit lie in the gaps.
    """

    words: tuple[str, ...]
    gaps: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Words:
        """Cut a text."""
        words, gaps, end = [], [], 0
        for chunk in _CHUNK.finditer(text):
            if span := _word(chunk[0]):
                start = chunk.start() + span[0]
                gaps.append(text[end:start])
                end = chunk.start() + span[1]
                words.append(text[start:end])
        return cls(tuple(words), (*gaps, text[end:]))

    def joined(self, words: dict[int, str]) -> str:
        """The text with other words at some places."""
        pairs = zip(self.gaps, [words.get(place, word) for place, word in enumerate(self.words)], strict=False)
        return "".join(part for pair in pairs for part in pair) + self.gaps[-1]

    def free(self) -> list[int]:
        """The places of the words that are no negation."""
        return [place for place, word in enumerate(self.words) if not is_negation(word)]


def is_negation(word: str) -> bool:
    """True for a word that turns the meaning of others."""
    plain = unicodedata.normalize("NFC", word).lower().replace("’", "'")
    return plain in NEGATIONS or plain.endswith("n't")


def in_case_of(word: str, new: str) -> str:
    """`new` in capitals, or with a first one, where `word` has them."""
    if len(word) > 1 and word.isupper():
        return new.upper()
    return new[:1].upper() + new[1:] if word[:1].isupper() else new


def _word(chunk: str) -> tuple[int, int] | None:
    """Where the word of a chunk without spaces starts and ends; None where there is none that may be altered."""
    start, end = 0, len(chunk)
    while start < end and not is_word(chunk[start]):
        start += 1
    while end > start and not is_word(chunk[end - 1]):
        end -= 1
    core = chunk[start:end]
    if not core or not _BEFORE_NO_WORD.isdisjoint(chunk[:start]):
        return None
    if not core.isalpha() and not all(char in _INSIDE or (is_word(char) and _is_letter(char)) for char in core):
        return None
    return start, end


def _is_letter(char: str) -> bool:
    """True for letters and the marks on them: of what may stand in a word, not digits and `_`."""
    return not char.isnumeric() and char != "_"
