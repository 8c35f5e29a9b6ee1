"""What of a text may be altered: words of letters; never what would break."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cauce.data.words import Words, in_case_of, is_negation


@given(st.text())
def test_a_cut_text_joins_to_itself(text: str) -> None:
    words = Words.of(text)
    assert words.joined({}) == text
    assert len(words.gaps) == len(words.words) + 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("¡Hola, «qué» tal?", ("Hola", "qué", "tal")),
        ("don't — bien-estar y rock'n'roll", ("don't", "bien-estar", "y", "rock'n'roll")),
        ("@ana (@luis) #España example.com www.x.es https://x.es/a a@b.es", ()),
        ("3kg 100 2º ½ snake_case :D :smile: ;P <br> &amp; C:\\dir", ()),
        ("😍hola👍🏽 ❤️ 1️⃣ 👩‍👧", ("hola",)),
        ("नमस्ते man\u0303ana", ("नमस्ते", "man\u0303ana")),
        ("", ()),
    ],
)
def test_what_is_a_word(text: str, words: tuple[str, ...]) -> None:
    assert Words.of(text).words == words


def test_negations_in_both_languages_and_any_case() -> None:
    for word in ("no", "NUNCA", "ni", "Sin", "jamás", "jama\u0301s", "not", "don’t", "CAN'T", "ningún", "without"):
        assert is_negation(word), word
    for word in ("nota", "sí", "sino", "knot", "want"):
        assert not is_negation(word), word


@pytest.mark.parametrize(
    ("word", "new", "wanted"),
    [("Feliz", "contento", "Contento"), ("FELIZ", "contento", "CONTENTO"), ("y", "e", "e"), ("Y", "e", "E")],
)
def test_a_new_word_takes_the_capitals_of_the_old(word: str, new: str, wanted: str) -> None:
    assert in_case_of(word, new) == wanted
