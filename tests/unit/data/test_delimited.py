"""Whatever a CSV writer wrote comes back, in any delimiter and encoding; and what the lines are."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

from cauce.data.tables import Source, read_table

CELLS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0\ufeff"), max_size=12)
ROWS = st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=8)
WESTERN = st.lists(
    st.sampled_from(["el niño", "“sí”", "¿qué?", "CAFÉ", "à la", "5 €", "…", "º", ",", ";", "|", '"', "\n", "\r", "\t", "it’s"])
).map(" ".join)
HEADER = ("one", "two", "three")


def table_of(raw: bytes, folder: Path, name: str = "data.csv") -> Source:
    (folder / name).write_bytes(raw)
    return read_table(folder / name)


def rows_of(source: Source) -> list[tuple[str, ...]]:
    return [tuple(row.values()) for row in source.table.to_pylist()]


def dump(rows: list[tuple[str, ...]], delimiter: str, quoting: int, end: str) -> str:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator=end).writerows([HEADER, *rows])  # type: ignore[arg-type]
    return out.getvalue()


@given(
    rows=ROWS,
    delimiter=st.sampled_from(",;|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]),
)
@example_settings(deadline=None, max_examples=150)
def test_any_table_of_unicode_comes_back(
    rows: list[tuple[str, str, str]], delimiter: str, quoting: int, encoding: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    source = table_of(dump(rows, delimiter, quoting, "\r\n").encode(encoding), tmp_path_factory.mktemp("any"))
    assert rows_of(source) == rows


@given(rows=st.lists(st.tuples(WESTERN, WESTERN, WESTERN), min_size=1, max_size=8), delimiter=st.sampled_from(",;|"))
@example_settings(deadline=None, max_examples=100)
def test_any_table_of_western_words_comes_back_from_windows_1252(
    rows: list[tuple[str, str, str]], delimiter: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    source = table_of(dump(rows, delimiter, csv.QUOTE_MINIMAL, "\r\n").encode("cp1252"), tmp_path_factory.mktemp("west"))
    assert rows_of(source) == rows


@given(rows=ROWS, encoding=st.sampled_from(["utf-8", "utf-16"]))
@example_settings(deadline=None, max_examples=100)
def test_a_table_of_tabs_with_every_cell_quoted_comes_back(
    rows: list[tuple[str, str, str]], encoding: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    source = table_of(dump(rows, "\t", csv.QUOTE_ALL, "\n").encode(encoding), tmp_path_factory.mktemp("tabs"), "data.tsv")
    assert rows_of(source) == rows


def test_a_tab_file_of_a_spreadsheet_has_quotes_around_cells(tmp_path: Path) -> None:
    rows = [("uno", 'dijo "no" y\tse fue\n', "x"), ("dos", 'la "otra"', "y")]
    source = table_of(dump(rows, "\t", csv.QUOTE_MINIMAL, "\r\n").encode("utf-16"), tmp_path, "data.tsv")
    assert rows_of(source) == rows
    assert "read with quotes around cells, as a spreadsheet writes them" in source.notes


def test_in_a_raw_tab_file_a_quote_joins_no_lines(tmp_path: Path) -> None:
    raw = b'one\ttwo\tthree\n1\tx\t"I said\n2\ty\tno\n3\tx\tend"\n'
    source = table_of(raw, tmp_path, "data.tsv")
    assert rows_of(source) == [("1", "x", '"I said'), ("2", "y", "no"), ("3", "x", 'end"')]


def test_a_column_name_may_hold_another_delimiter(tmp_path: Path) -> None:
    assert table_of(b'"a, b, c";label\n1;2\n', tmp_path).table.column_names == ["a, b, c", "label"]


def test_the_line_that_excel_writes_before_the_header_is_understood(tmp_path: Path) -> None:
    source = table_of(b"sep=;\r\none,1;two\r\na;b\r\n", tmp_path)
    assert source.table.column_names == ["one,1", "two"]
    assert source.lines.tolist() == [3]


def test_a_tsv_without_tabs_is_read_by_what_it_has(tmp_path: Path) -> None:
    assert rows_of(table_of(b"one,two\na,b\n", tmp_path, "data.tsv")) == [("a", "b")]


@pytest.mark.parametrize("blank", ["\n", "\r\n", ""])
def test_each_row_knows_the_line_where_it_starts(blank: str, tmp_path: Path) -> None:
    extra = 1 if blank else 0
    raw = f'{blank}one,two\na,"b\n\nc"\n{blank}"d\n",e\nf,g\n'
    assert table_of(raw.encode(), tmp_path).lines.tolist() == [2 + extra, 5 + 2 * extra, 7 + 2 * extra]


def test_lines_are_right_beyond_a_block_of_rows(tmp_path: Path) -> None:
    raw = "one,two\n" + '"a\n",b\n' + "c,d\n" * 120_000
    lines = table_of(raw.encode(), tmp_path).lines
    assert (lines[0], lines[1], lines[-1], len(lines)) == (2, 4, 120_003, 120_001)
