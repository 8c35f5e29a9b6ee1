"""HTML to plain text: tags and what they hide go, everything that only looks like a tag stays, and no text takes long."""

from __future__ import annotations

import html
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cauce.text.markup import plain


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("<p>Hola</p><p>mundo</p>", " Hola  mundo "),
        ("Qué<br/>bien", "Qué bien"),
        ("mara<b>villo</b>so", "maravilloso"),
        ('<a href="x" title="a > b">aquí</a>', "aquí"),
        ("<SCRIPT>if (a<b) {}</script >fin", " fin"),
        ("<style type='text/css'>p {color: red}</style>fin", " fin"),
        ("un <!-- comentario <b> --> aparte", "un  aparte"),
        ("<!DOCTYPE html><html>x</html>", " x "),
        ("caf&eacute; &amp; t&#233; &#x1F60D;&nbsp;ya", "café & té 😍\xa0ya"),
        ("&lt;b&gt; &amp;amp;", "<b> &amp;"),
    ],
)
def test_markup_goes(text: str, wanted: str) -> None:
    assert plain(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "a < b and c > d",
        "a <b and c> d",
        "te quiero <3 y </3 no",
        "<user> dijo <sarcasm>",
        "mira <http://example.com/a> ya",
        "I <heart you",
        "precio <b",
        "<!-- sin fin > nunca",
        ">.< <_< (>_<)",
        "AT&T, R&D & co; example.com/?a=1&copy=2&lt=3",
        "&nosuch; &#99999999; &",
    ],
)
def test_what_is_no_markup_stays(text: str) -> None:
    assert plain(text) == text


def test_a_script_without_an_end_hides_nothing() -> None:
    assert plain("<script> gracias") == "  gracias"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_an_escaped_text_comes_back_whole(text: str) -> None:
    assert plain(f"<b>{html.escape(text)}</b>") == text


@pytest.mark.parametrize(
    "unit", ["<!--", "<a x='", "<a ", "</a ", "<script>", "<script></script", "<", "&", "<p>", '<a x="" ', "<!a", "<a '\""]
)
def test_a_hostile_text_takes_no_longer_than_another(unit: str) -> None:
    """The standard library's parser takes half a minute for some of these: its time grows with the square of the length."""
    start = time.process_time()
    plain(unit * (200_000 // len(unit)))
    assert time.process_time() - start < 2
