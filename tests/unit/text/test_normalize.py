"""The normalizer: its fast form equals the plain reference on any Unicode, and does what its docs say."""

from __future__ import annotations

import unicodedata

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cauce.text.normalize import Normalizer

NORMALIZERS = [
    Normalizer(),
    Normalizer(lowercase=False, urls=False, users=False, repeats=0),
    Normalizer(repeats=1, users=False),
    Normalizer(lowercase=False, repeats=2),
    Normalizer(html=True),
    Normalizer(html=True, lowercase=False, urls=False, repeats=0),
]
TRICKY = st.text(
    st.sampled_from(
        "aA bBñÑ@@hHtTpPsS:/wW.__119 \t\n\r!!?<<>>&&;#"
        "\u0301\u00e9ΣσςİıK日😀\U0001f3fd\ufe0f\u200d\u200b\u1161\u1100\x00\x85\u2028\U00020000\U000e0020"
    )
)
MARKUP = ["<b>", "</b>", "<p class='x'>", "<br>", "&amp;", "&lt;", "&#233;", "<3", "< ", "ñ", "e\u0301", "<!--", "-->", "@a"]
ANY = st.text(st.characters(exclude_categories=["Cs"]))


@settings(max_examples=600, deadline=None)
@given(st.lists(st.one_of(TRICKY, ANY), max_size=12), st.sampled_from(NORMALIZERS))
@example(["@a" * 50, "ȺȾ" * 30, "İΣΑΣ" * 9], NORMALIZERS[0])
def test_the_fast_form_equals_the_reference(texts: list[str], normalizer: Normalizer) -> None:
    assert normalizer.apply(pa.array(texts, pa.string())).to_pylist() == [normalizer.reference(text) for text in texts]


def test_every_code_point_alone_and_between_letters() -> None:
    """All of Unicode once: the tables have no hole."""
    chars = [chr(number) for number in range(0x110000) if not 0xD800 <= number < 0xE000]
    blocks = ["".join(chars[i : i + 97]) for i in range(0, len(chars), 97)]
    spaced = [" x".join(chars[i : i + 211]) for i in range(0, len(chars), 211)]
    normalizer = Normalizer()
    for texts in (blocks, spaced):
        assert normalizer.apply(pa.array(texts)).to_pylist() == [normalizer.reference(text) for text in texts]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("  Hola,\t MUNDO \n", "hola, mundo"),
        ("holaaaaaaa!!!!!!", "holaaa!!!"),
        ("1000000 soles", "1000000 soles"),
        ("mira https://example.com/a?b=c, ya", "mira http ya"),
        ("www.example.com", "http"),
        ("a www.b", "a http"),
        ("awww.b", "awww.b"),
        ("@Ana_99: gracias @x", "@user: gracias @user"),
        ("ana@example.com", "ana@example.com"),
        ("man\u0303ana", "mañana"),
        ("❤️", "❤"),
        ("ze\u200bro\u00ad", "zero"),
        ("ΣΟΦΟΣ", "σοφος"),
        ("", ""),
        (" \u3000 ", ""),
    ],
)
def test_what_each_step_does(text: str, wanted: str) -> None:
    assert Normalizer().apply(pa.array([text])).to_pylist() == [wanted]
    assert Normalizer().reference(text) == wanted


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(MARKUP)))
def test_markup_too_is_the_same_in_both_forms(parts: list[str]) -> None:
    text, normalizer = "".join(parts), Normalizer(html=True)
    assert normalizer.apply(pa.array([text])).to_pylist() == [normalizer.reference(text)]


def test_html_is_left_out_where_it_is_asked_for_and_only_there() -> None:
    text = "<p>Caf&eacute; <b>&lt;3</b></p><script>x()</script>"
    assert Normalizer(html=True).apply(pa.array([text])).to_pylist() == ["café <3"]
    assert Normalizer().apply(pa.array([text])).to_pylist() == [text.lower()]


def test_steps_that_are_off_are_not_written_down() -> None:
    """A folder from before a step was there keeps its version."""
    assert Normalizer().model_dump(mode="json") == {"lowercase": True, "urls": True, "users": True, "repeats": 3}
    assert Normalizer(html=True).model_dump()["html"] is True
    assert Normalizer(**Normalizer(html=True, spelling=True).model_dump()) == Normalizer(html=True, spelling=True)


@given(ANY)
@settings(deadline=None)
def test_composed_and_decomposed_texts_meet(text: str) -> None:
    both = pa.array([unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text)])
    assert len(set(Normalizer().apply(both).to_pylist())) == 1


def test_nulls_and_slices_are_kept() -> None:
    column = pa.array(["SKIP", "UNO", None, "ΣΑΣ", "DOS"]).slice(1)
    assert Normalizer().apply(column).to_pylist() == ["uno", None, "σας", "dos"]


def test_many_rows_on_several_threads() -> None:
    texts = [f"Fila {i} ¡MUY {'o' * (i % 9)}!" for i in range(5000)]
    assert Normalizer().apply(pa.array(texts)).to_pylist() == [Normalizer().reference(text) for text in texts]
