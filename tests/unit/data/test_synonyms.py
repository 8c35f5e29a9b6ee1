"""A user's synonyms: both forms of a line, files in a loop, and lines that are wrong."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from cauce.data.synonyms import Synonyms
from cauce.errors import EmptyData, FileMissing, UnreadableData


def read(folder: Path, content: str) -> Synonyms:
    path = folder / "synonyms.txt"
    path.write_text(content, encoding="utf-8")
    return Synonyms.read(path)


def test_a_tab_gives_a_word_its_synonyms_and_commas_make_a_group(tmp_path: Path) -> None:
    found = read(tmp_path, "\ufeff# a comment\nFeliz\tcontento, muy alegre\n\nrápido,veloz,ligero\nbus\tmicro\tcolectivo\r\n")
    assert found.known == {
        "feliz": ("contento", "muy alegre"),
        "rápido": ("veloz", "ligero"),
        "veloz": ("rápido", "ligero"),
        "ligero": ("rápido", "veloz"),
        "bus": ("micro", "colectivo"),
    }


def test_words_are_replaced_in_their_case_and_negations_are_not(tmp_path: Path) -> None:
    synonyms = read(tmp_path, "feliz\tcontento\nno\tsí\n")
    assert synonyms.alter("¡Feliz! FELIZ, no #feliz", Random(0), 1) == "¡Contento! CONTENTO, no #feliz"
    assert synonyms.alter("nada que ver", Random(0), 1) == "nada que ver"


def test_a_file_in_a_loop_neither_hangs_nor_grows(tmp_path: Path) -> None:
    synonyms = read(tmp_path, "a\tb\nb\ta\na\tb\nc,c,d\nd\td,e f\n")
    assert synonyms.known == {"a": ("b",), "b": ("a",), "c": ("d",), "d": ("c", "e f")}
    assert synonyms.alter("a b a b", Random(0), 1) == "b a b a"
    text = "c"
    for seed in range(50):
        text = synonyms.alter(text, Random(seed), 1)
        assert len(text.split()) <= 2 + seed  # one word more a round at most: what stands in is not looked up again


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        ("a\tb\nsola\n", 2, '"sola" stands alone'),
        ("a\tb\n\nc,,d\n", 3, "an empty word"),
        ("a\t\n", 1, "an empty word"),
        ("\tb\n", 1, "an empty word"),
        ("buenos días\thola\n", 1, "more than one word"),
    ],
)
def test_a_wrong_line_is_named(content: str, line: int, said: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableData, match=said) as caught:
        read(tmp_path, content)
    assert caught.value.where.endswith(f"synonyms.txt, line {line}")
    assert caught.value.hint


def test_a_file_that_is_missing_empty_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(FileMissing):
        Synonyms.read(tmp_path / "none.txt")
    with pytest.raises(EmptyData):
        read(tmp_path, "# nothing\nx\tx\n")
    (tmp_path / "latin.txt").write_bytes("a\tb\nrápido\tveloz".encode("cp1252"))
    assert Synonyms.read(tmp_path / "latin.txt").known["rápido"] == ("veloz",)
    (tmp_path / "cut.txt").write_bytes(b"a\tb\nr\x00pido\tveloz")
    with pytest.raises(UnreadableData, match="NUL") as caught:
        Synonyms.read(tmp_path / "cut.txt")
    assert "line 2" in caught.value.where
