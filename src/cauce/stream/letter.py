"""A dead letter: a message that was not answered, with its bytes, why, and how often it was tried."""

from __future__ import annotations

from base64 import b64decode, b64encode
from datetime import UTC, datetime

from cauce.stream.broker import Delivery
from cauce.stream.key import key_of
from cauce.stream.message import MEANINGS, Document, Message

KEPT = 1 << 16  # bytes that are kept of a message that is over the limit


def letter(delivery: Delivery, code: str, limit: int) -> Document:
    """The dead letter of a delivery.

    Args:
        limit: bytes of the longest message: of a longer one only the beginning is kept, so it cannot be redriven.

    """
    cut = len(delivery.data) > limit
    raw = delivery.data[:KEPT] if cut else delivery.data
    try:
        kept = {"raw": raw.decode()}
    except UnicodeDecodeError:
        kept = {"raw_base64": b64encode(raw).decode()}
    return {
        "key": key_of(delivery.source, f"{code} {delivery.place}", Message({}, "", "upsert", 0)),
        "code": code,
        "reason": MEANINGS[code],
        "attempts": delivery.attempts,
        "source": delivery.source,
        "place": delivery.place,
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "cut": cut,
        **kept,
    }


def raw(document: Document) -> bytes:
    """The bytes of the message that a letter is about."""
    if "raw" in document:
        return str(document["raw"]).encode()
    return b64decode(document["raw_base64"])
