"""Encodings: decided from the bytes, said, and never guessed where two fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from cauce.data.read import read
from cauce.errors import UnreadableData

TEXTS = ["¿Qué tal? Muy “bueno”… 5 €", "niño, camión y pingüino", "CAFÉ à la crème", "¡¡¡¡Qué día!!!!"]
LABELS = ["sí", "no", "sí", "no"]


def written(folder: Path, content: bytes, name: str = "data.csv") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def refusal(path: Path) -> UnreadableData:
    with pytest.raises(UnreadableData) as caught:
        read(path)
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    ("encoding", "mark", "said"),
    [
        ("utf-8", b"", ""),
        ("utf-8", b"\xef\xbb\xbf", ""),
        ("utf-16-le", b"\xff\xfe", "read as UTF-16"),
        ("utf-16-be", b"\xfe\xff", "read as UTF-16"),
        ("utf-16-le", b"", "read as UTF-16 (without a mark)"),
        ("utf-16-be", b"", "read as UTF-16 (without a mark)"),
        ("utf-32-le", b"\xff\xfe\0\0", "read as UTF-32"),
        ("cp1252", b"", "read as Windows-1252"),
    ],
)
@pytest.mark.parametrize("name", ["data.csv", "data.jsonl"])
def test_every_usual_encoding_is_found_out_and_said(encoding: str, mark: bytes, said: str, name: str, tmp_path: Path) -> None:
    pattern = '"{}","{}"\n' if name == "data.csv" else '{{"text": "{}", "label": "{}"}}\n'
    lines = [pattern.format(text, label) for text, label in zip(TEXTS, LABELS, strict=True)]
    header = "text,label\n" if name == "data.csv" else ""
    data = read(written(tmp_path, mark + (header + "".join(lines)).encode(encoding), name))
    assert data.rows.column("text").to_pylist() == TEXTS
    assert data.labels.to_pylist() == LABELS
    assert [note for note in data.notes if note.startswith("read as")] == ([said] if said else [])


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["今天天气很好", "привет, мир".replace(",", ""), "Ā Ȁ", "😍"])
def test_utf_16_without_a_mark_is_found_in_other_scripts_too(text: str, encoding: str, tmp_path: Path) -> None:
    data = read(written(tmp_path, f"text,label\n{text},x\n{text},y\n".encode(encoding)))
    assert data.rows.column("text").to_pylist() == [text, text]


def test_utf_16_that_was_cut_is_refused(tmp_path: Path) -> None:
    assert "UTF-16" in refusal(written(tmp_path, "text,label\na,x\n".encode("utf-16")[:-1])).message


def test_the_pair_may_be_in_windows_1252(tmp_path: Path) -> None:
    written(tmp_path, "señal\n".encode("cp1252"), "train_text.txt")
    written(tmp_path, b"1\n", "train_labels.txt")
    data = read(tmp_path / "train")
    assert data.rows.column("text").to_pylist() == ["señal"]
    assert "train_text.txt is read as Windows-1252" in data.notes


def test_one_line_of_windows_1252_in_a_file_of_utf_8_is_refused_by_its_line(tmp_path: Path) -> None:
    lines = ["text,label\n", *(f"otra canción {i},x\n" for i in range(5))]
    raw = [line.encode() for line in lines]
    raw[3] = lines[3].encode("cp1252")
    error = refusal(written(tmp_path, b"".join(raw)))
    assert error.where.endswith("line 4")
    assert "byte 0xf3 at place 11" in error.message


def test_one_line_of_utf_8_in_a_file_of_windows_1252_is_refused_by_its_line(tmp_path: Path) -> None:
    lines = ["text,label\n", *(f"otra canción {i},x\n" for i in range(5))]
    raw = [line.encode("cp1252") for line in lines]
    raw[3] = lines[3].encode()
    error = refusal(written(tmp_path, b"".join(raw)))
    assert error.where.endswith("line 4")
    assert "UTF-8 from place 11" in error.message


def test_a_western_line_that_is_utf_8_by_chance_is_no_mixture(tmp_path: Path) -> None:
    # É” is valid UTF-8 for ɔ: told by what surrounds it
    text = "“JOSÉ”,x\nJOSÉ” y más,y\nniño,x\n"
    data = read(written(tmp_path, f"text,label\n{text}".encode("cp1252")))
    assert data.rows.column("text").to_pylist() == ["“JOSÉ”", "JOSÉ” y más", "niño"]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1251", "привет мир"),
        ("cp1253", "καλημέρα κόσμε"),
        ("shift_jis", "こんにちは"),
        ("gbk", "今天天气很好"),
        ("mac_roman", "camión mañana"),
        ("cp850", "camión mañana"),
    ],
)
def test_other_encodings_are_refused_and_not_read_as_nonsense(encoding: str, text: str, tmp_path: Path) -> None:
    error = refusal(written(tmp_path, f"text,label\nplain,x\n{text},y\n".encode(encoding)))
    assert error.where.endswith("line 3")
    assert "UTF-8" in error.message


def test_a_nul_alone_is_no_utf_16(tmp_path: Path) -> None:
    assert "NUL byte at place 2" in refusal(written(tmp_path, b"text,label\na\0,x\nab,y\n")).message
