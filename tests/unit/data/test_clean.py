"""A cleaned copy: what stays is as it was, what is left out is listed with its reason, every change is counted."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from cauce.data.check import check
from cauce.data.clean import clean
from cauce.data.read import read
from cauce.data.tables import read_table
from cauce.errors import InputError, OutputExists

SAME = "la playa y el monte no son lo que yo quería"
ROWS = [
    ["1", "  uno: el perro come pan con queso, y el gato mira ", "sí"],
    ["2", SAME, "no"],
    ["3", SAME, "no"],  # exact
    ["4", f"RT @x: {SAME.upper()}", "no"],  # near
    ["5", f"{SAME} 😀", "sí"],  # near, another label: stays
    ["6", "este texto tiene dos etiquetas a la vez", "no"],
    ["7", "este texto tiene dos etiquetas a la vez", "sí"],
    ["8", "", "no"],
    ["9", "...", "no"],
    ["10", "maÃ±ana no vendrÃ¡ nadie por aquí, creo", "Sí "],
    ["11", 'con "comillas", comas\ny dos líneas', "sí"],
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "data.csv"
    write(path, ROWS)
    return path


def write(path: Path, rows: list[list[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["id", "text", "label"], *rows])


def cells(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_the_copy_has_the_same_columns_and_the_rows_that_stay_in_order(file: Path) -> None:
    changes = clean(read_table(file), file.with_name("out.csv"))
    header, *rows = cells(changes.out)
    assert header == ["id", "text", "label"]
    assert [row[0] for row in rows] == ["1", "2", "5", "10", "11"]
    assert [rows[0], rows[-1]] == [ROWS[0], ROWS[-1]]
    assert rows[3] == ["10", "mañana no vendrá nadie por aquí, creo", "sí"]
    assert changes.rows == 5


def test_nothing_is_lost_in_silence(file: Path) -> None:
    changes = clean(read_table(file), file.with_name("out.csv"))
    assert changes.left_out == file.with_name("out.left_out.csv")
    header, *rows = cells(changes.left_out)
    assert header == ["line", "reason", "id", "text", "label"]
    assert {row[2]: (row[0], row[1]) for row in rows} == {
        "3": ("4", "exact duplicate"),
        "4": ("5", "near duplicate"),
        "6": ("7", "one text with more than one label"),
        "7": ("8", "one text with more than one label"),
        "8": ("9", "no text or no label"),
        "9": ("10", "nothing said"),
    }
    assert sum(changes.dropped.values()) == len(rows) == len(ROWS) - changes.rows
    assert changes.mended == {"encoding or HTML mended": 1, "label spelled as the most frequent": 1}


def test_a_cleaned_copy_has_nothing_left_to_clean(file: Path) -> None:
    first = clean(read_table(file), file.with_name("out.csv"))
    again = clean(read_table(first.out), file.with_name("again.csv"))
    assert (again.dropped, again.mended, again.left_out) == ({}, {}, None)
    assert again.out.read_bytes() == first.out.read_bytes()
    codes = {finding.code for finding in check(first.out).findings if "--fix" in finding.fix}
    assert codes <= {"near_duplicates"}  # those with another label stay


def test_rows_that_the_test_holds_are_left_out(file: Path) -> None:
    test = file.with_name("test.csv")
    write(
        test,
        [["1", "uno: el perro come pan con queso, y el gato mira!", "sí"], ["2", "algo muy distinto de todo lo demás", "no"]],
    )
    changes = clean(read_table(file), file.with_name("out.csv"), against=read(test))
    assert changes.dropped["in the test"] == 1
    assert "1" not in [row[0] for row in cells(changes.out)]


@pytest.mark.parametrize("taken", ["out.csv", "out.left_out.csv"])
def test_what_is_there_is_never_written_over_unasked(file: Path, taken: str) -> None:
    file.with_name(taken).write_text("mine")
    with pytest.raises(OutputExists, match=taken):
        clean(read_table(file), file.with_name("out.csv"))
    assert file.with_name(taken).read_text() == "mine"
    assert not file.with_name("out.csv").exists() or taken == "out.csv"
    assert clean(read_table(file), file.with_name("out.csv"), replace=True).rows == 5


def test_the_file_itself_is_never_written_over(file: Path) -> None:
    before = file.read_bytes()
    with pytest.raises(InputError, match="the file itself"):
        clean(read_table(file), file, replace=True)
    with pytest.raises(InputError, match="CSV"):
        clean(read_table(file), file.with_name("out.parquet"))
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == ["data.csv"]
