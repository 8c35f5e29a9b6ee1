"""Texts without labels: a text a line, or the text column of a file with or without labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from cauce.data.texts import texts
from cauce.errors import ColumnMissing, EmptyData, FileMissing


@pytest.mark.parametrize(
    ("name", "content", "column"),
    [
        ("a.txt", "one text\n\n  \nanother one\r\n", None),
        ("a_text.txt", "one text\nanother one", None),  # of a pair: the labels need not be there
        ("a.csv", "text\none text\nanother one\n", None),
        ("a.csv", 'id,tweet,label\n1,one text,x\n2,"another one",y\n3,,y\n', None),
        ("a.csv", "body,title\none text,x y z\nanother one,a b c\n", "body"),
        ("a.jsonl", '{"text": "one text"}\n{"text": "another one"}\n{"text": null}\n', None),
    ],
)
def test_every_text_that_is_there(name: str, content: str, column: str | None, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    assert texts(path, column).to_pylist() == ["one text", "another one"]


@pytest.mark.parametrize(
    ("name", "content"), [("a.txt", "\n \n"), ("b.txt", ""), ("a.csv", "text\n"), ("a.csv", "text,n\n,1\n,2\n")]
)
def test_a_file_without_texts(name: str, content: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(EmptyData):
        texts(path)


def test_no_file_and_no_such_column(tmp_path: Path) -> None:
    with pytest.raises(FileMissing):
        texts(tmp_path / "nothing.txt")
    path = tmp_path / "a.csv"
    path.write_text("text\nhello\n", encoding="utf-8")
    with pytest.raises(ColumnMissing):
        texts(path, "txt")
