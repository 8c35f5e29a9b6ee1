"""Whatever bytes come, a message is read or has a code; what the kernels read is what `parse` reads; it is passed on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cauce.model.model import echo_model
from cauce.stream.deliveries import Deliveries
from cauce.stream.digest import digests
from cauce.stream.key import abouts_of, keys_of
from cauce.stream.letter import letters, raw
from cauce.stream.message import ANSWERS, CODES, OWN, Message, MessageError, beside_answers, parse
from cauce.stream.messages import Messages, read
from cauce.stream.results import Results

# Every beginning of some messages, and of each with an end that may be cut off, in memory of its very length.
CUT_OFF = r"""
import numpy as np
import pyarrow as pa

from cauce.stream.messages import read

whole = '{"id":"a","text":"h\\u00e9\\ud83d\\ude00 ñ","rev":-12,"op":"delete","x":[1.5e-3,{"b":null}],"created_at":12,"z":true}'
for text in (whole, '{"":1}', '{"text":null}', '{"a":"😀"}'):
    data = text.encode()
    for cut in range(len(data) + 1):
        for tail in (b"", b"-", b'"', b'"\\', b'"\\u12', b"\xf0\x9f", b"t", b"1.", b"1e"):
            one = data[:cut] + tail
            held = [pa.py_buffer(np.array([0, len(one)], np.int64)), pa.py_buffer(np.frombuffer(one, np.uint8).copy())]
            read(pa.LargeBinaryArray.from_buffers(pa.large_binary(), 1, [None, *held]), 1000, "text")
"""
LIMIT = 300
NAMES = st.sampled_from([*OWN, "mensaje", "label", "input_label", "key", "user"]) | st.text()
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.sampled_from(["upsert", "delete"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
DOCUMENTS = st.dictionaries(NAMES, VALUES)
WRITTEN = st.sampled_from([json.dumps, lambda one: json.dumps(one, ensure_ascii=False), lambda one: json.dumps(one, indent=1)])
LIKE_JSON = st.text('{}[]":,\\/ \n\t\r0123456789.eE+-truefalsn\ud7ffué😀idopxv', max_size=40)
BYTES = (
    st.binary()
    | LIKE_JSON.map(lambda one: one.encode())
    | st.tuples(WRITTEN, DOCUMENTS).map(lambda pair: pair[0](pair[1]).encode())
    | st.tuples(DOCUMENTS, LIKE_JSON).map(lambda pair: ('{"text": ' + pair[1] + json.dumps(pair[0])[1:]).encode())
)


def messages_of(*data: bytes, alias: str | None = "text") -> Messages:
    return read(deliveries(*data).data, LIMIT, alias)


def deliveries(*data: bytes) -> Deliveries:
    return Deliveries.of("s", list(data), [str(row) for row in range(len(data))])


def key_of(data: bytes, *, source: str = "s", place: str = "1", version: str = "") -> str:
    (key,) = keys_of(source, pa.array([place]), messages_of(data), version).to_pylist()
    return str(key)


def parsed(data: bytes) -> tuple[str, Message]:
    try:
        return "", parse(data, LIMIT)
    except MessageError as wrong:
        return wrong.code, Message({}, "", "upsert", 0)


def facts(one: Messages, row: int) -> dict[str, Any]:
    columns = {"text": one.texts, "id": one.ids, "created_at": one.created, "other": one.others}
    return {name: column[row].as_py() for name, column in columns.items()}


@given(st.lists(BYTES, min_size=1, max_size=5), st.sampled_from(["text", "mensaje", "id", "label", None]))
@example([b""], "text")
@example([b"\xff"], "text")
@example([b"[" * 200], "text")
@example([b'{"a":' * 80 + b"1" + b"}" * 80], "text")
@example([b'{"text": "\\ud800"}'], "text")
@example([b'{"text": "\\ud83d\\ude00 \\u00e9 \\n", "id": "\\u0061"}'], "text")
@example([b'{"id": 123456789012345678901234567890}'], "text")
@example([b'{"id": true}'], "text")
@example([b'{"id": -0, "rev": -0, "text": ""}'], "text")
@example([b'{"op": "delete"}'], "text")
@example([b'{"op": []}'], "text")
@example([b'{"text": "a", }'], "text")
@example([b'{"text": "a", "text": "b"}'], "text")
@example([b'{"mensaje": "a", "text": null}'], "mensaje")
@example([b'{"user": 1e999}'], "text")
@example([b'{"user": 01}'], "text")
@example([b'{"text"\n: "a"}'], "text")
@example([b'{"te\\u0078t": "a"}'], "text")
def test_any_bytes_are_a_message_or_have_a_code(data: list[bytes], alias: str | None) -> None:
    found = messages_of(*data, alias=alias)
    model = echo_model()
    predictions = model.predict(["x"] * len(data))
    keys = keys_of("s", pa.array([str(row) for row in range(len(data))]), found)
    lines = Results(model, deliveries(*data), found, keys, predictions, np.arange(len(data))).lines.to_pylist()
    for row, one in enumerate(data):
        code = CODES[found.codes[row]]
        wrong, message = parsed(one)
        if wrong:
            assert code == wrong
            (line,) = letters(deliveries(one), found.codes[row : row + 1], LIMIT).lines.to_pylist()
            assert raw(orjson.loads(line)) == one
            continue
        document = message.document
        text = document.get("text", document.get(alias)) if alias else document.get("text")
        if code:
            assert (code, type(text) in (str, type(None))) == ("wrong_type", False)
            continue
        seen = facts(found, row)
        assert seen["text"] == (text if isinstance(text, str) else None)
        assert (seen["id"] or "", found.revs[row], found.deletes[row]) == (message.id, message.rev, message.op == "delete")
        created = document.get("created_at")
        assert seen["created_at"] == created if isinstance(created, str | None) else float(seen["created_at"]) == created
        renamed = beside_answers(document)
        others = {name: value for name, value in renamed.items() if name not in {*OWN, alias}}
        assert (orjson.loads(seen["other"]) if seen["other"] else {}) == others
        if not document:  # no model answers nothing
            continue
        answered = orjson.loads(lines[row])
        assert b"\n" not in lines[row]
        assert {name: value for name, value in answered.items() if name not in ANSWERS} == renamed


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"x", "not_json"),
        (b"\xc3\x28", "not_utf8"),
        (b"3", "not_an_object"),
        (b'{"id": 1.5}', "wrong_id"),
        (b'{"op": "insert"}', "wrong_op"),
        (b'{"rev": "3"}', "wrong_rev"),
        (b'{"rev": 18446744073709551615}', "wrong_rev"),
        (b'{"created_at": []}', "wrong_created_at"),
        (b'{"op": "delete", "id": ""}', "delete_without_id"),
        (b'{"text": 3}', "wrong_type"),
        (b"[" + b" " * LIMIT + b"]", "too_large"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, code: str) -> None:
    assert CODES[messages_of(data).codes[0]] == code


@pytest.mark.parametrize(("levels", "code"), [(199, ""), (200, "too_deep"), (1000, "too_deep"), (100_000, "not_json")])
def test_a_message_is_as_deep_as_an_answer_can_be_written(levels: int, code: str) -> None:
    data = b'{"text": "hola", "a":' + b"[" * levels + b"]" * levels + b"}"
    assert CODES[read(pa.array([data], pa.large_binary()), 10**6, "text").codes[0]] == code


def test_only_the_same_thing_has_the_same_key() -> None:
    one = b'{"id": "a", "text": "x"}'
    keys = {
        key_of(one),
        key_of(one, source="t"),
        key_of(b'{"id": "b", "text": "x"}'),
        key_of(b'{"id": "a", "rev": 1}'),
        key_of(b'{"id": "a", "rev": -1}'),
        key_of(b'{"id": "a", "op": "delete"}'),
        key_of(one, version="version"),
        key_of(b'{"id": "1"}'),
        key_of(b"{}"),
        key_of(b"{}", place="2"),
    }
    assert len(keys) == 10
    assert key_of(one) == key_of(b'{"text": "changed", "id": "\\u0061"}', place="2")
    abouts = abouts_of("s", pa.array(["1", "2"]), messages_of(one, b'{"id": "a", "rev": 1, "op": "delete"}'))
    assert len(set(abouts.to_pylist())) == 1


@given(st.binary(max_size=300), st.binary(max_size=300), st.binary(max_size=300))
@example(b"a" * 128, b"", b"")
@example(b"a" * 64, b"a" * 64, b"a" * 128)
@example(b"", b"", b"")
def test_the_compiled_hash_is_blake2b(head: bytes, second: bytes, rest: bytes) -> None:
    out = np.empty((1, 32), np.uint8)
    parts = [np.frombuffer(one, np.uint8) for one in (head, second, rest)]
    digests(parts[0], parts[1].reshape(1, -1), parts[2], np.array([0, len(rest)]), out)
    assert out.tobytes().decode() == blake2b(head + second + rest, digest_size=16).hexdigest()


def test_an_answer_says_what_the_docs_say() -> None:
    model, one = echo_model(), deliveries(b'{"text": "hola"}')
    messages = read(one.data, LIMIT, "text")
    results = Results(model, one, messages, keys_of("s", one.places, messages), model.predict(["hola"]), np.arange(1))
    (line,) = results.lines.to_pylist()
    assert {"labels", *orjson.loads(line)} == {"text", *ANSWERS}


def test_nothing_is_read_behind_the_end_of_a_message(tmp_path: Path) -> None:
    env = {**os.environ, "NUMBA_BOUNDSCHECK": "1", "CAUCE_KERNEL_CACHE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", CUT_OFF], env=env, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
