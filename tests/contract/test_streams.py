"""One contract over every source and sink: nothing is lost, and what was written before a crash is not written twice."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from brokers import Jetstream, OwnKafka, jetstream, own_kafka, streams
from confluent_kafka import Producer

from cauce.errors import BrokerGone
from cauce.model.model import echo_model
from cauce.settings import Stream, settings
from cauce.stream import places
from cauce.stream.brokers.memory import MemorySink, MemorySource, Topic
from cauce.stream.contract import Output, Sink, Source
from cauce.stream.deliveries import Deliveries, joined
from cauce.stream.message import Document
from cauce.stream.patience import Patience
from cauce.stream.records import Records
from cauce.stream.results import Results
from cauce.stream.schemes import Opening
from cauce.stream.worker import Worker

TAKEOVER = 0.3


@dataclass
class Ends:
    """Both ends of a worker.

    Attributes:
        put: add messages, before a source is opened.
        source, sink, dead: open one.
        written: what a sink of these holds now.
        replaces: it holds the last result about each thing, not each result.

    """

    put: Callable[[Sequence[bytes]], None]
    source: Callable[[], Source]
    sink: Callable[[], Sink[Results]]
    dead: Callable[[], Sink[Records]]
    written: Callable[[], list[Document]]
    letters: Callable[[], list[Document]]
    replaces: bool = False


def opening() -> Opening:
    return Opening(Stream(takeover=TAKEOVER), Patience(0, lambda line: None, threading.Event()))


def memory() -> Ends:
    topic, sink, dead = Topic(), MemorySink(), MemorySink()

    def put(messages: Sequence[bytes]) -> None:
        for one in messages:
            topic.put(one)

    return Ends(
        put, lambda: MemorySource(topic, ends=True), lambda: sink, lambda: dead, lambda: sink.documents, lambda: dead.documents
    )


def files(folder: Path, kind: str) -> Ends:
    path, out = folder / "in.jsonl", folder / "out"

    def put(messages: Sequence[bytes]) -> None:
        with path.open("ab") as file:
            file.writelines(one + b"\n" for one in messages)

    def written() -> list[Document]:
        if kind == "parquet":
            return [row for part in sorted(out.glob("part-*")) for row in pq.read_table(part).to_pylist()]
        return lines(out)

    return Ends(
        put,
        lambda: places.source(f"file:{path}", opening()),
        lambda: places.sink(f"file:{out}?format={kind}", opening()),
        lambda: places.dead(f"file:{out}/dead", opening()),
        written,
        lambda: lines(out / "dead"),
    )


def sql(folder: Path) -> Ends:
    def written() -> list[Document]:
        with closing(sqlite3.connect(folder / "scored.db")) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute("SELECT * FROM scored")]

    sink = f"sql:sqlite:///{folder}/scored.db"
    return replace(files(folder, "jsonl"), sink=lambda: places.sink(sink, opening()), written=written, replaces=True)


def lines(folder: Path) -> list[Document]:
    return [json.loads(line) for part in sorted(folder.glob("part-*")) for line in part.read_text("utf-8").splitlines()]


def redis(client: Any, address: str, to: str = "") -> Ends:
    raw, scored, dead = (f"{address}-{name}" for name in ("raw", "scored", "dead"))
    together = opening()

    def put(messages: Sequence[bytes]) -> None:
        for one in messages:
            client.xadd(raw.rpartition("/")[2], {"data": one})

    def entries(of: str) -> list[Document]:
        return [json.loads(fields[b"data"]) for _, fields in client.xrange(of.rpartition("/")[2])]

    folder = Path(to)
    return Ends(
        put,
        lambda: places.source(raw, together),
        lambda: places.sink(f"file:{folder}", opening()) if to else places.sink(scored, together),
        lambda: places.dead(dead, together),
        lambda: lines(folder) if to else entries(scored),
        lambda: entries(dead),
    )


def nats(client: Jetstream, address: str, to: str = "") -> Ends:
    raw, scored, dead = (f"{address}.{name}" for name in ("raw", "scored", "dead"))
    subject = {one: one.rpartition("/")[2] for one in (raw, scored, dead)}

    def entries(of: str) -> list[Document]:
        return [json.loads(one) for one in client.entries(subject[of])]

    folder = Path(to)
    return Ends(
        lambda messages: client.put(subject[raw], messages),
        lambda: places.source(raw, opening()),
        lambda: places.sink(f"file:{folder}" if to else scored, opening()),
        lambda: places.dead(dead, opening()),
        lambda: lines(folder) if to else entries(scored),
        lambda: entries(dead),
    )


def kafka(own: OwnKafka) -> Ends:
    topics = {name: f"{own.address}/{name}" for name in ("raw", "scored", "raw.dead")}
    for name in topics:
        own.make(name, partitions=1)  # only one has an order

    def put(messages: Sequence[bytes]) -> None:
        producer = Producer({"bootstrap.servers": own.hosts})
        for one in messages:
            producer.produce("raw", one)
        assert producer.flush(10) == 0

    def records(name: str) -> list[Document]:
        return [json.loads(one.value() or b"") for one in own.records(name)]

    def started() -> Opening:
        return Opening(Stream(takeover=1.25), opening().patience)  # these brokers take a second less for who left

    return Ends(
        put,
        lambda: places.source(topics["raw"], started()),
        lambda: places.sink(topics["scored"], started()),
        lambda: places.dead(topics["raw.dead"], started()),
        lambda: records("scored"),
        lambda: records("raw.dead"),
    )


@pytest.fixture(params=["memory", "jsonl", "parquet", "sql", "redis", "redis to files", "nats", "nats to files", "kafka"])
def ends(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ends]:
    monkeypatch.setenv("CAUCE_HOME", str(tmp_path / "home"))
    settings.cache_clear()
    if request.param == "memory":
        yield memory()
    elif request.param.startswith("redis"):
        with streams() as (client, address):
            yield redis(client, address, str(tmp_path / "out") if "files" in request.param else "")
    elif request.param.startswith("nats"):
        with jetstream() as (client, address):
            yield nats(client, address, str(tmp_path / "out") if "files" in request.param else "")
    elif request.param == "kafka":
        with own_kafka() as own:
            yield kafka(own)
    elif request.param == "sql":
        yield sql(tmp_path)
    else:
        yield files(tmp_path, request.param)
    settings.cache_clear()


def messages(count: int) -> list[bytes]:
    return [json.dumps({"id": n, "text": f"número {n}"}).encode() for n in range(count)]


def drained(source: Source, count: int) -> Deliveries:
    """The next `count` messages."""
    found: list[Deliveries] = []
    until = time.monotonic() + 20
    while (got := sum(map(len, found))) < count and time.monotonic() < until:
        some = source.fetch(count - got, 1 << 20, 0.05)
        found += [] if some is None else [some]
    (whole,) = joined(found)
    return whole


class Quiet:
    """Stops a worker once its source has had nothing for a while."""

    def __init__(self, source: Source, stop: threading.Event) -> None:
        self._source, self._stop, self._empty = source, stop, 0

    @property
    def ended(self) -> bool:
        return self._source.ended

    def fetch(self, most: int, room: int, wait: float) -> Deliveries | None:
        found = self._source.fetch(most, room, wait)
        self._empty = self._empty + 1 if found is None else 0
        if self._empty > 5:
            self._stop.set()
        return found

    def acknowledge(self, places: Sequence[str]) -> None:
        self._source.acknowledge(places)

    def close(self) -> None:
        self._source.close()


def work(ends: Ends, wrap: Callable[[Output], Output] = lambda output: output) -> None:
    source, sink, dead, stop = ends.source(), ends.sink(), ends.dead(), threading.Event()
    output = wrap(places.joined(source, sink, dead))
    try:
        Worker(echo_model, Quiet(source, stop), sink, output, Stream(max_batch=7, max_message_bytes=1000)).run(stop)
    finally:
        source.close()
        for one in (sink, dead):
            if not isinstance(one, MemorySink) and "Redis" not in type(one).__name__:  # the others are shared
                one.close()


def test_each_message_comes_once_and_in_order(ends: Ends) -> None:
    ends.put(messages(20))
    source = ends.source()
    found = drained(source, 20)
    assert [json.loads(one)["id"] for one in found.data.to_pylist()] == list(range(20))
    assert len(set(found.places.to_pylist())) == 20
    assert set(found.attempts) == {1}
    assert abs(found.received - time.time()).max() < 30
    source.acknowledge(found.places.to_pylist())
    assert source.fetch(5, 1000, 0.01) is None
    source.close()


def test_what_is_not_acknowledged_comes_again_and_the_rest_does_not(ends: Ends) -> None:
    ends.put(messages(10))
    first = ends.source()
    given = drained(first, 10)
    first.acknowledge(given.places.to_pylist()[:4])
    first.close()
    time.sleep(TAKEOVER)
    second = ends.source()
    again = drained(second, 6)
    assert again.data.to_pylist() == given.data.to_pylist()[4:]
    assert again.places.to_pylist() == given.places.to_pylist()[4:]
    second.acknowledge(again.places.to_pylist())
    time.sleep(TAKEOVER)
    assert second.fetch(5, 1000, 0.01) is None
    second.close()


def test_no_more_is_fetched_than_there_is_room_for(ends: Ends) -> None:
    ends.put([json.dumps({"text": "x" * 3000}).encode() for _ in range(20)])
    source = ends.source()
    assert len(source.fetch(3, 1 << 20, 0.2) or []) <= 3
    drained(source, 1)  # by now it knows how large they are
    assert 1 <= len(source.fetch(100, 7000, 0.2) or []) <= 3
    source.close()


def test_a_worker_answers_each_message_and_says_what_is_wrong_with_others(ends: Ends) -> None:
    good = messages(30)
    bad = [b"not json", b"\xff\xfe", b'{"id": "empty", "text": ""}', b'{"text": "' + b"x" * 5000 + b'"}', b"[]"]
    ends.put([*good[:10], *bad, *good[10:], good[3]])
    work(ends)
    assert sorted(int(one["id"]) for one in ends.written()) == list(range(30))
    assert {one["label"] for one in ends.written()} <= set(echo_model().labels)
    letters = {one["code"]: one for one in ends.letters()}
    assert sorted(letters) == ["empty_text", "not_an_object", "not_json", "not_utf8", "too_large"]
    assert letters["not_json"]["raw"] == "not json"
    assert letters["not_utf8"]["raw_base64"] == "//4="
    assert letters["too_large"]["cut"]


def test_a_message_that_was_deleted_is_withdrawn(ends: Ends) -> None:
    ends.put([b'{"id": "a", "text": "hola"}', b'{"id": "a", "op": "delete"}', b'{"id": "a", "text": "hola!", "rev": 1}'])
    work(ends)
    written = ends.written()
    if ends.replaces:
        assert [(one["rev"], one["text"]) for one in written] == [(1, "hola!")]
        return
    assert len(written) == 3
    assert len({one["key"] for one in written}) == 3
    (gone,) = [one for one in written if one.get("op") == "delete"]
    assert (gone["label"], gone["score"]) == (None, None)


class Crashes:
    """An output whose worker dies at a step."""

    def __init__(self, output: Output, after: str) -> None:
        self._output, self._after = output, after

    def put(self, places: Sequence[str], results: Results, letters: Records) -> None:
        if self._after == "predicted":
            raise BrokerGone("the worker dies")
        self._output.put(places, results, letters)
        if self._after == "put":
            raise BrokerGone("the worker dies")

    def settle(self, *, now: bool) -> None:
        if now:
            return
        sink, dead = getattr(self._output, "_sink", None), getattr(self._output, "_dead", None)
        for one in (sink, dead):
            if one is not None:
                one.flush()
        raise BrokerGone("the worker dies")


@pytest.mark.parametrize("after", ["predicted", "put", "flushed"])
def test_after_a_crash_every_result_is_there_once(ends: Ends, after: str) -> None:
    ends.put([*messages(40), b"not json"])
    with pytest.raises(BrokerGone):
        work(ends, lambda output: Crashes(output, after))
    time.sleep(TAKEOVER)
    work(ends)
    assert sorted(int(one["id"]) for one in ends.written()) == list(range(40))
    assert [one["code"] for one in ends.letters()] == ["not_json"]
