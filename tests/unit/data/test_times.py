"""Times of rows, as people and machines write them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from cauce.data.columns import Columns
from cauce.data.dataset import Dataset
from cauce.data.read import read
from cauce.errors import UnreadableData

NOON = datetime(2024, 5, 3, 12, 0, tzinfo=UTC)


def timed(folder: Path, *cells: str) -> Dataset:
    path = folder / "data.csv"
    path.write_text("text\twhen\tlabel\n" + "".join(f"a\t{cell}\tx\n" for cell in cells), encoding="utf-8")
    return read(path, Columns(time="when"))


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("2024-05-03T12:00:00Z", ""),
        ("2024-05-03T14:00:00+02:00", ""),
        ("2024-05-03 12:00", "no time zone: read as UTC"),
        ("1714737600", "seconds since 1970"),
        ("1714737600000", "milliseconds since 1970"),
        ("1714737600000000", "microseconds since 1970"),
        ("03/05/2024 12:00", "the day first, though every date could be month first"),
        ("3-5-24 12:00:00", "the day first, though every date could be month first"),
        ("03.05.2024, 12:00", "the day first, though every date could be month first"),
        ("Fri May 03 12:00:00 +0000 2024", ""),
    ],
)
def test_usual_ways_of_writing_a_time_are_read(cell: str, said: str, tmp_path: Path) -> None:
    data = timed(tmp_path, cell, "")
    assert data.time is not None
    assert data.time.type == pa.timestamp("us", tz="UTC")
    assert data.time.to_pylist() == [NOON, None]
    assert any(said in note for note in data.notes)
    assert bool(said) == any('"when"' in note for note in data.notes)


def test_one_date_settles_which_comes_first(tmp_path: Path) -> None:
    day_first = timed(tmp_path, "03/05/2024", "13/05/2024")
    assert day_first.time is not None
    assert [stamp.month for stamp in day_first.time.to_pylist()] == [5, 5]
    assert not any("first" in note for note in day_first.notes)
    month_first = timed(tmp_path, "05/03/2024", "05/13/2024")
    assert month_first.time is not None
    assert [stamp.day for stamp in month_first.time.to_pylist()] == [3, 13]
    assert 'dates of "when" are read with the month first' in month_first.notes


def test_dates_of_both_orders_are_refused_with_a_line(tmp_path: Path) -> None:
    with pytest.raises(UnreadableData, match=r"13/05/2024.*05/14/2024") as caught:
        timed(tmp_path, "13/05/2024", "01/01/2024", "05/14/2024")
    assert caught.value.where.endswith("line 4")


@pytest.mark.parametrize("cell", ["yesterday", "2024-13-01", "31/02/2024", "12"])
def test_what_is_no_time_is_refused_with_its_line(cell: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableData) as caught:
        timed(tmp_path, "2024-05-03T12:00:00Z", cell)
    assert caught.value.where.endswith("line 3")
    assert repr(cell) in caught.value.message


@pytest.mark.parametrize(
    "column",
    [
        pa.array([NOON], pa.timestamp("ms", "Europe/Madrid")),
        pa.array([NOON.replace(tzinfo=None)], pa.timestamp("ns")),
        pa.array([1714737600]),
    ],
)
def test_times_of_a_parquet_file_are_taken(column: pa.Array, tmp_path: Path) -> None:
    parquet.write_table(pa.table({"text": ["a"], "label": ["x"], "when": column}), tmp_path / "data.parquet")
    data = read(tmp_path / "data.parquet", Columns(time="when"))
    assert data.time is not None
    assert data.time.to_pylist() == [NOON]
