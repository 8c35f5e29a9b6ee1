"""A file that is not what it says is refused: the class, the place, and what to do."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from cauce.data.columns import Columns
from cauce.data.read import read
from cauce.errors import (
    ColumnMissing,
    EmptyData,
    FileMissing,
    InputError,
    LineTooLong,
    UnknownName,
    UnreadableData,
)
from cauce.settings import settings


@pytest.fixture
def short_lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lines and cells of 100 bytes at most."""
    monkeypatch.setenv("CAUCE_MAX_LINE_BYTES", "100")
    settings.cache_clear()
    yield
    settings.cache_clear()


def refusal(path: Path, columns: Columns = Columns()) -> InputError:
    with pytest.raises(InputError) as caught:
        read(path, columns)
    assert caught.value.hint, "every refusal says what to do"
    assert caught.value.exit_code == 2
    return caught.value


def written(folder: Path, content: str | bytes, name: str = "data.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_missing_file_suggests_the_nearest_name(tmp_path: Path) -> None:
    written(tmp_path, "text,label\na,x\n", "messages.csv")
    error = refusal(tmp_path / "mesages.csv")
    assert (type(error), error.code) == (FileMissing, "file_missing")
    assert str(tmp_path / "mesages.csv") in error.message
    assert error.hint == 'did you mean "messages.csv"?'


def test_a_missing_file_in_a_missing_folder_is_refused(tmp_path: Path) -> None:
    assert type(refusal(tmp_path / "no" / "where.csv")) is FileMissing


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    error = refusal(tmp_path)
    assert (type(error), error.code) == (FileMissing, "file_missing")
    assert "folder" in error.message


def test_a_name_that_no_file_can_have_is_a_missing_file(tmp_path: Path) -> None:
    assert type(refusal(tmp_path / ("x" * 300 + ".csv"))) is FileMissing


@pytest.mark.parametrize("name", ["data.xlsx", "data.json", "data.pkl", "data"])
def test_an_unknown_suffix_is_refused_with_those_that_are_read(name: str, tmp_path: Path) -> None:
    error = refusal(written(tmp_path, "text,label\na,x\n", name))
    assert (type(error), error.code) == (UnknownName, "unknown_name")
    assert name in error.message
    assert ".csv" in error.hint
    assert ".jsonl" in error.hint


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("data.csv", ""),
        ("data.csv", "\n\n"),
        ("data.csv", "\ufeff"),
        ("data.csv", "text,label\n"),
        ("data.tsv", "text\tlabel"),
        ("data.jsonl", ""),
        ("data.jsonl", "{}\n{}\n"),
        ("data.csv", "text,label\n,x\nb,\n"),
        ("data.jsonl", '{"text": "a", "label": null}\n'),
    ],
    ids=[
        "nothing", "blank lines", "BOM only", "header only", "header of a TSV", "no object", "empty objects",
        "no whole row", "no whole object",
    ],
)  # fmt: skip
def test_a_file_without_examples_is_refused(name: str, content: str, tmp_path: Path) -> None:
    path = written(tmp_path, content, name)
    error = refusal(path)
    assert (type(error), error.code) == (EmptyData, "empty_data")
    assert str(path) in error.message


def test_a_missing_column_suggests_the_nearest(tmp_path: Path) -> None:
    path = written(tmp_path, "tweet,label\na,x\n")
    error = refusal(path, Columns(text=("twet",)))
    assert (type(error), error.code, error.where) == (ColumnMissing, "column_missing", str(path))
    assert '"twet"' in error.message
    assert error.hint == 'did you mean "tweet"?'


def test_a_missing_column_near_none_lists_the_columns(tmp_path: Path) -> None:
    error = refusal(written(tmp_path, "tweet,label\na,x\n"), Columns(label=("zzz",)))
    assert error.hint == "the columns are: tweet, label"


@pytest.mark.parametrize(("header", "flag"), [("a,b,c", "--label"), ("text,b,c", "--label"), ("a,label,c", "--text")])
def test_columns_that_cannot_be_guessed_are_listed_with_the_option_to_name_them(header: str, flag: str, tmp_path: Path) -> None:
    path = written(tmp_path, f"{header}\n1,2,3\n")
    error = refusal(path)
    assert (type(error), error.where) == (ColumnMissing, str(path))
    assert flag in error.hint
    assert ", ".join(header.split(",")) in error.hint


def test_one_column_cannot_be_the_text_and_the_label(tmp_path: Path) -> None:
    refusal(written(tmp_path, "text,label\na,x\nb,y\n"), Columns(text=("text",), label=("text",)))


@pytest.mark.parametrize("row", ["b", "b,y,z", "b,y,"], ids=["short", "long", "a delimiter at its end"])
def test_a_ragged_row_is_refused_with_its_line(row: str, tmp_path: Path) -> None:
    path = written(tmp_path, f"text,label\na,x\n\n{row}\nc,z\n")
    error = refusal(path)
    assert (type(error), error.code, error.where) == (UnreadableData, "unreadable_data", f"{path}, line 4")
    assert f"{row.count(',') + 1} cells" in error.message


def test_a_quote_that_is_not_closed_names_the_line_where_it_opens(tmp_path: Path) -> None:
    path = written(tmp_path, 'text,label\na,x\n"b,y\nc,z\nd,z\ne,z\n')
    error = refusal(path)
    assert (type(error), error.where) == (UnreadableData, f"{path}, line 3")
    assert "quote" in error.hint


def test_a_quote_that_is_not_doubled_is_refused_with_its_line(tmp_path: Path) -> None:
    path = written(tmp_path, 'text,label\na,x\n"so called "art"",y\n')
    error = refusal(path)
    assert (type(error), error.where) == (UnreadableData, f"{path}, line 3")
    assert "quote" in error.hint


def test_a_bare_carriage_return_is_refused_with_its_line_and_no_talk_of_quotes_to_close(tmp_path: Path) -> None:
    path = written(tmp_path, "text,label\na,x\nb\rc,y\n")
    error = refusal(path)
    assert (type(error), error.where) == (UnreadableData, f"{path}, line 3")
    assert "not closed" not in error.hint


@pytest.mark.parametrize("name", ["data.csv", "data.tsv", "data.jsonl"])
def test_a_nul_byte_is_refused_with_its_line(name: str, tmp_path: Path) -> None:
    content = {"data.csv": "text,label\na\0,x\n", "data.tsv": "text\tlabel\na\0\tx\n", "data.jsonl": '{"text": "a"}\n{\0}\n'}
    path = written(tmp_path, content[name], name)
    error = refusal(path)
    assert (type(error), error.where) == (UnreadableData, f"{path}, line 2")
    assert "NUL byte at place 2" in error.message


@pytest.mark.parametrize(
    ("bad", "byte", "place"),
    [(b"\xff", 0xFF, 1), (b"cut \xf0\x9f\x98", 0xF0, 5), (b"\xed\xa0\x80", 0xED, 1)],
    ids=["never in UTF-8", "a cut emoji", "half a surrogate pair"],
)
def test_what_is_not_utf_8_is_refused_with_line_and_byte(bad: bytes, byte: int, place: int, tmp_path: Path) -> None:
    path = written(tmp_path, b"text,label\na,x\n" + bad + b",y\n")
    error = refusal(path)
    assert (type(error), error.where) == (UnreadableData, f"{path}, line 3")
    assert f"0x{byte:02x} at place {place}" in error.message
    assert "UTF-8" in error.hint


def test_a_line_over_the_limit_is_refused_with_its_line(short_lines: None, tmp_path: Path) -> None:
    path = written(tmp_path, "text,label\na,x\n" + "b" * 101 + ",y\n")
    error = refusal(path)
    assert (type(error), error.code, error.where) == (LineTooLong, "line_too_long", f"{path}, line 3")
    assert "100 bytes" in error.message
    assert "CAUCE_MAX_LINE_BYTES" in error.hint


def test_the_limit_is_ours_and_not_that_of_everybody_who_reads_csv(short_lines: None, tmp_path: Path) -> None:
    before = csv.field_size_limit()
    read(written(tmp_path, "text,label\na,x\n"))
    assert csv.field_size_limit() == before


def test_the_limit_counts_bytes_and_a_line_at_it_is_read(short_lines: None, tmp_path: Path) -> None:
    # "ñ" has two bytes; the line end counts
    assert len(read(written(tmp_path, f"text,label\n{'ñ' * 48}a,x\n"))) == 1
    assert type(refusal(written(tmp_path, f"text,label\n{'ñ' * 49}a,x\n"))) is LineTooLong


def test_a_cell_over_the_limit_names_the_line_where_it_starts(short_lines: None, tmp_path: Path) -> None:
    path = written(tmp_path, 'text,label\na,x\n"' + "b\n" * 60 + '",y\n')
    error = refusal(path)
    assert (type(error), error.where) == (LineTooLong, f"{path}, line 3")
    assert "quote" in error.hint


@pytest.mark.parametrize("line", ["not json", '{"text": "b"', "{'text': 'b'}", "[" * 100_000, '{"a": 1}{"b": 2}'])
def test_what_is_not_json_is_refused_with_its_line(line: str, tmp_path: Path) -> None:
    path = written(tmp_path, f'{{"text": "a", "label": "x"}}\n\n{line}\n', "data.jsonl")
    error = refusal(path)
    assert (type(error), error.where) == (UnreadableData, f"{path}, line 3")
    assert "JSON" in error.message
    assert "line 1" not in error.message
    assert "line 2" not in error.message


@pytest.mark.parametrize(("line", "kind"), [('["a", "x"]', "list"), ('"a"', "str"), ("3", "int")])
def test_a_line_that_is_not_an_object_is_refused(line: str, kind: str, tmp_path: Path) -> None:
    path = written(tmp_path, f'{{"text": "a", "label": "x"}}\n{line}\n', "data.jsonl")
    error = refusal(path)
    assert (type(error), error.where) == (UnreadableData, f"{path}, line 2")
    assert kind in error.message
    assert "text" in error.hint


@pytest.mark.parametrize("value", ['["a"]', '{"es": "a"}'])
def test_a_nested_value_is_refused_with_its_key_and_line(value: str, tmp_path: Path) -> None:
    path = written(tmp_path, f'{{"text": "a", "label": "x"}}\n{{"text": {value}, "label": "x"}}\n', "data.jsonl")
    error = refusal(path)
    assert (type(error), error.where) == (UnreadableData, f"{path}, line 2")
    assert '"text"' in error.message


def test_half_a_surrogate_pair_is_refused_with_its_line_as_other_broken_text_is(tmp_path: Path) -> None:
    # a tweet that was cut in the middle of an emoji: JSON can hold it, UTF-8 cannot
    path = written(tmp_path, '{"text": "a", "label": "x"}\n{"text": "cut \\ud83d", "label": "y"}\n', "data.jsonl")
    error = refusal(path)
    assert (type(error), error.where) == (UnreadableData, f"{path}, line 2")


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "text,label,text\na,x,b\n")
    error = refusal(path)
    assert (type(error), error.where) == (UnreadableData, f"{path}, line 1")
    assert "same name" in error.message
