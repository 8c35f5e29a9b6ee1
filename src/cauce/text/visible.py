"""Somebody else's text on a screen or a page: what does not show itself is shown, not obeyed."""

from __future__ import annotations

import unicodedata

HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")  # Unicode's categories of what does not show itself
JOINERS = "\u200c\u200d"  # parts of emoji and of words in Persian or Hindi


def visible(text: str) -> str:
    """The text with its control and direction characters as pictures or code points."""
    return "".join(_visible(char) for char in text)


def _visible(char: str) -> str:
    if char < " ":
        return chr(0x2400 + ord(char))  # the picture of a control character
    if unicodedata.category(char) in HIDDEN and char not in JOINERS:
        return f"‹U+{ord(char):04X}›"
    return char
