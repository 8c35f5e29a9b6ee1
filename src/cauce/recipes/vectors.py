"""Word vectors from a file: those of the words that are needed, how much of the texts they cover, and which are near.

What is streamed keeps only the words that are asked for. A fastText binary is read whole, by gensim; it makes a vector for
any word of the word's n-grams.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from cauce.errors import UnknownName, UnreadableData, nearest, need
from cauce.recipes.vector_files import Floats, VectorFile, opened

FASTTEXT = struct.pack("<i", 793712314)  # how its binary begins
BLOCK = 4096  # words compared at a time


@dataclass(frozen=True)
class Vectors:
    """Words and their vectors.

    Attributes:
        words: those that were found.
        table: (words, width).
        name: the file's, for messages.

    """

    words: tuple[str, ...]
    table: Floats
    name: str

    def coverage(self, counts: Mapping[str, int]) -> str:
        """How much of the texts they cover, in words.

        Args:
            counts: how often each word stands in the texts.

        """
        found = [counts[word] for word in self.words if word in counts]
        words, every = len(found) / max(len(counts), 1), sum(found) / max(sum(counts.values()), 1)
        return f"{self.name} has {words:.1%} of the {len(counts)} different words of the texts, {every:.1%} of all their words"


def read(path: Path, wanted: Collection[str], first: int = 0) -> Vectors:
    """The vectors of the wanted words. A word that the file lacks takes that of one which differs in upper case only.

    Args:
        first: besides, so many of the file's first words in lower case; usually they are its most frequent.

    Raises:
        FileMissing, UnreadableData, LineTooLong: see `VectorFile`.
        MissingExtra: a fastText binary without gensim.

    """
    if _is_fasttext(path):
        return _of_fasttext(path, wanted, first)
    file = VectorFile(path)
    exact: dict[str, Floats] = {}
    folded: dict[str, Floats] = {}
    for number, entry in enumerate(file):
        if entry.word in wanted:
            if entry.word not in exact:
                exact[entry.word] = file.vector(entry)
        elif (word := entry.word.lower()) not in folded and (number < first or word in wanted):
            folded[word] = file.vector(entry)
    found = folded | exact
    return Vectors(tuple(found), np.stack([*found.values()]) if found else np.zeros((0, file.width), np.float32), path.name)


def near(path: Path, word: str, count: int = 10) -> list[tuple[str, float]]:
    """The words whose vectors point the same way as that of `word`, each with its cosine, the nearest first.

    Raises:
        UnknownName: the file has no such word.
        FileMissing, UnreadableData, LineTooLong, MissingExtra: as `read`.

    """
    if _is_fasttext(path):
        return [(other, float(cosine)) for other, cosine in _fasttext(path).most_similar(word, topn=count)]
    file = VectorFile(path)
    asked = _of_word(file, word)
    others = (entry for entry in file if entry.word != word)
    best: list[tuple[str, float]] = []
    while block := list(islice(others, BLOCK)):
        table = np.stack([file.vector(entry) for entry in block])
        lengths = np.linalg.norm(table, axis=1) * np.linalg.norm(asked)
        cosines = table @ asked / np.maximum(lengths, np.finfo(np.float32).tiny)
        best += [(entry.word, float(cosine)) for entry, cosine in zip(block, cosines, strict=True)]
        best = sorted(best, key=lambda pair: -pair[1])[:count]
    return best


def _of_word(file: VectorFile, word: str) -> Floats:
    seen: list[str] = []
    for entry in file:
        if entry.word == word:
            return file.vector(entry)
        if len(seen) < BLOCK:
            seen.append(entry.word)
    hint = nearest(word, seen) or f"it has, among others: {', '.join(seen[:5])}"
    raise UnknownName(f'{file.path.name} has no vector of "{word}"', hint=hint)


def _is_fasttext(path: Path) -> bool:
    with opened(path) as file:
        return file.read(len(FASTTEXT)) == FASTTEXT


def _fasttext(path: Path) -> Any:
    """The vectors of a fastText binary."""
    fasttext = need("gensim.models.fasttext", extra="word2vec", what="a fastText binary")
    try:
        return fasttext.load_facebook_vectors(str(path))
    except (struct.error, EOFError, AssertionError, ValueError, NotImplementedError, UnicodeDecodeError, OSError) as error:
        said = f": {error}" if str(error) else ""
        raise UnreadableData(
            f"not a whole fastText binary{said}", where=str(path), hint="copy the file again, or use the .vec beside it"
        ) from None


def _of_fasttext(path: Path, wanted: Collection[str], first: int) -> Vectors:
    known = _fasttext(path)
    words = dict.fromkeys([*(word.lower() for word in known.index_to_key[:first]), *wanted])
    found = {word: known[word] for word in words if word in known}
    table = np.stack([*found.values()]).astype(np.float32) if found else np.zeros((0, known.vector_size), np.float32)
    return Vectors(tuple(found), table, path.name)
