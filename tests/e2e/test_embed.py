"""`cauce embed`: vectors beside the columns, whole or not there at all, and what it says to bad input."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import cauce

Command = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    rows = [(f"n{i}", f"mensaje {i} que está bien") for i in range(1500)]
    rows[3], rows[1200] = ("n3", ""), ("n1200", " ")
    path = tmp_path / "messages.csv"
    path.write_text("vector,text\n" + "".join(f"{a},{b}\n" for a, b in rows), encoding="utf-8")
    return path


@pytest.fixture
def model(encoder_folders: dict[str, Path]) -> Path:
    return encoder_folders["vectors"]


def test_the_vectors_stand_beside_the_columns(source: Path, model: Path, cauce_command: Command) -> None:
    out = source.with_name("vectors.parquet")
    done = cauce_command("embed", source, out, "--model", model)
    assert done.returncode == 0, done.stderr.decode()
    assert b"2 row(s) have no vector" in done.stderr
    table = pq.read_table(out)
    assert table.column_names == ["input_vector", "text", "vector"]
    assert table["vector"].type == pa.list_(pa.float32())
    assert [i for i, one in enumerate(table["vector"]) if not one.is_valid] == [3, 1200]
    opened = cauce.load(model)
    assert table.schema.metadata[b"cauce.model_version"].decode() == opened.version
    texts = table["text"].to_pylist()
    for row in (0, 1024, 1499):
        assert np.allclose(table["vector"][row].as_py(), opened.embed(texts[row])[0].as_py(), atol=1e-6)


def test_tokens_go_into_an_arrow_file(source: Path, model: Path, cauce_command: Command) -> None:
    out = source.with_name("tokens.arrow")
    assert cauce_command("embed", source, out, "--model", model, "--tokens").returncode == 0
    with pa.OSFile(str(out)) as file:
        table = pa.ipc.open_file(file).read_all()
    assert table.column_names == ["vector", "text", "vectors"]
    assert table["vectors"].null_count == 2
    tokens = cauce.load(model).embed(table["text"][:1], tokens=True)
    assert np.allclose(table["vectors"][0].as_py(), tokens[0].as_py(), atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("messages.csv", "out.csv"), b"they are: .parquet, .arrow, .feather"),
        (("messages.csv", "there.parquet"), b"--replace"),
        (("absent.csv", "out.parquet"), b"there is no file absent.csv"),
        (("messages.csv", "out.parquet", "--text", "txt"), b'did you mean "text"'),
        (("messages.csv", "messages.csv/out.parquet"), b"cannot write"),
    ],
    ids=["kind", "there", "absent", "column", "folder"],
)
def test_bad_input_is_told_and_nothing_is_left(
    arguments: tuple[str, ...], said: bytes, source: Path, model: Path, cauce_command: Command
) -> None:
    there = source.with_name("there.parquet")
    there.write_bytes(b"mine")
    before = sorted(source.parent.iterdir())
    done = cauce_command("embed", *arguments, "--model", model, cwd=source.parent)
    assert done.returncode == 2
    assert said in done.stderr
    assert b"Traceback" not in done.stderr
    assert sorted(source.parent.iterdir()) == before
    assert there.read_bytes() == b"mine"


def test_a_model_without_vectors_is_told(source: Path, model_folder: Path, cauce_command: Command) -> None:
    done = cauce_command("embed", source, source.with_name("out.parquet"), "--model", model_folder)
    assert done.returncode == 2
    assert b"has no vectors" in done.stderr
    assert [path.name for path in source.parent.iterdir()] == ["messages.csv"]
