"""A dead letter: a message that was not answered, with its bytes, why, and how often it was tried."""

from __future__ import annotations

from base64 import b64decode, b64encode
from datetime import UTC, datetime
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from cauce.stream.deliveries import Deliveries
from cauce.stream.message import CODES, MEANINGS, Document
from cauce.stream.records import Records

KEPT = 1 << 16  # bytes that are kept of a message that is over the limit


def letters(deliveries: Deliveries, codes: npt.NDArray[np.uint8], limit: int) -> Records:
    """The dead letters of those with a code, in their order.

    Args:
        codes: (n,) 0, or the place of a code in `CODES`.
        limit: bytes of the longest message: of a longer one only the beginning is kept, so it cannot be redriven.

    """
    rows = np.flatnonzero(codes)
    some = deliveries.take(rows)
    facts = zip(some.data.to_pylist(), some.places.to_pylist(), some.attempts.tolist(), codes[rows].tolist(), strict=True)
    found = [_letter(data, CODES[code], attempts, some.source, place, limit) for data, place, attempts, code in facts]
    return Records(
        pa.array([one["key"] for one in found], pa.string()), pa.array([orjson.dumps(one) for one in found], pa.large_binary())
    )


def _letter(data: bytes, code: str, attempts: int, source: str, place: str, limit: int) -> Document:
    cut = len(data) > limit
    return {
        "key": blake2b(orjson.dumps(("dead", source, code, place)), digest_size=16).hexdigest(),
        "code": code,
        "reason": MEANINGS[code],
        "attempts": attempts,
        "source": source,
        "place": place,
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "cut": cut,
        **_kept(data[:KEPT] if cut else data),
    }


def _kept(data: bytes) -> Document:
    try:
        return {"raw": data.decode()}
    except UnicodeDecodeError:
        return {"raw_base64": b64encode(data).decode()}


def shorter(line: bytes, most: int) -> bytes:
    """A letter for a place that takes `most` bytes: one that has more keeps less of its message, so it cannot be redriven.

    What is no letter is left as it is.
    """
    kept = KEPT
    while len(line) > most and kept:
        try:
            document = orjson.loads(line)
            data = raw(document)
        except (ValueError, KeyError, TypeError):
            break
        facts = {name: value for name, value in document.items() if name not in ("raw", "raw_base64")}
        line = orjson.dumps({**facts, "cut": True, **_kept(data[:kept])})
        kept //= 2
    return line


def raw(document: Document) -> bytes:
    """The bytes of the message that a letter is about."""
    if "raw" in document:
        return str(document["raw"]).encode()
    return b64decode(document["raw_base64"])
