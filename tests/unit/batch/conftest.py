"""Files of messages, and a look into an output folder."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

import cauce

Rows = list[dict[str, Any]]


@pytest.fixture(scope="session")
def model(model_folder: Path) -> cauce.Model:
    return cauce.load(model_folder)


@pytest.fixture(scope="session")
def write() -> Callable[[Path, Rows], Path]:
    """Write rows in the kind that the path's name says."""

    def to(path: Path, rows: Rows) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        table = pa.Table.from_pylist(rows)
        if path.suffix == ".parquet":
            pa.parquet.write_table(table, path, row_group_size=7)
        elif path.suffix == ".jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        elif path.suffix == ".csv":
            with path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
        else:
            opened = pa.ipc.new_stream if path.suffix == ".arrows" else pa.ipc.new_file
            with opened(path, table.schema) as out:
                out.write_table(table, max_chunksize=7)
        return path

    return to


@pytest.fixture(scope="session")
def read() -> Callable[[Path], Rows]:
    """The rows of every part, in order."""

    def of(out: Path) -> Rows:
        rows: Rows = []
        for part in sorted(out.glob("part-*")):
            if part.suffix == ".parquet":
                rows += pa.parquet.read_table(part).to_pylist()
            elif part.suffix == ".arrow":
                rows += pa.ipc.open_file(part).read_all().to_pylist()
            elif part.suffix == ".csv":
                with part.open(encoding="utf-8", newline="") as file:
                    rows += list(csv.DictReader(file))
            else:
                rows += [json.loads(line) for line in part.read_text("utf-8").split("\n") if line]
        return rows

    return of


@pytest.fixture(scope="session")
def dead() -> Callable[[Path], Rows]:
    """The dead letters, in order."""

    def of(out: Path) -> Rows:
        files = sorted((out / "dead_letters").glob("*.jsonl"))
        return [json.loads(line) for file in files for line in file.read_text("utf-8").split("\n") if line]

    return of
