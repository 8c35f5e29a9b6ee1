"""The words of a text, as word vectors and the vocabularies that we make know them."""

from __future__ import annotations

import re

import pyarrow as pa

from cauce.text.normalize import Normalizer

WORD = r"[@#]?\w+(?:['’]\w+)*|[^\w\s]"  # a mention, a hashtag, a word, or one sign
_WORD = re.compile(WORD)


def words(texts: pa.Array, normalizer: Normalizer = Normalizer()) -> list[list[str]]:
    """The words of each normalized text."""
    return [_WORD.findall(text) for text in normalizer.apply(texts).to_pylist()]
