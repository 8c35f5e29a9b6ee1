"""Plain text out of HTML: tags, comments, scripts and styles left out, entities unescaped.

A scanner of our own and not the standard library's parser: that one reads broken HTML in another way from one patch
release of Python to the next, so two machines would give one model two answers, and a hostile text of 50,000 characters
can hold it for half a minute. This one looks at each character a bounded number of times.
"""

from __future__ import annotations

import html
import re

# Elements that may stand inside a word; every other one parts words, as a browser shows it.
INLINE = frozenset(
    "a abbr acronym b bdi bdo big cite code data del dfn em font i ins kbd mark meter nobr o:p output q rb ruby s samp "
    "small span strike strong sub sup time tt u var wbr".split()
)
BLOCK = frozenset(
    "address applet area article aside audio base basefont blockquote body br button canvas caption center col colgroup "
    "datalist dd details dialog dir div dl dt embed fieldset figcaption figure footer form frame frameset h1 h2 h3 h4 h5 h6 "
    "head header hgroup hr html iframe img input label legend li link main map marquee menu meta nav noframes noscript "
    "object ol optgroup option p param picture pre progress rp rt script search section select slot source style summary "
    "svg table tbody td template textarea tfoot th thead title tr track ul video".split()
)

_TAG = re.compile(r"""</?([a-zA-Z][a-zA-Z0-9:]*+)((?:\s|/)(?:"[^"<]*+"|'[^'<]*+'|[^<>"'])*+)?+>""")
_COMMENT_END = re.compile("-->")
_HIDDEN_END = {  # of the elements whose content is no text
    name: re.compile(rf"</{name}(?=[\s/>])[^<>]*+>", re.IGNORECASE | re.ASCII) for name in ("script", "style")
}
_DECLARATION = re.compile(r"<[!?][a-zA-Z\[][^<>]*+>")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")


def may_have_markup(text: str) -> bool:
    """False where `plain` would change nothing."""
    return "<" in text or "&" in text


def plain(text: str) -> str:
    """The text without its markup. What is not the tag of an HTML element stays: `a < b and c > d`, `<3`, `<user>`."""
    out: list[str] = []
    unclosed: set[re.Pattern[str]] = set()  # ends that were looked for and are not there: looking once is enough
    start = at = 0
    while (at := text.find("<", at)) >= 0:
        found = _markup(text, at, unclosed)
        if found is None:
            at += 1
            continue
        end, instead = found
        out += (_unescaped(text[start:at]), instead)
        start = at = end
    return "".join((*out, _unescaped(text[start:])))


def _markup(text: str, at: int, unclosed: set[re.Pattern[str]]) -> tuple[int, str] | None:
    """Where the markup that begins at `at` ends, and what stands in its place; None where the `<` is text."""
    if text.startswith("<!--", at):
        end = _end(_COMMENT_END, text, at + 4, unclosed)
        return None if end is None else (end, "")
    if declared := _DECLARATION.match(text, at):
        return declared.end(), ""
    tag = _TAG.match(text, at)
    if tag is None:
        return None
    name, rest = tag[1].lower(), tag[2] or ""
    if name not in INLINE and name not in BLOCK:
        return None
    if len(name) == 1 and rest.strip(" /") and "=" not in rest:
        return None  # `a <b and c> d` compares; `<a href="…">` is a tag
    end = tag.end()
    if name in _HIDDEN_END and text[at + 1] != "/":
        end = _end(_HIDDEN_END[name], text, end, unclosed) or end
    return end, "" if name in INLINE else " "


def _end(of: re.Pattern[str], text: str, start: int, unclosed: set[re.Pattern[str]]) -> int | None:
    """The place behind the next match, or None where there is none."""
    found = None if of in unclosed else of.search(text, start)
    if found is None:
        unclosed.add(of)
        return None
    return found.end()


def _unescaped(text: str) -> str:
    """Entities that end with `;` as the characters that they name. A link's `&copy=2` is none."""
    return _ENTITY.sub(lambda entity: html.unescape(entity[0]), text) if "&" in text else text
