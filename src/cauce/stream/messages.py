"""Messages side by side: the columns that a model, a key and a result need of them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from cauce.model.manifest import Input
from cauce.stream import scan
from cauce.stream.message import ANSWERS, CODES, OWN, Document, Message, MessageError, beside_answers, parse

OPS = np.array([list(b"upsert"), list(b"delete")], np.uint8)
Place = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Messages:
    """Messages that were read.

    Attributes:
        data: (n,) large_binary: a JSON object each, on one line, with no key that an answer has too. None where they came as
            columns.
        bodies: int64 (n,): its bytes before the last brace.
        texts: (n,) string: what a model of one text reads; null where there is none.
        ids: (n,) string: what each is about; null where it does not say.
        created: (n,) string: `created_at`; null where it does not say.
        others: (n,) string: its other keys as a JSON object; null where it has none.
        deletes: bool (n,): which are deletions.
        revs: int64 (n,): 0 where it does not say.
        codes: uint8 (n,): 0, or the place in `CODES` of what is wrong: then nothing else holds.

    """

    data: pa.LargeBinaryArray | None
    bodies: npt.NDArray[np.int64]
    texts: pa.StringArray
    ids: pa.StringArray
    created: pa.StringArray
    others: pa.StringArray
    deletes: npt.NDArray[np.bool_]
    revs: npt.NDArray[np.int64]
    codes: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: Place) -> Messages:
        """Some of them."""
        at = pa.array(rows, pa.int64())
        taken: dict[str, Any] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            taken[one.name] = value if value is None else value.take(at) if isinstance(value, pa.Array) else value[rows]
        return Messages(**taken)


def text_key(inputs: tuple[Input, ...]) -> str | None:
    """What else the key `text` may be called, for a model of one text: as in its training file. None for other models."""
    return inputs[0].name if len(inputs) == 1 and inputs[0].type == "text" else None


def read(data: pa.LargeBinaryArray, limit: int, alias: str | None) -> Messages:
    """Read messages.

    Args:
        data: (n,) their bytes.
        limit: bytes of the longest.
        alias: see `text_key`.

    """
    odd = alias not in (None, "text") and alias in (*OWN, *ANSWERS)  # such a key is two things at once
    messages, taken = _scanned(data, 0 if odd else limit, "text" if odd or alias is None else alias)
    left = np.flatnonzero(taken == scan.LEFT)
    return _with(messages, left, data, limit, alias) if len(left) else messages


def _scanned(data: pa.LargeBinaryArray, limit: int, alias: str) -> tuple[Messages, npt.NDArray[np.uint8]]:
    """What the kernel takes, and which rows it took."""
    n = len(data)
    offsets = np.frombuffer(data.buffers()[1], np.int64)[data.offset : data.offset + n + 1]
    held = data.buffers()[2]
    raw = np.frombuffer(held, np.uint8) if held is not None and held.size else np.zeros(1, np.uint8)
    known = [name.encode() for name in ("id", "text", "op", "rev", "created_at", alias, *ANSWERS)]
    names = np.frombuffer(b"".join(known), np.uint8)
    starts = np.cumsum([0, *(len(name) for name in known)], dtype=np.int64)
    taken, ops, ends, revs = np.empty(n, np.uint8), np.zeros(n, np.uint8), np.zeros(n, np.int64), np.zeros(n, np.int64)
    room = int(offsets[-1] - offsets[0]) + 1
    texts, ids, created, others = (np.empty(room, np.uint8) for _ in range(4))
    edges = np.empty((n, 4), np.int64)
    scan.scan(raw, offsets, limit, names, starts, OPS, taken, ends, ops, revs, texts, ids, created, others, edges)
    a, b, c, d = (_strings(column, edges[:, k]) for k, column in enumerate((texts, ids, created, others)))
    return Messages(data, ends - offsets[:-1], a, b, c, d, ops == scan.DELETE, revs, np.zeros(n, np.uint8)), taken


def _strings(data: npt.NDArray[np.uint8], ends: npt.NDArray[np.int64]) -> pa.StringArray:
    """Strings that lie one behind the other; null where `ends` says so."""
    there = ends != scan.NONE
    offsets = np.concatenate([[0], np.maximum.accumulate(np.where(there, ends, 0))]).astype(np.int32)
    valid = None if there.all() else pa.array(there).buffers()[1]
    return pa.StringArray.from_buffers(len(ends), pa.py_buffer(offsets), pa.py_buffer(data), valid)


def _with(messages: Messages, rows: Place, data: pa.LargeBinaryArray, limit: int, alias: str | None) -> Messages:
    """The messages, with these rows as `message.parse` reads them."""
    found = [_parsed(one, limit) for one in data.take(pa.array(rows, pa.int64())).to_pylist()]
    codes = messages.codes.copy()
    codes[rows] = [CODES.index(one) if isinstance(one, str) else 0 for one in found]
    read = [one if isinstance(one, Message) else Message({}, "", "upsert", 0) for one in found]
    texts: list[str | None] = []
    for row, one in zip(rows, read, strict=True):
        text = one.document.get("text", one.document.get(alias)) if alias else one.document.get("text")
        if alias and not isinstance(text, str | None) and not codes[row]:
            codes[row] = CODES.index("wrong_type")
        texts.append(text if isinstance(text, str) else None)
    own = {*OWN, alias} if alias else {*OWN}
    documents = [beside_answers(one.document) for one in read]
    written = [orjson.dumps(one) for one in documents]
    mask = np.zeros(len(messages), np.bool_)
    mask[rows] = True

    def put(column: pa.Array, values: list[bytes] | list[str | None]) -> pa.Array:
        return pc.replace_with_mask(column, pa.array(mask), pa.array(values, column.type))

    bodies, deletes, revs = messages.bodies.copy(), messages.deletes.copy(), messages.revs.copy()
    bodies[rows], revs[rows] = [len(one) - 1 for one in written], [one.rev for one in read]
    deletes[rows] = [one.op == "delete" for one in read]
    return replace(
        messages,
        data=put(messages.data, written),
        bodies=bodies,
        texts=put(messages.texts, texts),
        ids=put(messages.ids, [one.id or None for one in read]),
        created=put(messages.created, [_text(one.document.get("created_at")) for one in read]),
        others=put(messages.others, [_others(one, own) for one in documents]),
        deletes=deletes,
        revs=revs,
        codes=codes,
    )


def _parsed(data: bytes, limit: int) -> Message | str:
    """A message, or the code of what is wrong with it."""
    try:
        return parse(data, limit)
    except MessageError as bad:
        return bad.code


def _others(document: Document, own: set[str]) -> str | None:
    rest = {name: value for name, value in document.items() if name not in own}
    return orjson.dumps(rest).decode() if rest else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str | None) else orjson.dumps(value).decode()
