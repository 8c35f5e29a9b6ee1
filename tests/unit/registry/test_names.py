"""What a model may be called, and how one of its versions is written."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cauce.errors import NameInvalid
from cauce.registry.names import Reference, check_alias, check_name, parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sentiment", Reference("sentiment", "champion")),
        ("s", Reference("s")),
        ("a.b-c_9", Reference("a.b-c_9")),
        ("m@challenger", Reference("m", "challenger")),
        ("m@0123abcd", Reference("m", "0123abcd")),
    ],
)
def test_a_reference_is_read(text: str, expected: Reference) -> None:
    assert parse(text) == expected
    assert parse(str(expected)) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "..", ".", "../m", "a/b", "/m", "a\\b", "-m", "_m", "m ", "m\n", "m\0", "😀", "ñ", "x" * 101, "echo"),
        *("m@", "@m", "m@a@b", "m@../x", "m@abc"),
    ],
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(NameInvalid) as caught:
        parse(text)
    assert caught.value.hint


def test_the_hint_names_a_name_that_would_do() -> None:
    with pytest.raises(NameInvalid) as caught:
        check_name("Opiniónes/España 😀")
    assert '"Opiniones-Espana"' in caught.value.hint


@pytest.mark.parametrize("alias", ["cafe", "1", "f" * 64, "0123"])
def test_an_alias_never_reads_as_a_version(alias: str) -> None:
    with pytest.raises(NameInvalid, match="beginning of a version"):
        check_alias(alias)


@given(st.text())
def test_every_text_is_a_reference_or_refused(text: str) -> None:
    try:
        found = parse(text)
    except NameInvalid as refused:
        assert refused.hint  # noqa: PT017
    else:
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", found.name)
        assert found == parse(str(found))
