"""Kafka, against the brokers that librdkafka has for tests: groups, rebalances and commits are real, transactions are not."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer

import numpy as np
import pyarrow as pa
import pytest
from brokers import OwnKafka, own_kafka
from confluent_kafka import Producer

from cauce.errors import AccessDenied, BrokerGone, InputError
from cauce.model.model import echo_model
from cauce.settings import Stream
from cauce.stream import places, schemes
from cauce.stream.brokers import kafka
from cauce.stream.brokers.kafka_cluster import cluster_of
from cauce.stream.deliveries import Deliveries
from cauce.stream.key import keys_of
from cauce.stream.messages import read
from cauce.stream.patience import Patience
from cauce.stream.records import Records
from cauce.stream.redrive import redrive
from cauce.stream.results import Results
from cauce.stream.schemes import Opening

Opened = Callable[..., kafka.KafkaSource]
PRODUCE, OFFSET_COMMIT = 0, 8  # Kafka's numbers of requests
TOO_LARGE, REBALANCE, NOT_ALLOWED = 10, 27, 29  # and of errors
SESSION = 2.0  # seconds: these brokers wait a second less than that for all who share a topic


@pytest.fixture
def own() -> Iterator[OwnKafka]:
    with own_kafka() as found:
        found.make("raw", partitions=4)
        found.make("scored", partitions=4)
        yield found


@pytest.fixture
def opened(own: OwnKafka) -> Iterator[Opened]:
    """Opens sources, and closes them in the end."""
    found: list[kafka.KafkaSource] = []

    def open_(**options: float) -> kafka.KafkaSource:
        place = schemes.read(f"{own.address}/raw", written=False)
        found.append(kafka.KafkaSource(cluster_of(place, opening()), "raw", "cauce", SESSION, 1 << 25, **options))
        return found[-1]

    yield open_
    for one in found:
        one.close()


def opening(wait: float = 0, told: Callable[[str], None] = lambda line: None, takeover: float = SESSION) -> Opening:
    return Opening(Stream(takeover=takeover), Patience(wait, told, threading.Event()))


def put(own: OwnKafka, count: int, partition: int = -1) -> None:
    producer = Producer({"bootstrap.servers": own.hosts})
    for n in range(count):
        producer.produce("raw", b'{"id": %d, "text": "hola"}' % n, partition=n % 4 if partition < 0 else partition)
    assert producer.flush(10) == 0


def fetched(source: kafka.KafkaSource, count: int, seconds: float = 20) -> list[str]:
    """The places of the next messages."""
    found, until = list[str](), time.monotonic() + seconds
    while len(found) < count and time.monotonic() < until:
        some = source.fetch(count - len(found), 1 << 20, 0.05)
        found += [] if some is None else some.places.to_pylist()
    return found


def waiting(own: OwnKafka) -> int | None:
    (group,) = places.groups(f"{own.address}/raw", opening())
    return group.waiting


def records(count: int, size: int = 10) -> Records:
    lines = [json.dumps({"id": str(n), "text": "x" * size, "scores": {"a": 0.5}}).encode() for n in range(count)]
    return Records(pa.array([f"{n:032x}" for n in range(count)]), pa.array(lines, pa.large_binary()))


def results(messages: Sequence[bytes]) -> Results:
    model, deliveries = echo_model(), Deliveries.of("kafka:raw", messages, [f"0:{n}" for n in range(len(messages))])
    found = read(deliveries.data, 1000, None)
    keys = keys_of(deliveries.source, deliveries.places, found)
    return Results(model, deliveries, found, keys, model.predict(found.texts.to_pylist()), np.arange(len(messages)))


def test_each_message_comes_once_and_in_the_order_of_its_partition(own: OwnKafka, opened: Opened) -> None:
    put(own, 2000)
    source = opened()
    places_ = list[str]()
    while len(places_) < 2000:
        some = fetched(source, min(300, 2000 - len(places_)))
        source.acknowledge(some)
        places_ += some
    by_partition = defaultdict(list)
    for place in places_:
        partition, _, offset = place.partition(":")
        by_partition[partition].append(int(offset))
    assert by_partition == {str(one): list(range(500)) for one in range(4)}
    assert waiting(own) == 0


def test_a_place_is_a_partition_and_an_offset_and_the_time_is_the_message_s(own: OwnKafka, opened: Opened) -> None:
    producer = Producer({"bootstrap.servers": own.hosts})
    producer.produce("raw", b"{}", partition=2, timestamp=1_700_000_000_500)
    assert producer.flush(10) == 0
    source = opened()
    until, some = time.monotonic() + 10, None
    while some is None and time.monotonic() < until:
        some = source.fetch(1, 1000, 0.1)
    assert some is not None
    assert (some.source, some.places.to_pylist(), some.attempts.tolist()) == ("kafka:raw", ["2:0"], [1])
    assert some.received.tolist() == [1_700_000_000.5]


def test_what_is_behind_a_gap_comes_again(own: OwnKafka, opened: Opened) -> None:
    put(own, 40)
    source = opened()
    given = fetched(source, 40)
    source.acknowledge([one for one in reversed(given) if one not in ("0:0", "2:5")])
    assert waiting(own) == 10 + 5
    source.close()
    again = opened()
    assert sorted(fetched(again, 15)) == sorted([*(f"0:{n}" for n in range(10)), *(f"2:{n}" for n in range(5, 10))])
    assert fetched(again, 1, 0.5) == []


def test_two_share_the_partitions_and_one_that_goes_leaves_its_messages_to_the_other(own: OwnKafka, opened: Opened) -> None:
    put(own, 400)
    first, second = opened(), opened()
    stop, shares = threading.Event(), (list[str](), list[str]())

    def fetch(source: kafka.KafkaSource, into: list[str]) -> None:
        while not stop.is_set():
            into += fetched(source, 50, 0.1)

    threads = [threading.Thread(target=fetch, args=pair) for pair in zip((first, second), shares, strict=True)]
    for one in threads:
        one.start()
    until = time.monotonic() + 20
    while time.monotonic() < until and not all(len({place[0] for place in one}) >= 2 for one in shares):
        time.sleep(0.05)
    stop.set()
    for one in threads:
        one.join()
    second.close()  # it acknowledged nothing
    first.acknowledge(shares[0])
    again, doubted, until = set[str](), 0, time.monotonic() + 20
    while waiting(own) and time.monotonic() < until:
        if (some := first.fetch(50, 1 << 20, 0.1)) is not None:
            first.acknowledge(some.places.to_pylist())
            again |= set(some.places.to_pylist())
            doubted += int((some.attempts > 1).sum())
    assert set(shares[1]) <= again
    assert doubted >= 2  # the first of each partition that came over: its result may be there
    assert waiting(own) == 0


DIES = """
import sys, threading, time
from cauce.settings import Stream
from cauce.stream import places
from cauce.stream.patience import Patience
from cauce.stream.schemes import Opening
source = places.source(sys.argv[1], Opening(Stream(takeover=2), Patience(0, print, threading.Event())))
while (found := source.fetch(100, 1 << 20, 0.1)) is None:
    pass
print(len(found), flush=True)
time.sleep(60)
"""


def test_what_a_killed_worker_held_is_taken_over(own: OwnKafka, opened: Opened) -> None:
    put(own, 40)
    dying = subprocess.Popen([sys.executable, "-c", DIES, f"{own.address}/raw"], stdout=subprocess.PIPE)
    assert dying.stdout is not None
    assert int(dying.stdout.readline()) > 0
    dying.kill()
    dying.wait()
    dying.stdout.close()
    begun, source = time.monotonic(), opened()
    assert sorted(fetched(source, 40)) == sorted(f"{n % 4}:{n // 4}" for n in range(40))
    assert time.monotonic() - begun < 10


def test_who_is_busy_for_long_stays_in_the_group(own: OwnKafka, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "LULL", 0.4)
    put(own, 40)
    busy = opened(absent=SESSION)
    held = fetched(busy, 40)
    other = opened()
    assert len({one[0] for one in fetched(other, 40, 4)}) == 2  # it was given its part, no more
    busy.acknowledge(held)
    put(own, 4)
    assert fetched(busy, 1) != []


def test_a_commit_while_partitions_change_hands_is_made_up_for(own: OwnKafka, opened: Opened) -> None:
    put(own, 40)
    source = opened()
    given = fetched(source, 40)
    own.fail(OFFSET_COMMIT, REBALANCE)
    source.acknowledge(given)
    assert waiting(own) == 40
    assert source.fetch(1, 1000, 0.01) is None
    assert waiting(own) == 0


def test_a_group_says_how_much_waits_and_for_how_long(own: OwnKafka, opened: Opened) -> None:
    put(own, 40)
    time.sleep(0.3)
    (group,) = places.groups(f"{own.address}/raw", opening())
    assert (group.name, group.waiting, group.held) == ("cauce", 40, 0)
    assert 0.3 <= (group.waiting_seconds or 0) < 20
    source = opened()
    source.acknowledge(fetched(source, 40))
    (group,) = places.groups(f"{own.address}/raw", opening())
    assert (group.waiting, group.waiting_seconds) == (0, None)


def test_a_record_without_a_value_withdraws_what_its_key_names(own: OwnKafka, opened: Opened) -> None:
    producer = Producer({"bootstrap.servers": own.hosts})
    for key in ('é"1', None, b"\xff"):
        producer.produce("raw", None, key, partition=0)
    producer.flush(10)
    source = opened()
    found, until = list[bytes](), time.monotonic() + 10
    while len(found) < 3 and time.monotonic() < until:
        some = source.fetch(3, 1000, 0.1)
        found += [] if some is None else some.data.to_pylist()
    assert json.loads(found[0]) == {"id": 'é"1', "op": "delete"}
    assert found[1:] == [b"", b""]


def test_revisions_of_one_thing_keep_their_order_and_carry_their_keys(own: OwnKafka) -> None:
    written = results([b'{"id": "%d", "text": "hola", "rev": %d}' % (n % 5, n) for n in range(50)] + [b'{"text": "sin id"}'])
    sink = places.sink(f"{own.address}/scored", opening())
    sink.write(written)
    sink.flush()
    found = own.records("scored")
    by_id = defaultdict(list)
    for one in found:
        document = json.loads(one.value() or b"")
        assert dict(one.headers() or ())["key"] == document["key"].encode()
        if "id" in document:
            assert one.key() == document["id"].encode()
            by_id[document["id"]].append((one.partition(), document["rev"]))
        else:
            assert one.key() == document["key"].encode()
    assert len(found) == 51
    for places_ in by_id.values():
        assert len({partition for partition, _ in places_}) == 1
        assert [rev for _, rev in places_] == sorted(rev for _, rev in places_)
    assert sorted(sink.recent()) == sorted(written.keys.to_pylist())
    assert list(sink.recent()) == []  # it has said so before
    sink.close()


def test_a_record_that_is_too_large_is_shortened_and_says_so(own: OwnKafka) -> None:
    sink = places.dead(f"{own.address}/scored", opening())
    sink.write(records(1, 2_000_000))
    sink.flush()
    (found,) = own.records("scored")
    document = json.loads(found.value() or b"")
    assert document == {"id": "0", "text": "x" * 1000, "scores": {"a": 0.5}, "cut": True}
    sink.close()


def test_what_the_brokers_do_not_take_is_not_called_safe(own: OwnKafka) -> None:
    for error, expected in ((TOO_LARGE, InputError), (NOT_ALLOWED, AccessDenied)):
        sink = places.sink(f"{own.address}/scored", opening())
        own.fail(PRODUCE, error)
        sink.write(results([b'{"text": "hola"}']))
        with pytest.raises(expected, match="scored"):
            sink.flush()
        sink.close()


def test_a_broker_that_is_gone_is_waited_for(own: OwnKafka, capfd: pytest.CaptureFixture[str]) -> None:
    put(own, 10)
    told = list[str]()
    together = opening(60, told.append)
    source, sink = places.source(f"{own.address}/raw", together), places.sink(f"{own.address}/scored", together)
    assert isinstance(source, kafka.KafkaSource)
    given = fetched(source, 10)
    own("broker_set_down", 1)
    back = threading.Timer(1.5, own, ("broker_set_up", 1))
    back.start()
    sink.write(results([b'{"id": "%d", "text": "hola"}' % n for n in range(300)]))
    sink.flush()
    back.join()
    found = own.records("scored")
    assert len(found) == 300
    for partition in range(4):
        ids = [int(one.key() or b"") for one in found if one.partition() == partition]
        assert ids == sorted(ids)
    put(own, 4)
    again = fetched(source, 1)
    source.acknowledge([*given, *again])
    assert again
    source.close()
    sink.close()
    assert capfd.readouterr() == ("", "")  # the library's own words spoil no output


def test_who_was_busy_while_the_broker_was_gone_gets_all_of_it_again(
    own: OwnKafka, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka, "LULL", 0.2)
    put(own, 10)
    source = opened()
    given = fetched(source, 10)
    time.sleep(0.5)
    own("broker_set_down", 1)
    time.sleep(SESSION + 1)  # its session ends
    own("broker_set_up", 1)
    assert sorted(fetched(source, 10)) == sorted(given)


def test_a_broker_that_is_not_there_is_told_at_once_where_nobody_waits() -> None:
    with pytest.raises(BrokerGone, match="Connection refused"):
        places.source("kafka://127.0.0.1:1/raw", opening())


def test_a_source_whose_broker_goes_says_so(own: OwnKafka, opened: Opened) -> None:
    source = opened()
    fetched(source, 1, 1)
    own("broker_set_down", 1)
    with pytest.raises(BrokerGone):
        fetched(source, 1)


def test_a_topic_that_is_not_there_is_named(own: OwnKafka) -> None:
    own("topic_set_error", b"nope", 3)
    for open_ in (places.source, places.sink):
        with pytest.raises(InputError, match="no topic nope"):
            open_(f"{own.address}/nope", opening())


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("kafka://127.0.0.1:port/raw", "cannot read the address"),
        ("kafka://127.0.0.1/raw?security=tls", 'no security "tls"'),
        ("kafka://127.0.0.1/raw?security=sasl_ssl", "needs user and password"),
        ("kafka://eva:secreto@127.0.0.1/raw?security=ssl", "to nobody"),
        ("kafka://eva:secreto@127.0.0.1/raw?mechanism=NONE", "NONE"),
        ("kafka://eva:secreto@127.0.0.1/raw?ca=/no/such/file", "/no/such/file"),
        ("kafka://127.0.0.1/raw?db=1", 'no option "db"'),
        ("kafka://127.0.0.1", "names nothing"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(address: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as refused:
        places.source(address, opening())
    assert "secreto" not in str(refused.value.as_dict())


class Refuses(BaseRequestHandler):
    """As much of a Kafka broker as it takes to refuse a password."""

    def handle(self) -> None:
        while head := self.request.recv(4, 0x100):
            body = self.request.recv(struct.unpack(">i", head)[0], 0x100)
            asked, version, number = struct.unpack(">hhi", body[:8])
            supported = ((3, 0, 1), (17, 1, 1), (18, 0, 0), (36, 0, 0))
            versions = struct.pack(">i", 4) + b"".join(struct.pack(">hhh", *one) for one in supported)
            answer = {
                18: struct.pack(">h", 0 if version == 0 else 35) + versions,
                17: struct.pack(">hih5s", 0, 1, 5, b"PLAIN"),
                36: struct.pack(">hh3si", 58, 3, b"no!", 0),
            }[asked]
            self.request.sendall(struct.pack(">ii", 4 + len(answer), number) + answer)


def test_a_wrong_password_is_told_and_not_repeated() -> None:
    with ThreadingTCPServer(("127.0.0.1", 0), Refuses) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"kafka://eva:secreto@127.0.0.1:{server.server_address[1]}/raw?security=sasl_plaintext"
        with pytest.raises(AccessDenied, match="refuses") as refused:
            places.source(address, opening(60))
        assert "secreto" not in str(refused.value.as_dict())
        server.shutdown()


def test_dead_letters_lie_beside_the_messages() -> None:
    assert places.dead_beside("kafka://eva:x@h:1,i:2/raw?security=ssl", "-") == "kafka://eva:x@h:1,i:2/raw.dead?security=ssl"


def test_a_dead_letter_is_not_written_again_by_the_next_worker(own: OwnKafka, tmp_path: Path) -> None:
    for count in (3, 5):
        sink = places.dead(f"{own.address}/scored", opening())
        sink.write(records(count))
        sink.write(records(count))
        sink.flush()
        sink.close()
    assert sorted(json.loads(one.value() or b"")["id"] for one in own.records("scored")) == ["0", "1", "2", "3", "4"]


def test_dead_letters_of_several_partitions_are_redriven(own: OwnKafka) -> None:
    dead, to, before = f"{own.address}/raw.dead", f"{own.address}/raw", "2026-01-01T00:00:00.000+00:00"
    own.make("raw.dead", partitions=4)
    facts = {"code": "runtime_failed", "at": before}
    letters = [{**facts, "cut": n % 5 == 3, "raw": f'{{"id": {n}}}'} for n in range(2000)]
    sink = places.dead(dead, opening())
    lines = pa.array([json.dumps(one).encode() for one in letters], pa.large_binary())
    sink.write(Records(pa.array([f"{n:032x}" for n in range(2000)]), lines))
    sink.flush()
    sink.close()
    found = [redrive(opening(), dead, to) for _ in range(2)]
    assert [(one.went.total(), one.stayed.total()) for one in found] == [(1600, 400), (0, 400)]
    assert sorted(json.loads(one.value() or b"")["id"] for one in own.records("raw")) == [n for n in range(2000) if n % 5 != 3]


def test_the_last_messages_and_those_that_come_can_be_looked_at(own: OwnKafka) -> None:
    put(own, 40)
    messages = places.tail(f"{own.address}/raw", opening(), 3)
    assert len({next(messages) for _ in range(3)}) == 3
    late = threading.Timer(0.3, put, (own, 1))
    late.start()
    assert json.loads(next(messages))["id"] == 0
    late.join()
    messages.close()  # type: ignore[attr-defined]
    assert waiting(own) == 41  # nobody got a message less
