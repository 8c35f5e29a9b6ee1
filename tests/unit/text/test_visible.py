"""Other people's texts: shown, not obeyed."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cauce.text.visible import JOINERS, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mrojo", "␛[31mrojo"),
        ("a\tb\r", "a␉b␍"),
        ("\x7f\x9b", "‹U+007F›‹U+009B›"),
        ("\u202eabc\u2028", "‹U+202E›abc‹U+2028›"),
        ("niño 👩‍💻 می‌خواهم", "niño 👩‍💻 می‌خواهم"),
    ],
)
def test_what_does_not_show_itself_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text())
def test_nothing_is_left_that_a_terminal_obeys(text: str) -> None:
    assert not [char for char in visible(text) if unicodedata.category(char) in ("Cc", "Cf", "Cs") and char not in JOINERS]
