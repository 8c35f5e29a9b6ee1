"""A user's file of synonyms.

    feliz<tab>contento, alegre      the word, and what may stand for it
    rápido, veloz, ligero           a group: each may stand for each other

Blank lines and lines that start with `#` are passed over. A word is looked up once and what stands for it is never looked
up again, so a file in a loop (a for b, b for a) does no harm.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path
from random import Random

from cauce.data.alterations import how_many
from cauce.data.encoding import to_utf8
from cauce.data.words import Words, in_case_of
from cauce.errors import EmptyData, FileMissing, UnreadableData


class Synonyms:
    """What may stand for each word, in lower case."""

    def __init__(self, known: dict[str, tuple[str, ...]]) -> None:
        self.known = known

    @classmethod
    def read(cls, path: Path) -> Synonyms:
        """Read a file of synonyms.

        Raises:
            FileMissing, EmptyData
            UnreadableData: a line that is neither a word with its synonyms nor a group; the line is named.

        """
        if not path.is_file():
            raise FileMissing(f"there is no file of synonyms {path}", hint="check the path")
        known: dict[str, dict[str, None]] = {}  # the inner one is a set that keeps its order
        content, _ = to_utf8(path.read_bytes(), str(path))
        for number, line in enumerate(content.decode().split("\n"), start=1):
            if line.strip() and not line.startswith("#"):
                for word, others in _entries(line.strip("\r\n"), f"{path}, line {number}"):
                    known.setdefault(word, {}).update(dict.fromkeys(other for other in others if other != word))
        kept = {word: tuple(others) for word, others in known.items() if others}
        if not kept:
            raise EmptyData(f"{path} has no synonyms", hint="a line is: word<tab>synonym, synonym")
        return cls(kept)

    def alter(self, text: str, random: Random, share: float) -> str:
        """Words of the text in other words, but no negation."""
        words = Words.of(text)
        found = [place for place in words.free() if _key(words.words[place]) in self.known]
        chosen = random.sample(found, min(how_many(share, len(words.words)), len(found)))
        new = {place: random.choice(self.known[_key(words.words[place])]) for place in chosen}
        return words.joined({place: in_case_of(words.words[place], word) for place, word in new.items()})


def _key(word: str) -> str:
    return unicodedata.normalize("NFC", word).lower()


def _entries(line: str, where: str) -> list[tuple[str, list[str]]]:
    """The words of a line, each with what may stand for it."""
    word, tab, rest = line.partition("\t")
    group = [_key(cell.strip()) for cell in rest.replace("\t", ",").split(",")] if tab else []
    cells = [_key(word.strip()), *group] if tab else [_key(cell.strip()) for cell in line.split(",")]
    if len(cells) < 2:
        hint = "a word, a tab and its synonyms; or words with commas between them"
        raise UnreadableData(f'"{cells[0]}" stands alone', where=where, hint=hint)
    if not all(cells):
        raise UnreadableData("an empty word", where=where, hint="a comma or a tab too many?")
    if tab and " " in cells[0]:
        raise UnreadableData(f'"{cells[0]}" is more than one word', where=where, hint="only its synonyms may be")
    return [(cells[0], cells[1:])] if tab else [(cell, cells) for cell in cells]
