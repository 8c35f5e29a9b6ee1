"""JSON lines in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cauce.data.columns import Columns
from cauce.data.dataset import Dataset
from cauce.data.read import read


def written(folder: Path, *lines: str, name: str = "data.jsonl", end: str = "\n") -> Path:
    path = folder / name
    path.write_bytes("".join(line + end for line in lines).encode())
    return path


def examples(data: Dataset) -> list[tuple[str, str]]:
    return list(zip(data.rows.column(0).to_pylist(), data.labels.to_pylist(), strict=True))


@pytest.mark.parametrize("name", ["data.jsonl", "data.ndjson"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n"])
def test_an_object_a_line_is_an_example(name: str, end: str, tmp_path: Path) -> None:
    path = written(tmp_path, '{"text": "a\\nb", "label": "x"}', '{"label": "y", "text": "ñ 😍"}', name=name, end=end)
    assert examples(read(path)) == [("a\nb", "x"), ("ñ 😍", "y")]


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    assert examples(read(written(tmp_path, '\ufeff{"text": "a", "label": "x"}'))) == [("a", "x")]


def test_a_text_may_hold_the_line_separators_of_unicode(tmp_path: Path) -> None:
    row = {"text": "uno\u2028dos\u0085tres", "label": "x"}
    assert examples(read(written(tmp_path, json.dumps(row, ensure_ascii=False)))) == [(row["text"], "x")]


@pytest.mark.parametrize(("label", "expected"), [("1", "1"), ("2.5", "2.5"), ("true", "true"), ('"1"', "1")])
def test_a_label_may_be_a_number_or_true_or_false(label: str, expected: str, tmp_path: Path) -> None:
    path = written(tmp_path, f'{{"text": "a", "label": {label}}}')
    assert examples(read(path, Columns(task="classification"))) == [("a", expected)]


def test_the_first_object_need_not_have_every_key(tmp_path: Path) -> None:
    path = written(tmp_path, '{"id": 1, "text": "a"}', '{"text": "b", "label": "x"}', '{"label": "y"}', '{"text": null}')
    data = read(path)
    assert examples(data) == [("b", "x")]
    assert "left out: 2 row(s) without a label" in data.notes
    assert "left out: 1 row(s) without a text" in data.notes
    assert "not used: id" in data.notes
