"""Parts of the output: Parquet, Arrow, CSV or JSON lines, written a window at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from cauce.data.json_text import as_json, objects
from cauce.text.buffers import utf8

FORMATS = ("parquet", "arrow", "csv", "jsonl")
OF_KIND = {".parquet": "parquet", ".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}


class Part(Protocol):
    """A file that rows are written to."""

    def write(self, rows: pa.RecordBatch) -> None:
        """Add rows."""
        ...

    def close(self) -> None:
        """Finish the file."""
        ...


def open_part(path: Path, kind: str, schema: pa.Schema, *, varied: frozenset[str] = frozenset()) -> Part:
    """A new file of one of `FORMATS`.

    Args:
        varied: columns whose values hardly repeat: a dictionary of them would only cost time.

    """
    if kind == "parquet":
        from pyarrow import parquet

        often = [field.name for field in schema if field.name not in varied and not pa.types.is_nested(field.type)]
        written: Part = parquet.ParquetWriter(path, schema, compression="zstd", use_dictionary=often, write_statistics=often)
        return written
    if kind == "arrow":
        file: Part = pa.ipc.new_file(pa.OSFile(str(path), "wb"), schema, options=pa.ipc.IpcWriteOptions(compression="lz4"))
        return file
    return Csv(path, schema) if kind == "csv" else JsonLines(path)


class Csv:
    """A CSV file, every text between quotes, an empty cell where a value is missing; lists are JSON."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        from pyarrow import csv

        self._writer = csv.CSVWriter(path, pa.schema([(field.name, _cell_type(field.type)) for field in schema]))

    def write(self, rows: pa.RecordBatch) -> None:
        """Add rows."""
        columns = [as_json(column) if pa.types.is_nested(column.type) else _plain(column) for column in rows.columns]
        self._writer.write(pa.RecordBatch.from_arrays(columns, rows.schema.names))

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()


class JsonLines:
    """One JSON object a line."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def write(self, rows: pa.RecordBatch) -> None:
        """Add rows."""
        line_feed = pa.scalar("\n", pa.large_string())
        data, offsets = utf8(pc.binary_join_element_wise(objects(rows), line_feed, pa.scalar("", pa.large_string())))
        self._file.write(data[offsets[0] : offsets[-1]].tobytes())

    def close(self) -> None:
        """Finish the file."""
        self._file.close()


def _plain(column: pa.Array) -> pa.Array:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _cell_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return kind.value_type
    return pa.string() if pa.types.is_nested(kind) else kind
