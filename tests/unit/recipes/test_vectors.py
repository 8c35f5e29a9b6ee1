"""Word vectors: every format gives the same, only what is asked for is kept, and what is wrong is told with its line."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cauce.errors import CauceError, EmptyData, FileMissing, LineTooLong, UnknownName, UnreadableData
from cauce.recipes import vectors
from cauce.recipes.vector_files import LONGEST, Floats
from cauce.recipes.vectors import Vectors, near, read
from cauce.recipes.word2vec import Word2Vec, save, train

WORDS = ("the", "café", "Paris", "niño", "😀", "#ok")
TABLE = np.random.default_rng(0).standard_normal((len(WORDS), 7)).astype(np.float32)


def text(*, header: bool, ending: str = "\n") -> bytes:
    rows = [f"{len(WORDS)} {TABLE.shape[1]}"] if header else []
    rows += [f"{word} {' '.join(map(repr, row))}" for word, row in zip(WORDS, TABLE.tolist(), strict=True)]
    return "".join(row + ending for row in rows).encode()


def binary(*, ending: bytes = b"") -> bytes:
    rows = [word.encode() + b" " + row.tobytes() + ending for word, row in zip(WORDS, TABLE, strict=True)]
    return f"{len(WORDS)} {TABLE.shape[1]}\n".encode() + b"".join(rows)


FORMATS: dict[str, Callable[[], bytes]] = {
    "word2vec text": lambda: text(header=True),
    "fastText vec, a space before each line's end": lambda: text(header=True, ending=" \n"),
    "Windows line ends": lambda: text(header=True, ending="\r\n"),
    "GloVe": lambda: text(header=False),
    "GloVe, the last line without its end": lambda: text(header=False).rstrip(b"\n"),
    "word2vec binary": binary,
    "word2vec binary with line ends": lambda: binary(ending=b"\n"),
    "gz": lambda: gzip.compress(text(header=True)),
    "gz of a binary": lambda: gzip.compress(binary()),
}


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_gives_the_words_that_are_asked_for(form: str, tmp_path: Path) -> None:
    path = tmp_path / "vectors"
    path.write_bytes(FORMATS[form]())
    found = read(path, {"niño", "the", "nowhere"})
    assert set(found.words) == {"niño", "the"}
    for word, row in zip(found.words, found.table, strict=True):
        np.testing.assert_allclose(row, TABLE[WORDS.index(word)], rtol=1e-6)


@pytest.mark.parametrize("form", FORMATS)
def test_half_a_file_is_never_taken_for_a_whole_one(form: str, tmp_path: Path) -> None:
    path = tmp_path / "vectors"
    whole = FORMATS[form]()
    path.write_bytes(whole[: len(whole) * 3 // 5])
    with pytest.raises(UnreadableData) as caught:
        read(path, {"the"})
    assert str(path) in caught.value.where
    assert caught.value.hint


def test_a_fasttext_binary_makes_vectors_of_words_that_it_has_not_seen(tmp_path: Path) -> None:
    fasttext = pytest.importorskip("gensim.models.fasttext")
    model = fasttext.FastText([["hello", "world", "hola", "mundo"]] * 5, vector_size=8, min_count=1, epochs=1, bucket=100)
    path = tmp_path / "model.bin"
    fasttext.save_facebook_model(model, str(path))
    found = read(path, {"hello", "helloo"}, first=2)
    assert {"hello", "helloo"} <= set(found.words)
    assert found.table.shape == (len(found.words), 8)
    np.testing.assert_allclose(found.table[found.words.index("hello")], model.wv["hello"], rtol=1e-5)
    assert len(near(path, "world", 2)) == 2
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(UnreadableData, match="not a whole fastText binary"):
        read(path, {"hello"})


def test_a_word_takes_the_vector_of_its_capital_form_only_where_it_has_none(tmp_path: Path) -> None:
    path = tmp_path / "vectors.txt"
    path.write_text("Paris 1 1\nHola 2 2\nhola 3 3\nHOLA 4 4\n", encoding="utf-8")
    found = read(path, {"paris", "hola"})
    assert dict(zip(found.words, found.table[:, 0].tolist(), strict=True)) == {"paris": 1, "hola": 3}


def test_the_first_words_are_kept_besides(tmp_path: Path) -> None:
    path = tmp_path / "vectors.txt"
    path.write_bytes(text(header=False))
    assert set(read(path, {"#ok"}, first=2).words) == {"the", "café", "#ok"}


def test_a_word_with_spaces_in_it_is_no_vector_of_another_width(tmp_path: Path) -> None:
    path = tmp_path / "glove.txt"
    path.write_text("the 1 2 3\n. . . 4 5 6\nof 7 8 9\n", encoding="utf-8")
    assert read(path, {"of", ". . ."}).table.tolist() == [[4, 5, 6], [7, 8, 9]]


@pytest.mark.parametrize(
    ("content", "kind", "said", "place"),
    [
        (b"the 1 2 3\nof 1 2\nand 1 2 3\n", UnreadableData, "2 numbers, where", "line 2"),
        (b"the 1 2 3\nof 1 2 3 4\n", UnreadableData, "4 numbers, where", "line 2"),
        (b"2 3\nthe 1 2 3\nof 1 2\n", UnreadableData, "2 numbers", "line 3"),
        (b"the 1 2\ncaf\xe9 1 2\n", UnreadableData, "not UTF-8", "line 2"),
        (b"the 1 2\nof 1 x\n", UnreadableData, "no number", "line 2"),
        (b"the 1 2\nof 1 nan\n", UnreadableData, "no number", "line 2"),
        (b"", UnreadableData, "not a file of word vectors", "line 1"),
        (b"text,label\nhello,a\n", UnreadableData, "not a file of word vectors", "line 1"),
        (b"\x80\x04\x95gensim", UnreadableData, "not a file of word vectors", "line 1"),
        (b"PK\x03\x04glove", UnreadableData, "not a file of word vectors", "line 1"),
        (b"x" * (LONGEST + 1), LineTooLong, "a line of over", "line 1"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(
    content: bytes, kind: type[CauceError], said: str, place: str, tmp_path: Path
) -> None:
    path = tmp_path / "vectors.txt"
    path.write_bytes(content)
    with pytest.raises(kind, match=said) as caught:
        read(path, {"of"})
    assert caught.value.where == f"{path}, {place}"
    assert caught.value.hint


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.txt", tmp_path):
        with pytest.raises(FileMissing):
            read(path, {"of"})


def test_coverage_counts_words_and_how_often_they_stand() -> None:
    some = Vectors(("a", "b", "unused"), np.zeros((3, 2), np.float32), "some.txt")
    assert some.coverage({"a": 7, "b": 1, "c": 1, "d": 1}) == (
        "some.txt has 50.0% of the 4 different words of the texts, 80.0% of all their words"
    )


def test_the_nearest_words_point_the_same_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "BLOCK", 2)  # several blocks
    path = tmp_path / "vectors.txt"
    path.write_text("a 1 0\nb 2 0.1\nc -1 0\nd 0 1\ne 5 0\nzero 0 0\n", encoding="utf-8")
    found = near(path, "a", 2)
    assert [word for word, _ in found] == ["e", "b"]
    assert found[0][1] == pytest.approx(1)
    with pytest.raises(UnknownName) as caught:
        near(path, "zeroo")
    assert caught.value.hint


@pytest.mark.parametrize("skip_gram", [True, False])
@pytest.mark.parametrize("name", ["out.vec", "out.vec.gz"])
def test_trained_vectors_are_the_same_again_and_can_be_read(name: str, tmp_path: Path, *, skip_gram: bool) -> None:
    pytest.importorskip("gensim")
    texts = [["good", "day", "sun"], ["bad", "day", "rain"]] * 20 + [["once"]]
    how = Word2Vec(skip_gram=skip_gram, size=6, epochs=2)
    trained = train(texts, how, "made")
    assert set(trained.words) == {"day", "good", "bad", "sun", "rain"}
    again: Floats = train(texts, how, "made").table
    np.testing.assert_array_equal(trained.table, again)
    path = tmp_path / name
    save(trained, path)
    found = read(path, {"day"})
    np.testing.assert_allclose(found.table[0], trained.table[trained.words.index("day")], rtol=1e-4)
    assert [child.name for child in tmp_path.iterdir()] == [name]


def test_texts_of_which_no_word_is_left() -> None:
    pytest.importorskip("gensim")
    with pytest.raises(EmptyData, match="no word stands 2 times in made"):
        train([["a", "b"]], Word2Vec(), "made")


def test_a_first_line_that_promises_too_much_does_not_take_memory(tmp_path: Path) -> None:
    path = tmp_path / "vectors.bin"
    path.write_bytes(b"999999999999 300\n" + b"the " + struct.pack("<300f", *[0.5] * 300))
    with pytest.raises(UnreadableData, match="ends after 1 words of 999999999999"):
        read(path, {"the"})
