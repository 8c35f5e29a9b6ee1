"""Whatever bytes come, a message is read or has a code; and what was read is passed on."""

from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cauce.model.model import echo_model
from cauce.stream.broker import Delivery
from cauce.stream.key import key_of
from cauce.stream.letter import letter, raw
from cauce.stream.message import ANSWERS, Message, MessageError, answered, answers, parse

LIMIT = 300
NAMES = st.sampled_from(["id", "text", "op", "rev", "created_at", "label", "input_label", "key", "user"]) | st.text()
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner),
    max_leaves=4,
)


@given(st.binary() | st.dictionaries(NAMES, VALUES).map(lambda one: json.dumps(one).encode()))
@example(b"")
@example(b"\xff")
@example(b"[" * 200)
@example(b'{"text": "\\ud800"}')
@example(b'{"id": 123456789012345678901234567890}')
@example(b'{"id": true}')
@example(b'{"op": "delete"}')
@example(b'{"op": []}')
def test_any_bytes_are_a_message_or_have_a_code(data: bytes) -> None:
    try:
        message = parse(data, LIMIT)
    except MessageError as wrong:
        dead = letter(Delivery(data, "s", "1"), wrong.code, LIMIT)  # of a code that it does not know there is none
        assert raw(orjson.loads(orjson.dumps(dead))) == data
        return
    assert len(key_of("s", "1", message)) == 32
    out = answered(message, "k", {"label": "good"})
    assert out["label"] == "good"
    kept = [value for name, value in out.items() if name not in ("key", "label")]
    assert kept == list(message.document.values())
    assert orjson.loads(orjson.dumps(out)) == out


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"x", "not_json"),
        (b"\xc3\x28", "not_utf8"),
        (b"3", "not_an_object"),
        (b'{"id": 1.5}', "wrong_id"),
        (b'{"op": "insert"}', "wrong_op"),
        (b'{"rev": "3"}', "wrong_rev"),
        (b'{"created_at": []}', "wrong_created_at"),
        (b'{"op": "delete", "id": ""}', "delete_without_id"),
        (b"[" + b" " * LIMIT + b"]", "too_large"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, code: str) -> None:
    with pytest.raises(MessageError) as caught:
        parse(data, LIMIT)
    assert caught.value.code == code


def test_only_the_same_thing_has_the_same_key() -> None:
    one = Message({}, "a", "upsert", 0)
    keys = {
        key_of("s", "1", one),
        key_of("t", "1", one),
        key_of("s", "1", Message({}, "b", "upsert", 0)),
        key_of("s", "1", Message({}, "a", "upsert", 1)),
        key_of("s", "1", Message({}, "a", "delete", 0)),
        key_of("s", "1", one, "version"),
        key_of("s", "1", Message({}, "", "upsert", 0)),
        key_of("s", "2", Message({}, "", "upsert", 0)),
    }
    assert len(keys) == 8
    assert key_of("s", "1", one) == key_of("s", "2", one)


def test_an_answer_says_what_the_docs_say() -> None:
    model = echo_model()
    ((code, answer),) = answers(model, model.predict(["hola"]))
    assert code == ""
    assert {"key", "labels", *answer} == set(ANSWERS)
