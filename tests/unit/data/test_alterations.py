"""Each way to alter a text: what it does, and what it never touches."""

from __future__ import annotations

import re
from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cauce.data.alterations import ALTERATIONS, without_accents
from cauce.data.words import Words

FIXED = "@ana https://x.es/a?b=c #España 100 3,5 😍 👩‍👧 :D a@b.es"
TEXT = f"No me gusta nada el servicio {FIXED} pero la atención nunca fue mala, ni un día sin sonreír"
NEGATIONS = ["No", "nada", "nunca", "ni", "sin"]
KINDS = sorted(ALTERATIONS)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_word_stays_and_so_does_every_negation(kind: str) -> None:
    for seed in range(200):
        altered = ALTERATIONS[kind](TEXT, Random(seed), 0.5)
        places = [altered.find(piece) for piece in FIXED.split()]
        assert -1 not in places, altered
        assert places == sorted(places), altered
        assert [word for word in re.findall(r"\w+", altered) if word in NEGATIONS] == NEGATIONS, altered


@pytest.mark.parametrize("kind", KINDS)
@given(text=st.text(), seed=st.integers(0, 9), share=st.floats(0.01, 1))
def test_any_text_can_be_altered_and_the_seed_decides(kind: str, text: str, seed: int, share: float) -> None:
    once, again = (ALTERATIONS[kind](text, Random(seed), share) for _ in range(2))
    assert once == again
    assert bool(once.strip()) == bool(text.strip())


def test_swapped_words_are_neighbors_and_none_is_lost() -> None:
    for seed in range(50):
        altered = ALTERATIONS["swap"](TEXT, Random(seed), 0.3)
        assert Counter(altered.split()) == Counter(TEXT.split())
        assert altered != TEXT
        assert "No me" in altered
        assert "nunca fue" in altered
    assert ALTERATIONS["swap"]("hola, mundo", Random(0), 1) == "hola, mundo"  # a comma between them: no neighbors


def test_a_word_left_out_leaves_one_space() -> None:
    found = {ALTERATIONS["delete"]("uno dos tres", Random(seed), 0.1) for seed in range(30)}
    assert found == {"dos tres", "uno tres", "uno dos "}
    assert ALTERATIONS["delete"]("uno", Random(0), 1) == "uno"


def test_inserted_words_are_the_texts_own() -> None:
    for seed in range(30):
        altered = ALTERATIONS["insert"]("no es bueno", Random(seed), 0.1).split()
        assert len(altered) == 4
        assert altered.count("no") == 1
        assert set(altered) == {"no", "es", "bueno"}


def test_typing_faults_are_one_key_away() -> None:
    found = {ALTERATIONS["typos"]("gata hola", Random(seed), 0.1) for seed in range(1000)}
    assert {"gara hola", "gaa hola", "gtaa hola"} <= found
    assert not any("ñ" in text or text[0] != "g" for text in found)  # no ñ on an English keyboard; the first letter stays
    spanish = {ALTERATIONS["typos"]("¡hola!", Random(seed), 0.1) for seed in range(1000)}
    assert "¡hoña!" in spanish
    assert ALTERATIONS["typos"]("MAMÁ", Random(0), 1).isupper()
    assert ALTERATIONS["typos"]("sí me va", Random(0), 1) == "sí me va"  # too short


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("El niño comió MUCHÍSIMO pingüino", "El nino comio MUCHISIMO pinguino"),
        ("man\u0303ana #España @añil", "manana #España @añil"),
        ("Привет, йога", "Привет, йога"),
        ("नमस्ते", "नमस्ते"),
    ],
)
def test_dropped_accents(text: str, wanted: str) -> None:
    assert ALTERATIONS["accents"](text, Random(0), 0.1) == wanted


@given(st.text())
def test_a_word_without_accents_has_none_to_drop(text: str) -> None:
    once = without_accents(text)
    assert without_accents(once) == once


def test_a_hundred_words_lose_their_share() -> None:
    text = " ".join(f"{letter}a" for letter in "bcdfghjklm" * 10)
    assert len(Words.of(ALTERATIONS["delete"](text, Random(0), 0.2)).words) == 80
