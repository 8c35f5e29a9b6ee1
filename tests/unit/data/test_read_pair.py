"""The pair in: `x_text.txt` beside `x_labels.txt`, and `mapping.txt`."""

from __future__ import annotations

from pathlib import Path

import pytest

from cauce.data.dataset import Dataset
from cauce.data.read import read
from cauce.errors import EmptyData, FileMissing, UnreadableData


def written(folder: Path, texts: str, labels: str, mapping: str | None = None) -> Path:
    (folder / "train_text.txt").write_bytes(texts.encode())
    (folder / "train_labels.txt").write_bytes(labels.encode())
    if mapping is not None:
        (folder / "mapping.txt").write_bytes(mapping.encode())
    return folder / "train_text.txt"


def examples(data: Dataset) -> list[tuple[str, str]]:
    return list(zip(data.rows.column("text").to_pylist(), data.labels.to_pylist(), strict=True))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_without_a_mapping_the_labels_are_as_written(end: str, tmp_path: Path) -> None:
    data = read(written(tmp_path, f"hola{end}adiós{end}", f"0{end}1{end}"))
    assert examples(data) == [("hola", "0"), ("adiós", "1")]
    assert data.notes == ()


@pytest.mark.parametrize("mapping", ["0\tnegative\n1\tvery positive\n", "0\tnegative\r\n1\tvery positive\r\n\r\n"])
def test_a_mapping_names_the_labels_and_this_is_said(mapping: str, tmp_path: Path) -> None:
    data = read(written(tmp_path, "a\nb\nc\n", "1\n0\n1\n", mapping))
    assert examples(data) == [("a", "very positive"), ("b", "negative"), ("c", "very positive")]
    assert data.notes == ("labels named by mapping.txt",)


def test_the_pair_may_be_named_by_its_beginning(tmp_path: Path) -> None:
    written(tmp_path, "a\n", "0\n")
    assert examples(read(tmp_path / "train")) == [("a", "0")]


def test_the_last_line_may_lack_its_end(tmp_path: Path) -> None:
    assert examples(read(written(tmp_path, "a\nb", "0\n1"))) == [("a", "0"), ("b", "1")]


def test_only_a_line_feed_ends_a_text(tmp_path: Path) -> None:
    texts = ["uno\u2028dos", "tres\rcuatro", "cinco\u0085seis\x0b\x0c\x1c", 'a "quoted, text']
    data = read(written(tmp_path, "\n".join(texts) + "\n", "0\n1\n2\n3\n"))
    assert examples(data) == [(text, str(i)) for i, text in enumerate(texts)]


def test_a_blank_line_is_a_row_without_a_text_and_moves_no_label(tmp_path: Path) -> None:
    data = read(written(tmp_path, "a\n\nc\nd\n", "0\n1\n2\n\n"))
    assert examples(data) == [("a", "0"), ("c", "2")]
    assert data.notes == ("left out: 1 row(s) without a label", "left out: 1 row(s) without a text")


def test_a_pair_of_unequal_length_is_refused_with_both_lengths(tmp_path: Path) -> None:
    with pytest.raises(UnreadableData, match=r"train_text.txt has 3 lines, train_labels.txt has 2") as caught:
        read(written(tmp_path, "a\nb\nc\n", "0\n1\n"))
    assert caught.value.where == str(tmp_path)
    assert caught.value.hint


def test_a_label_that_the_mapping_lacks_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(UnreadableData, match=r'"7" is not in mapping.txt') as caught:
        read(written(tmp_path, "a\nb\n", "0\n7\n", "0\tno\n1\tyes\n"))
    assert caught.value.where == f"{tmp_path / 'train_labels.txt'}, line 2"
    assert "0, 1" in caught.value.hint


def test_a_mapping_without_tabs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableData) as caught:
        read(written(tmp_path, "a\n", "0\n", "0 no\n"))
    assert str(tmp_path / "mapping.txt") in caught.value.where
    assert caught.value.hint


def test_texts_without_labels_beside_them_are_refused(tmp_path: Path) -> None:
    (tmp_path / "train_text.txt").write_text("a\n")
    with pytest.raises(FileMissing, match=r"no train_labels.txt beside train_text.txt") as caught:
        read(tmp_path / "train_text.txt")
    assert str(tmp_path) in caught.value.where
    assert caught.value.hint


def test_an_empty_pair_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmptyData) as caught:
        read(written(tmp_path, "", ""))
    assert "--text" not in caught.value.hint  # a pair has no columns to name
