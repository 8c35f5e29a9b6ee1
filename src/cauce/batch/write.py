"""Parts of the output: Parquet, Arrow, CSV or JSON lines, written a window at a time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cauce.text.buffers import utf8

FORMATS = ("parquet", "arrow", "csv", "jsonl")
OF_KIND = {".parquet": "parquet", ".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
ESCAPED = (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"))
CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f]"


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
    return Csv(path, schema) if kind == "csv" else JsonLines(path, schema)


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

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._file = path.open("wb")
        self._keys = [json.dumps(name, ensure_ascii=False) + ": " for name in schema.names]

    def write(self, rows: pa.RecordBatch) -> None:
        """Add rows."""
        pieces: list[Any] = []
        for place, (key, column) in enumerate(zip(self._keys, rows.columns, strict=True)):
            pieces += [_scalar(("{" if not place else ", ") + key), as_json(column).cast(pa.large_string())]
        lines = pc.binary_join_element_wise(
            *pieces, _scalar("}\n"), _scalar(""), null_replacement="null", null_handling="replace"
        )
        data, offsets = utf8(lines)
        self._file.write(data[offsets[0] : offsets[-1]].tobytes())

    def close(self) -> None:
        """Finish the file."""
        self._file.close()


def as_json(column: pa.Array) -> pa.Array:
    """Each value as JSON, string; null where it is null."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return as_json(column.cast(kind.value_type))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _quoted(column)
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        return column.cast(pa.string())
    if pa.types.is_floating(kind):
        finite = pc.is_finite(column)
        return pc.if_else(finite, column, pa.scalar(None, kind)).cast(pa.string())
    if pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind):
        return _list(column)
    if pa.types.is_temporal(kind):
        return _quoted(column.cast(pa.string()))
    values = column.to_pylist()
    return pa.array([None if one is None else json.dumps(one, ensure_ascii=False, default=str) for one in values], pa.string())


def _quoted(column: pa.Array) -> pa.Array:
    if pc.any(pc.match_substring_regex(column, CONTROL)).as_py():
        written = [None if one is None else json.dumps(one, ensure_ascii=False) for one in column.to_pylist()]
        return pa.array(written, pa.large_string())
    if pc.any(pc.match_substring_regex(column, r'[\\"\n\r\t]')).as_py():
        for char, escape in ESCAPED:
            column = pc.replace_substring(column, char, escape)
    mark = pa.scalar('"', column.type)
    return pc.binary_join_element_wise(mark, column, mark, pa.scalar("", column.type))


def _list(column: pa.Array) -> pa.Array:
    """Lists of plain values as JSON."""
    if pa.types.is_nested(column.type.value_type):
        return pa.array([None if v is None else json.dumps(v, ensure_ascii=False, default=str) for v in column.to_pylist()])
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    items = pc.fill_null(as_json(column.flatten()).cast(pa.string()), "null")
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array(ends), items), ", ")
    texts = pc.binary_join_element_wise("[", joined, "]", "")
    return pc.if_else(column.is_valid(), texts, pa.scalar(None, pa.string()))


def _plain(column: pa.Array) -> pa.Array:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _cell_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return kind.value_type
    return pa.string() if pa.types.is_nested(kind) else kind


def _scalar(text: str) -> pa.Scalar:
    return pa.scalar(text, pa.large_string())
