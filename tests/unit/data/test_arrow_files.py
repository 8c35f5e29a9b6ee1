"""Parquet and Arrow in: the same examples as from a CSV file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather, ipc, parquet

from cauce.data.columns import Columns
from cauce.data.read import read
from cauce.data.tables import read_table
from cauce.errors import DataTooLarge, EmptyData, InputError, UnreadableData
from cauce.settings import settings

TABLE = pa.table(
    {
        "text": pa.array(["hola", None, "adiós"], pa.large_string()),
        "label": pa.array(["x", "x", "y"]).dictionary_encode(),
        "age": pa.array([31, 40, None], pa.int16()),
        "spent": pa.array([1.5, 0.0, 2.25], pa.float32()),
        "member": pa.array([True, None, False]),
        "user": pa.array([{"name": "a"}] * 3),
    }
)


def written(folder: Path, name: str, table: pa.Table = TABLE) -> Path:
    path = folder / name
    if name.endswith(".parquet"):
        parquet.write_table(table, path)
    elif name.endswith(".feather"):
        feather.write_feather(table, path)
    else:
        opener = ipc.new_stream if name.startswith("stream") else ipc.new_file
        with opener(path, table.schema) as out:
            out.write_table(table)
    return path


NAMES = ["data.parquet", "data.feather", "file.arrow", "stream.arrow", "stream.arrows", "file.ipc"]


@pytest.mark.parametrize("name", NAMES)
def test_every_kind_is_read_with_its_types(name: str, tmp_path: Path) -> None:
    data = read(written(tmp_path, name), Columns(number=("age", "spent"), boolean=("member",)))
    assert data.rows.to_pylist() == [
        {"text": "hola", "age": 31.0, "spent": 1.5, "member": True},
        {"text": "adiós", "age": None, "spent": 2.25, "member": False},
    ]
    assert data.labels.to_pylist() == ["x", "y"]
    assert data.lines is not None
    assert data.lines.tolist() == [1, 3]
    assert "not read, it is nested: user" in data.notes


def test_the_data_and_their_hash_are_those_of_the_csv_file(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("text,label,age,spent,member\nhola,x,31,1.5,true\n,x,40,0,\nadiós,y,,2.25,false\n")
    columns = Columns(number=("age", "spent"), boolean=("member",))
    assert read(tmp_path / "data.csv", columns).sha256() == read(written(tmp_path, "data.parquet"), columns).sha256()


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_was_cut_is_refused(name: str, tmp_path: Path) -> None:
    path = written(tmp_path, name)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UnreadableData) as caught:
        read(path)
    assert caught.value.where == str(path)
    assert caught.value.hint


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("content", [b"", b"text,label\na,x\n"])
def test_what_is_of_another_kind_is_refused(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises((UnreadableData, EmptyData)):
        read(tmp_path / name)


def test_text_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    bad = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xff\xfe")])
    with pytest.raises(UnreadableData, match="UTF8"):
        read(written(tmp_path, "file.arrow", pa.table({"text": bad, "label": ["x"]})))


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"])
    with pytest.raises(UnreadableData, match='the name "text"'):
        read_table(written(tmp_path, "file.arrow", table))


def test_a_small_file_that_unpacks_to_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, "data.parquet", pa.table({"text": ["a" * 1000] * 1000, "label": ["x"] * 1000}))
    monkeypatch.setenv("CAUCE_MAX_DATA_BYTES", "100000")
    settings.cache_clear()
    try:
        assert path.stat().st_size < 100_000
        with pytest.raises(DataTooLarge):
            read(path)
    finally:
        settings.cache_clear()


def test_labels_that_pandas_made_floats_are_whole_numbers(tmp_path: Path) -> None:
    table = pa.table({"text": ["a", "b", "c", "d"], "label": pa.array([1.0, 2.0, float("nan"), None])})
    data = read(written(tmp_path, "data.parquet", table))
    assert data.labels.to_pylist() == ["1", "2"]
    assert 'labels like "1.0" are read as "1"' in data.notes
    assert "left out: 2 row(s) without a label" in data.notes


def test_lists_are_several_labels_a_row(tmp_path: Path) -> None:
    table = pa.table({"text": ["a", "b", "c"], "label": pa.array([["y", "x"], [], None], pa.list_(pa.string()))})
    data = read(written(tmp_path, "data.parquet", table))
    assert (data.task, data.labels.to_pylist()) == ("multilabel", [["x", "y"], []])


@pytest.mark.parametrize("name", ["data.parquet", "file.arrow", "stream.arrow"])
def test_a_damaged_file_is_refused_or_read_and_fails_in_no_other_way(name: str, tmp_path: Path) -> None:
    # offsets that lead out of the file's memory end the process where they are followed before they are checked
    path = written(tmp_path, name, TABLE.append_column("tags", pa.array([["a"], [], None])))
    whole, random = path.read_bytes(), np.random.default_rng(0)
    hints = []
    for _ in range(300):
        raw = bytearray(whole)
        for place in random.integers(0, len(raw), 3):
            raw[place] = random.integers(0, 256)
        path.write_bytes(raw)
        try:
            read(path, Columns(number=("age", "spent"))).sha256()
        except InputError as error:
            hints.append(error.hint)
    assert hints
    assert all(hints)
