"""A message: what a team's JSON has to be for a worker to answer it, and what the answer adds to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from cauce.model.model import Model
from cauce.model.predictions import Predictions, names_beside
from cauce.model.rows import CODES
from cauce.model.rows import MEANINGS as OF_ROWS

Document = dict[str, Any]
Op = Literal["upsert", "delete"]

OF_MESSAGES = {
    "too_large": "the message is over `max_message_bytes`",
    "not_utf8": "the message is not UTF-8",
    "not_json": "the message is not JSON",
    "not_an_object": "the message is JSON, but not an object",
    "wrong_id": "`id` is neither a text nor a whole number of 64 bits",
    "wrong_op": '`op` is neither "upsert" nor "delete"',
    "wrong_rev": "`rev` is not a whole number of 64 bits",
    "wrong_created_at": "`created_at` is neither a text nor a number",
    "delete_without_id": "a deletion does not say of what",
    "too_many_attempts": "the message was given out `max_attempts` times, and its worker died each time",
}
MEANINGS = {**OF_MESSAGES, **OF_ROWS}
ANSWERS = ("key", "label", "labels", "score", "scores", "truncated", "model", "version", "variant")


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
    about, op, rev, created = document.get("id"), document.get("op"), document.get("rev"), document.get("created_at")
    if about is not None and type(about) not in (str, int):  # a longer number was read as a float: its last digits are gone
        raise MessageError("wrong_id")
    if op not in (None, "upsert", "delete"):
        raise MessageError("wrong_op")
    if rev is not None and type(rev) is not int:
        raise MessageError("wrong_rev")
    if created is not None and type(created) not in (str, int, float):
        raise MessageError("wrong_created_at")
    if op == "delete" and about in (None, ""):
        raise MessageError("delete_without_id")
    return Message(document, "" if about is None else str(about), op or "upsert", rev or 0)


def rows(messages: Sequence[Message], model: Model) -> list[Document]:
    """What the model reads of messages. A model of one text reads `text`, whatever its training file called it."""
    inputs = model.manifest.inputs
    if len(inputs) == 1 and inputs[0].type == "text":
        name = inputs[0].name
        return [{name: one.document.get("text", one.document.get(name))} for one in messages]
    return [one.document for one in messages]


def answered(message: Message, key: str, answer: Document) -> Document:
    """The message with what was found out about it; a key of its own that an answer has too stays, as `input_…`."""
    kept = message.document
    if not kept.keys().isdisjoint(ANSWERS):
        names = list(kept)
        kept = dict(zip(names_beside(names, ANSWERS), kept.values(), strict=True))
    return {**kept, "key": key, **answer}


def answers(model: Model, predictions: Predictions) -> list[tuple[str, Document]]:
    """Of each row the code of what is wrong with it (empty: nothing), and what an answer adds to its message."""
    who = {"model": model.name, "version": model.version, "variant": model.variant}
    labels, task = model.labels, model.task
    found: list[tuple[str, Document]] = []
    facts = (predictions.scores.tolist(), predictions.best.tolist(), predictions.codes.tolist(), predictions.truncated.tolist())
    for row, (scores, best, code, truncated) in enumerate(zip(*facts, strict=True)):
        if code:
            found.append((CODES[code], {}))
            continue
        answer: Document = {"label": None if task == "regression" else labels[best]}
        if task == "multilabel":
            answer["labels"] = [label for label, given in zip(labels, predictions.given[row], strict=True) if given]
        answer |= {"score": scores[best], "scores": dict(zip(labels, scores, strict=True)), "truncated": truncated, **who}
        found.append(("", answer))
    return found


def withdrawn(model: Model) -> Document:
    """What stands in the place of an answer where a message was deleted."""
    return {"label": None, "score": None, "scores": {}, "model": model.name, "version": model.version, "variant": model.variant}


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
