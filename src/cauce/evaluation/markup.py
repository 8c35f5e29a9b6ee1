"""Somebody else's words in a page: escaped, and what does not show itself is shown."""

from __future__ import annotations

import html
import re

from cauce.text.visible import visible

_MARKDOWN = re.compile(r"([\\`*_\[\]|~#!])")


def escaped(text: str) -> str:
    """For HTML and SVG, between tags and in attributes."""
    return html.escape(visible(text))


def isolated(text: str) -> str:
    """For HTML: the direction of its letters changes nothing around it."""
    return f"<bdi>{escaped(text)}</bdi>"


def cut(text: str, length: int) -> str:
    """At most so many characters."""
    return text if len(text) <= length else text[: length - 1] + "…"


def in_markdown(text: str) -> str:
    """For a line or a table cell of Markdown."""
    return _MARKDOWN.sub(r"\\\1", html.escape(visible(text), quote=False))


def in_code(text: str) -> str:
    """For `code` of Markdown: no backtick ends it early."""
    return visible(text).replace("`", "ˋ").replace("|", "¦")
