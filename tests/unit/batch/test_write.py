from __future__ import annotations

import csv
import datetime
import json
import math
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cauce.batch.write import FORMATS, open_part
from cauce.data.json_text import as_json

ROWS = pa.RecordBatch.from_pydict(
    {
        'a "name"': pa.array(["plain", 'quo"te', "line\nfeed\ttab\\", "\x01\x1f", None]),
        "large": pa.array(["ñ", "😡", "", None, "x"], pa.large_string()),
        "n": pa.array([1, None, -3, 4, 5]),
        "x": pa.array([0.1, math.inf, math.nan, None, 1e-7], pa.float32()),
        "yes": pa.array([True, False, None, True, True]),
        "day": pa.array([datetime.date(2026, 1, 2)] * 4 + [None]),
        "list": pa.array([["a", None], [], None, ['"'], ["b"]]),
        "scores": pa.array([[0.5, 0.25]] * 5, pa.list_(pa.float32(), 2)),
        "nested": pa.array([{"k": [1]}, None, {"k": []}, {"k": None}, None]),
        "dictionary": pa.array(["v", "w", "v", None, "v"]).dictionary_encode(),
    }
)


def plain(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.isoformat() if isinstance(value, datetime.date) else value


def test_json_lines_hold_every_value(tmp_path: Path) -> None:
    part = open_part(tmp_path / "p.jsonl", "jsonl", ROWS.schema)
    part.write(ROWS)
    part.write(ROWS.slice(3))
    part.close()
    found = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text("utf-8").split("\n") if line]
    wanted = [{name: plain(value) for name, value in row.items()} for row in [*ROWS.to_pylist(), *ROWS.slice(3).to_pylist()]]
    for row, was in zip(found, wanted, strict=True):
        assert row.pop("x") == pytest.approx(was.pop("x"))
        assert row == was


def test_csv_holds_every_value(tmp_path: Path) -> None:
    part = open_part(tmp_path / "p.csv", "csv", ROWS.schema)
    part.write(ROWS)
    part.close()
    with (tmp_path / "p.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    assert [row['a "name"'] for row in found] == ["plain", 'quo"te', "line\nfeed\ttab\\", "\x01\x1f", ""]
    assert [row["scores"] for row in found] == ["[0.5, 0.25]"] * 5
    assert [row["list"] for row in found] == ['["a", null]', "[]", "", '["\\""]', '["b"]']
    assert json.loads(found[0]["nested"]) == {"k": [1]}
    assert [row["dictionary"] for row in found] == ["v", "w", "v", "", "v"]


@pytest.mark.parametrize("kind", FORMATS)
def test_a_part_without_rows_can_be_read(kind: str, tmp_path: Path) -> None:
    open_part(tmp_path / "p", kind, ROWS.schema.remove(8)).close()
    assert (tmp_path / "p").exists()


@given(st.lists(st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"])))))
def test_any_text_is_json(texts: list[str | None]) -> None:
    found = as_json(pa.array(texts, pa.string())).to_pylist()
    assert [None if one is None else json.loads(one) for one in found] == texts
