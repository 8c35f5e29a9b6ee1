"""What is written: JSON objects under keys."""

from __future__ import annotations

import pyarrow as pa

SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("id", "text", "created_at", "op")),
        ("rev", pa.int64()),
        ("key", pa.string()),
        ("label", pa.string()),
        ("labels", pa.list_(pa.string())),
        ("score", pa.float32()),
        ("scores", pa.map_(pa.string(), pa.float32())),
        ("truncated", pa.bool_()),
        *((name, pa.string()) for name in ("model", "version", "variant")),
        ("other", pa.string()),  # the message's other keys, as JSON
    ]
)


class Records:
    """JSON objects, each under a key. Dead letters are no more than that; `results.Results` have columns besides."""

    def __init__(self, keys: pa.StringArray, lines: pa.LargeBinaryArray) -> None:
        self._keys, self._lines = keys, lines

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def keys(self) -> pa.StringArray:
        """(n,) 32 hexadecimal digits each: of two records with one key one is enough."""
        return self._keys

    @property
    def lines(self) -> pa.LargeBinaryArray:
        """(n,) the JSON of each, UTF-8, without a line feed."""
        return self._lines
