"""Encodings gone wrong are mended where that is certain, and nothing else is touched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cauce.data.mojibake import broken, mended

FREE = (0x81, 0x8D, 0x8F, 0x90, 0x9D)  # bytes without a character in Windows-1252
FINE = [
    "año",
    "¿Qué tal? «Bien»",
    "CAFÉ»",
    "10 °C",
    "São João, ÃO",
    "l’été",
    "😀 ok",
    "&amp; so",
    "naïve Ærø",
    "Ünïcödé",
    "Привет",
    "日本",
]


@pytest.mark.parametrize("text", FINE)
def test_a_sound_text_stays(text: str) -> None:
    assert mended(text) == text


@pytest.mark.parametrize("text", ["año", "¿Qué tal?", "l’été", "100 €", "😀 qué bien", "“dijo”", "Ñandú"])
@pytest.mark.parametrize("times", [1, 2])
def test_utf_8_read_as_windows_1252_is_mended(text: str, times: int) -> None:
    wrong = text
    for _ in range(times):
        wrong = "".join(bytes([byte]).decode("cp1252") if byte not in FREE else chr(byte) for byte in wrong.encode())
    assert wrong != text
    assert mended(wrong) == text


def test_what_lacks_a_byte_is_told_and_left() -> None:
    assert mended("Ã¢ËœÅ and more") == "Ã¢ËœÅ and more"
    assert broken("Ã¢ËœÅ and more")
    assert not any(broken(text) for text in FINE)


def test_only_the_wrong_part_of_a_text_is_mended() -> None:
    assert mended("😀 aÃ±o, niño") == "😀 año, niño"


@pytest.mark.parametrize(
    ("text", "meant"), [("Tom &amp;amp; Ana", "Tom & Ana"), ("&amp;quot;sí&amp;quot;", '"sí"'), ("it&amp;#39;s", "it's")]
)
def test_html_that_was_escaped_twice_is_mended(text: str, meant: str) -> None:
    assert mended(text) == meant


@given(st.text(st.characters(max_codepoint=0x7F)).filter(lambda text: "&amp;" not in text))
def test_ascii_stays(text: str) -> None:
    assert mended(text) == text
