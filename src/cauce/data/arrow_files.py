"""Parquet and Arrow (file, stream, Feather) to a table."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
from pyarrow import feather, ipc

from cauce.errors import DataTooLarge, UnreadableData
from cauce.settings import settings


def parse(raw: bytes, kind: str, name: str) -> tuple[pa.Table, list[str]]:
    """The columns that are flat or lists, and what was left out.

    Raises:
        UnreadableData: broken, two columns of one name, or text that is not UTF-8.
        DataTooLarge: unpacked, over the setting `max_data_bytes`.

    """
    try:
        table = _open(raw, kind)
        table.validate(full=True)  # before anything else: offsets in a damaged file lead out of its memory
        if table.nbytes > settings().max_data_bytes:
            hint = "train on a part of it, or raise CAUCE_MAX_DATA_BYTES"
            raise DataTooLarge(f"{table.nbytes} bytes when unpacked", where=name, hint=hint)
        nested = [field.name for field in table.schema if _is_nested(field.type)]
        repeated = [column for column, times in Counter(table.column_names).items() if times > 1]
        if repeated:
            raise UnreadableData(f'two columns have the name "{repeated[0]}"', where=name, hint="rename one of them")
        table = table.drop_columns(nested)
        for at, field in enumerate(table.schema):
            if pa.types.is_dictionary(field.type):
                table = table.set_column(at, field.name, table.column(at).cast(field.type.value_type))
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).strip().split("\n")[0]
        raise UnreadableData(
            f"not {kind.removeprefix('.')}: {reason}", where=name, hint="was the file cut? copy it again"
        ) from None
    return table, [f"not read, it is nested: {', '.join(nested)}"] if nested else []


def _open(raw: bytes, kind: str) -> pa.Table:
    if kind == ".parquet":
        from pyarrow import parquet  # late: it takes time that a CSV does not need

        return parquet.ParquetFile(pa.BufferReader(raw)).read()
    if raw.startswith(b"FEA1"):
        return feather.read_table(pa.BufferReader(raw))
    opened = ipc.open_file(raw) if raw.startswith(b"ARROW1") else ipc.open_stream(raw)
    return opened.read_all()


def _is_nested(kind: pa.DataType) -> bool:
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return bool(pa.types.is_nested(kind.value_type))
    return bool(pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind))
