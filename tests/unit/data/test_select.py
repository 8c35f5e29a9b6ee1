"""The texts to label next: unsure ones first, and no two alike."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from cauce.data.select import most_useful


def test_the_least_sure_text_comes_first_and_sure_ones_never() -> None:
    texts = pa.array([f"palabra{n} otra{n} cosa{n}" for n in range(100)])
    sure = np.linspace(0.5, 1.0, 100, dtype=np.float32)
    chosen = most_useful(texts, np.column_stack([sure, 1 - sure]), 3)
    assert chosen[0] == 0
    assert chosen.max() < 30


def test_ten_copies_are_asked_about_once_before_other_texts() -> None:
    copies = ["me encanta este producto", "me encanta este producto!", "Me encanta este producto"] * 5
    texts = [*copies, "the parcel never came", "¿a qué hora abren?", "zzz 123"]
    even = np.full((len(texts), 2), 0.5, np.float32)
    chosen = most_useful(pa.array(texts), even, 4).tolist()
    assert sorted(chosen) == [0, 15, 16, 17]


def test_a_text_without_an_answer_comes_last() -> None:
    scores = np.array([[np.nan, np.nan], [0.9, 0.1], [0.6, 0.4]], np.float32)
    assert sorted(most_useful(pa.array(["a b c", "d e f", "g h i"]), scores, 3)) == [0, 1, 2]
    assert most_useful(pa.array(["a b c", "d e f", "g h i"]), scores, 1).tolist() == [2]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=20), max_size=30), st.integers(1, 12), st.integers(0, 5))
def test_as_many_different_places_as_are_asked_for(texts: list[str], count: int, seed: int) -> None:
    texts = [text.encode(errors="ignore").decode() for text in texts]
    scores = np.random.default_rng(seed).dirichlet([1, 1, 1], len(texts)).astype(np.float32).reshape(len(texts), 3)
    chosen = most_useful(pa.array(texts, pa.string()), scores, count).tolist()
    assert len(chosen) == len(set(chosen)) == min(count, len(texts))
    assert all(0 <= place < len(texts) for place in chosen)
