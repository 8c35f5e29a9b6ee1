"""Arrow's string columns as the two flat arrays that the kernels read, without a copy of the bytes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_NO_BYTES = np.zeros(1, np.uint8)


def utf8(column: pa.Array) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """The bytes of a string column and where each row starts and ends.

    Args:
        column: (n,) string or large_string; other string types are cast first.

    Returns:
        bytes uint8 (m,), offsets int64 (n + 1,).

    """
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        column = column.cast(pa.large_string())
    _, offsets, data = column.buffers()
    kind = np.int64 if pa.types.is_large_string(column.type) else np.int32
    if offsets is None or not len(column):
        return _NO_BYTES, np.zeros(len(column) + 1, np.int64)
    rows = np.frombuffer(offsets, kind)[column.offset : column.offset + len(column) + 1].astype(np.int64, copy=False)
    return (np.frombuffer(data, np.uint8) if data is not None and data.size else _NO_BYTES), rows


def joined(columns: list[pa.Array]) -> pa.Array:
    """Text columns as one, a line feed between the parts of a row; a null part counts as an empty one."""
    if len(columns) == 1:
        return columns[0]
    columns = [column.cast(pa.large_string()) for column in columns]
    return pc.binary_join_element_wise(*columns, "\n", null_handling="replace", null_replacement="")
