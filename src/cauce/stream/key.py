"""The key of a result: two deliveries of one message have the same, so a result is written once."""

from __future__ import annotations

from hashlib import blake2b

import orjson

from cauce.stream.message import Message


def key_of(source: str, place: str, message: Message, version: str = "") -> str:
    """A hash of where a message is from, what it is about, its revision and what it asks for, 32 hexadecimal digits.

    Args:
        place: the broker's own name of the delivery: what a message without an `id` is about.
        version: that of the model, where another version's answer is another result; else empty.

    """
    about = f"id:{message.id}" if message.id else f"place:{place}"
    written = orjson.dumps((source, about, message.rev, message.op, version))  # no two write the same
    return blake2b(written, digest_size=16).hexdigest()
