"""Messages as Arrow columns: the same as their rows would be as JSON objects."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cauce.errors import UnreadableData
from cauce.model.model import echo_model
from cauce.settings import Stream, settings
from cauce.stream.brokers.arrow_file import ArrowFile
from cauce.stream.brokers.memory import MemorySink, MemorySource, Topic
from cauce.stream.columns import from_columns
from cauce.stream.message import CODES
from cauce.stream.messages import Messages, read
from cauce.stream.places import joined
from cauce.stream.worker import Worker

TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"]))
WHOLE = st.none() | st.integers(-(1 << 63), (1 << 63) - 1)
COLUMNS = {
    "id": [TEXTS, WHOLE, st.none() | st.booleans()],
    "text": [TEXTS, WHOLE],
    "mensaje": [TEXTS],
    "op": [st.sampled_from([None, "upsert", "delete", "insert"]), WHOLE],
    "rev": [WHOLE, TEXTS],
    "created_at": [TEXTS, WHOLE, st.none() | st.booleans()],
    "user": [TEXTS, WHOLE, st.none() | st.booleans()],
    "label": [TEXTS],
}


@st.composite
def tables(draw: st.DrawFn) -> pa.RecordBatch:
    rows = draw(st.integers(1, 5))
    names = draw(st.lists(st.sampled_from(list(COLUMNS)), min_size=1, unique=True))
    values = {}
    for name in names:
        kind = draw(st.sampled_from(COLUMNS[name]))
        values[name] = draw(st.lists(kind, min_size=rows, max_size=rows))
    return pa.RecordBatch.from_pydict(values)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CAUCE_HOME", str(tmp_path / "home"))
    settings.cache_clear()
    yield
    settings.cache_clear()


def facts(one: Messages, row: int) -> dict[str, Any]:
    code = CODES[one.codes[row]]
    if code:
        return {"code": code}
    other = one.others[row].as_py()
    named = {"text": one.texts, "id": one.ids, "created": one.created}
    columns = {name: column[row].as_py() for name, column in named.items()}
    return {**columns, "other": json.loads(other or "{}"), "rev": one.revs[row], "delete": one.deletes[row]}


@given(tables(), st.sampled_from(["text", "mensaje", None]))
def test_columns_are_read_as_their_rows_would_be(rows: pa.RecordBatch, alias: str | None) -> None:
    found = from_columns(rows, alias)
    wanted = read(pa.array([orjson.dumps(one) for one in rows.to_pylist()], pa.large_binary()), 10**6, alias)
    for row in range(len(rows)):
        seen, expected = facts(found, row), facts(wanted, row)
        if alias == "mensaje" and {"text", "mensaje"} <= {*rows.schema.names}:
            seen.get("other", {}).pop("mensaje", None)
            expected.get("other", {}).pop("mensaje", None)
        assert seen == expected


def write(path: Path, rows: pa.RecordBatch, *, stream: bool = True) -> None:
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(str(path), rows.schema) as out:
        for start in range(0, len(rows), 10):
            out.write_batch(rows.slice(start, 10))


def work(path: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    source, sink, dead = ArrowFile(path, "cauce"), MemorySink(), MemorySink()
    Worker(echo_model, source, sink, joined(source, sink, dead), Stream(max_batch=7)).run(threading.Event())
    source.close()
    return sink.documents, dead.documents


@pytest.mark.parametrize("stream", [True, False])
def test_rows_are_answered_like_json_lines(tmp_path: Path, *, stream: bool) -> None:
    n = 35
    texts = [None if row == 5 else f"número {row}" for row in range(n)]
    rows = pa.RecordBatch.from_pydict({"id": list(range(n)), "text": texts, "label": ["x"] * n, "user": ["eva"] * n})
    write(tmp_path / "posts.arrow", rows, stream=stream)
    results, dead = work(tmp_path / "posts.arrow")
    topic, sink = Topic("file:posts.arrow"), MemorySink()
    for row in rows.to_pylist():
        topic.put(orjson.dumps(row))
    source = MemorySource(topic, ends=True)
    Worker(echo_model, source, sink, joined(source, sink, MemorySink()), Stream()).run(threading.Event())
    assert results == sink.documents
    assert [(one["code"], one["place"]) for one in dead] == [("missing_input", "5")]
    assert orjson.loads(dead[0]["raw"]) == rows.slice(5, 1).to_pylist()[0]
    assert work(tmp_path / "posts.arrow") == ([], [])  # the position was kept


def test_it_goes_on_where_it_stopped(tmp_path: Path) -> None:
    write(tmp_path / "posts.arrow", pa.RecordBatch.from_pydict({"text": [f"número {row}" for row in range(30)]}))
    source = ArrowFile(tmp_path / "posts.arrow", "cauce")
    given = source.fetch(13, 1 << 20, 0)
    assert given is not None
    source.acknowledge(given.places.to_pylist()[:4])
    source.close()
    results, _ = work(tmp_path / "posts.arrow")
    assert [one["text"] for one in results] == [f"número {row}" for row in range(4, 30)]


def test_what_is_not_utf_8_is_a_dead_letter_with_its_bytes_and_its_neighbors_are_answered(tmp_path: Path) -> None:
    texts = pa.array([b"uno", b"d\xffs", b"tres", b"\xfe"], pa.binary()).view(pa.string())
    write(tmp_path / "posts.arrow", pa.RecordBatch.from_arrays([pa.array([1, 2, 3, 4]), texts], ["id", "text"]))
    results, dead = work(tmp_path / "posts.arrow")
    assert [one["id"] for one in results] == [1, 3]
    assert [(one["code"], one["place"]) for one in dead] == [("not_utf8", "1"), ("not_utf8", "3")]
    assert dead[0]["raw_base64"] == "eyJpZCI6IDIsICJ0ZXh0IjogImT/cyJ9"


@pytest.mark.parametrize("content", [b"", b"no", b"ARROW1 but no more", b"\xff\xff\xff\xff\x10\x00\x00\x00"])
def test_what_is_no_arrow_file_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "posts.arrow").write_bytes(content)
    with pytest.raises(UnreadableData, match="not Arrow") as caught:
        work(tmp_path / "posts.arrow")
    assert caught.value.where == str(tmp_path / "posts.arrow")
