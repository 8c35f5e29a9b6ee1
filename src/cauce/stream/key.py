"""The key of a result: two deliveries of one message have the same, so a result is written once."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from cauce.stream.digest import SIZE, digests
from cauce.stream.messages import Messages
from cauce.text.buffers import utf8


def keys_of(source: str, places: pa.StringArray, messages: Messages, version: str = "") -> pa.StringArray:
    """A hash of where a message is from, what it is about, its revision and what it asks for, 32 hexadecimal digits each.

    Args:
        places: the broker's own names: what a message without an `id` is about.
        version: that of the model, where another version's answer is another result; else empty.

    """
    heads = np.empty((len(messages), 1 + 8), np.uint8)
    heads[:, 0] = messages.deletes
    heads[:, 1:] = messages.revs.astype("<i8").view(np.uint8).reshape(-1, 8)
    return _digests((source, version), heads, messages.ids, places)


def abouts_of(source: str, places: pa.StringArray, messages: Messages) -> pa.StringArray:
    """A hash of where a message is from and what it is about: all its revisions have the same."""
    return _digests((source,), np.empty((len(messages), 0), np.uint8), messages.ids, places)


def _digests(head: tuple[str, ...], heads: np.ndarray, ids: pa.StringArray, places: pa.StringArray) -> pa.StringArray:
    """BLAKE2b of the head's own hash, of each row's, of whether there is an `id`, and of that or of the place.

    All but the last have a fixed length, so no two rows that differ are hashed as the same bytes.
    """
    there = ids.is_valid().to_numpy(zero_copy_only=False)
    data, offsets = utf8(pc.coalesce(ids, places))
    out = np.empty((len(ids), 2 * SIZE), np.uint8)
    whole = np.frombuffer(blake2b(orjson.dumps(head)).digest(), np.uint8)
    digests(whole, np.column_stack([heads, there]).astype(np.uint8), data, offsets, out)
    edges = np.arange(0, out.size + 1, 2 * SIZE, dtype=np.int32)
    return pa.StringArray.from_buffers(len(ids), pa.py_buffer(edges), pa.py_buffer(out))
