"""Numbers, booleans and missing values of columns, as people write them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

from cauce.data.columns import Columns
from cauce.data.dataset import Dataset
from cauce.data.read import read
from cauce.errors import UnreadableData


def column(folder: Path, kind: str, *cells: str) -> Dataset:
    path = folder / "data.csv"
    path.write_text("text\tvalue\tlabel\n" + "".join(f"a\t{cell}\tx\n" for cell in cells), encoding="utf-8")
    return read(path, Columns(**{kind: ("value",)}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cells", "expected", "said"),
    [
        (["1", "-2.5", "+3", "1e-3", ".5"], [1, -2.5, 3, 0.001, 0.5], ""),
        (["1.234,56", "12,5", "7"], [1234.56, 12.5, 7], 'numbers of "value" have a decimal comma'),
        (["1.234.567", "12"], [1234567, 12], 'numbers of "value" have a decimal comma'),
        (["0,5", "1,234"], [0.5, 1.234], 'numbers of "value" have a decimal comma'),
        (["1,234.5", "12"], [1234.5, 12], 'commas in "value" are read as thousands'),
        (["1,234", "12"], [1234, 12], 'commas in "value" are read as thousands'),
        (["1.234", "950"], [1.234, 950], ""),
        ([" 5 ", "6"], [5, 6], ""),
    ],
)
def test_numbers_are_read_as_the_whole_column_writes_them(
    cells: list[str], expected: list[float], said: str, tmp_path: Path
) -> None:
    data = column(tmp_path, "number", *cells)
    assert data.rows.column("value").to_pylist() == expected
    assert [note for note in data.notes if "comma" in note] == ([said] if said else [])


def test_a_column_that_fits_both_ways_follows_one_that_does_not(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("y;a;b\nx;1.234;0,5\nz;2.500;1,5\n")
    assert read(tmp_path / "data.csv", Columns(number=("a", "b"))).rows.column("a").to_pylist() == [1234, 2500]


@pytest.mark.parametrize("mark", ["", "NA", "n/a", "NULL", "None", "nan", "-", "?", "unknown", "s/d"])
def test_marks_of_missing_numbers_are_null_and_counted(mark: str, tmp_path: Path) -> None:
    data = column(tmp_path, "number", "1", mark, "2", mark)
    assert data.rows.column("value").to_pylist() == [1, None, 2, None]
    assert (f'missing in "value": "{mark}" (2)' in data.notes) == bool(mark)


@pytest.mark.parametrize(
    ("cells", "line", "bad"),
    [
        (["1", "2", "abc", "x"], 4, "'abc' (2 such"),
        (["1", "12 €"], 3, "12 €"),
        (["1,5", "2,5", "3.5"], 4, "3.5"),
        (["1.5", "2.5", "3,5"], 4, "3,5"),
        (["1", "1e999"], 3, "not finite"),
    ],
)
def test_a_number_column_with_something_else_in_it_is_refused_with_its_line(
    cells: list[str], line: int, bad: str, tmp_path: Path
) -> None:
    with pytest.raises(UnreadableData) as caught:
        column(tmp_path, "number", *cells)
    assert caught.value.where.endswith(f"data.csv, line {line}")
    assert bad in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("true", "false"), [("true", "false"), ("Yes", "NO"), ("sí", "no"), ("SI", "No"), ("1", "0"), ("Verdadero", "Falso")]
)
def test_true_and_false_are_read_in_both_languages(true: str, false: str, tmp_path: Path) -> None:
    data = column(tmp_path, "boolean", true, false, "")
    assert data.rows.column("value").to_pylist() == [True, False, None]


def test_a_boolean_column_with_something_else_in_it_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(UnreadableData, match="'maybe'") as caught:
        column(tmp_path, "boolean", "yes", "maybe")
    assert caught.value.where.endswith("line 3")


def test_a_category_is_kept_as_it_is_but_for_space_around(tmp_path: Path) -> None:
    data = column(tmp_path, "category", " Madrid ", "NA", "none", "", "08001")
    assert data.rows.column("value").to_pylist() == ["Madrid", "NA", "none", None, "08001"]


@given(values=st.lists(st.floats(-1e9, 1e9, allow_nan=False).map(lambda x: round(x, 3)), min_size=1, max_size=20))
@example_settings(deadline=None, max_examples=60)
def test_what_a_spanish_spreadsheet_writes_is_read_as_it_was_meant(
    values: list[float], tmp_path_factory: pytest.TempPathFactory
) -> None:
    cells = [f"{value:,.4f}".replace(",", " ").replace(".", ",").replace(" ", ".") for value in values]
    data = column(tmp_path_factory.mktemp("es"), "number", *cells)
    assert data.rows.column("value").to_pylist() == values


def test_a_large_whole_number_of_a_file_loses_its_last_digits(tmp_path: Path) -> None:
    pq.write_table(pa.table({"size": [1, 2**60 + 1, 3], "label": ["a", "b", "a"]}), tmp_path / "a.parquet")
    data = read(tmp_path / "a.parquet", Columns(number=("size",), label=("label",)))
    assert data.rows.column("size").to_pylist() == [1.0, float(2**60), 3.0]
