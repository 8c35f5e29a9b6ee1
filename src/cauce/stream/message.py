"""A message: what a team's JSON has to be for a worker to answer it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import orjson

from cauce.model.predictions import names_beside
from cauce.model.rows import MEANINGS as OF_ROWS

Document = dict[str, Any]
Op = Literal["upsert", "delete"]

OF_MESSAGES = {
    "too_large": "the message is over `max_message_bytes`",
    "not_utf8": "the message is not UTF-8",
    "not_json": "the message is not JSON",
    "not_an_object": "the message is JSON, but not an object",
    "too_deep": "the message has over 200 levels of lists and objects",
    "wrong_id": "`id` is neither a text nor a whole number of 64 bits",
    "wrong_op": '`op` is neither "upsert" nor "delete"',
    "wrong_rev": "`rev` is not a whole number of 64 bits",
    "wrong_created_at": "`created_at` is neither a text nor a number",
    "delete_without_id": "a deletion does not say of what",
    "too_many_attempts": "the message was given out `max_attempts` times, and its worker died each time",
}
MEANINGS = {**OF_MESSAGES, **OF_ROWS}
CODES = ("", *MEANINGS)
ANSWERS = ("key", "label", "labels", "score", "scores", "truncated", "model", "version", "variant")
OWN = ("id", "text", "op", "rev", "created_at")
DEEPEST = 200  # levels: orjson writes 254, and an answer is to be written with the message
SMALLEST, LARGEST = -(1 << 63), (1 << 63) - 1


class MessageError(ValueError):
    """A message that cannot be answered.

    Attributes:
        code: one of `OF_MESSAGES`.

    """

    def __init__(self, code: str) -> None:
        super().__init__(OF_MESSAGES[code])
        self.code = code


@dataclass(frozen=True, slots=True)
class Message:
    """A message that was read.

    Attributes:
        document: all of it.
        id: what it is about; empty where it does not say.
        rev: of two messages about the same thing, the later one has the higher.

    """

    document: Document
    id: str
    op: Op
    rev: int


def parse(data: bytes, limit: int) -> Message:
    """Read a message. Its text is not looked at: whether a row can be answered is the model's to say.

    Args:
        limit: bytes of the longest message.

    Raises:
        MessageError

    """
    if len(data) > limit:
        raise MessageError("too_large")
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise MessageError("not_json" if _is_utf8(data) else "not_utf8") from None
    if type(document) is not dict:
        raise MessageError("not_an_object")
    if data.count(b"{") + data.count(b"[") > DEEPEST and _depth(document) > DEEPEST:
        raise MessageError("too_deep")
    about, op, rev, created = document.get("id"), document.get("op"), document.get("rev"), document.get("created_at")
    if about is not None and type(about) not in (str, int):  # a longer number was read as a float: its last digits are gone
        raise MessageError("wrong_id")
    if op not in (None, "upsert", "delete"):
        raise MessageError("wrong_op")
    if rev is not None and not (type(rev) is int and SMALLEST <= rev <= LARGEST):
        raise MessageError("wrong_rev")
    if created is not None and type(created) not in (str, int, float):
        raise MessageError("wrong_created_at")
    if op == "delete" and about in (None, ""):
        raise MessageError("delete_without_id")
    return Message(document, "" if about is None else str(about), op or "upsert", rev or 0)


def beside_answers(document: Document) -> Document:
    """The document; a key of its own that an answer has too is called `input_…`."""
    if document.keys().isdisjoint(ANSWERS):
        return document
    return dict(zip(names_beside(list(document), ANSWERS), document.values(), strict=True))


def _depth(value: Any) -> int:
    """How many levels of lists and objects a value has, counted level by level."""
    depth, level = 0, [value]
    while level := [one for one in level if isinstance(one, dict | list)]:
        depth += 1
        level = [inner for one in level for inner in (one.values() if isinstance(one, dict) else one)]
    return depth


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
