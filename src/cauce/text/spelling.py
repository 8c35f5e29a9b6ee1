"""Spelling correction with the words of the training texts: a word that they do not have becomes the nearest that they do.

Works on normalized texts. Links, mentions, hashtags, whatever holds a digit, and words of up to three letters stay as they
are. The search is symspellpy's (Garbe's symmetric deletes); the dictionary is a plain JSON file of the model folder.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import pyarrow as pa

from cauce.errors import need
from cauce.text.unicode import is_word

FILE = "spelling.json"
LEAST_LETTERS = 4
TWO_EDITS_FROM = 8  # letters; shorter words may be one edit off
LEAST_COUNT = 3  # of a word in the training texts, to be what another is corrected to: rarer ones may be faults too
REMEMBERED = 1 << 16  # corrections kept

# Links and their placeholder, addresses, mentions and hashtags, `a.b` and `a/b` (too unclear to touch); then words; then
# whatever holds a digit.
_PIECE = re.compile(
    r"(?:http\b|https://|www\.)\S*+|[\w.+-]{1,64}+@\w\S*+|[@#]\w++|\w++(?:[./]\w++)++|(?P<word>[^\W\d_]++)(?!\w)|\w++"
)


class Spelling:
    """The words of the training texts and how often each came; finds the nearest of them.

    Raises:
        MissingExtra: symspellpy is not installed.

    """

    def __init__(self, counts: dict[str, int]) -> None:
        self.counts = counts
        self._search: Any = need("symspellpy", extra="spelling", what="spelling correction")
        self._index = self._search.SymSpell(max_dictionary_edit_distance=2)
        for word in sorted(counts):
            if counts[word] >= LEAST_COUNT:
                self._index.create_dictionary_entry(word, counts[word])
        self._lock = Lock()
        self._nearest = lru_cache(REMEMBERED)(self._look_up)

    @classmethod
    def learn(cls, normalized: Iterable[str]) -> Spelling:
        """The words of normalized texts."""
        counts: Counter[str] = Counter()
        for text in normalized:
            counts.update(piece["word"] for piece in _PIECE.finditer(text) if piece["word"])
        return cls(dict(counts))

    @classmethod
    def open(cls, folder: Path) -> Spelling:
        """The dictionary of a model folder.

        Raises:
            ValueError: it is not a JSON object of words and counts.

        """
        counts = json.loads((folder / FILE).read_text(encoding="utf-8"))
        if not isinstance(counts, dict) or not all(isinstance(count, int) for count in counts.values()):
            raise ValueError(f"{FILE} is not an object of words and counts")
        return cls(counts)

    def save(self, folder: Path) -> str:
        """Write the dictionary; returns the name of the file."""
        content = json.dumps(self.counts, ensure_ascii=False, sort_keys=True, indent=0)
        (folder / FILE).write_text(content + "\n", encoding="utf-8", newline="\n")
        return FILE

    def correct(self, normalized: str) -> str:
        """A normalized text with its unknown words corrected."""
        return _PIECE.sub(self._corrected, normalized)

    def apply(self, normalized: pa.Array) -> pa.Array:
        """Each text corrected, (n,) large_string, nulls kept."""
        texts = [text if text is None else self.correct(text) for text in normalized.to_pylist()]
        return pa.array(texts, pa.large_string())

    def _corrected(self, piece: re.Match[str]) -> str:
        word = piece["word"]
        if word is None or len(word) < LEAST_LETTERS or word in self.counts:
            return piece[0]
        around = piece.string[piece.start() - 1 : piece.start()] + piece.string[piece.end() : piece.end() + 1]
        if any(map(is_word, around)):
            return word  # a mark that sits on a letter is part of the word, though `re` does not think so
        return self._nearest(word)

    def _look_up(self, word: str) -> str:
        """The known word with the fewest edits; of equals the most frequent, then the first by letters."""
        edits = 2 if len(word) >= TWO_EDITS_FROM else 1
        with self._lock:  # symspellpy counts in a buffer that all its calls share
            found = self._index.lookup(word, self._search.Verbosity.CLOSEST, max_edit_distance=edits)
        return min(found, key=lambda near: (-near.count, near.term)).term if found else word
