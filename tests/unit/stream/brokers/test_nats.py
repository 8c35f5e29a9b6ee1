"""JetStream as a source and a sink: what a server drops, gives to another, refuses, and does not lose."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from brokers import Jetstream, jetstream, missing, own_nats

from cauce.errors import AccessDenied, BrokerGone, InputError, StorageFull
from cauce.model.model import echo_model
from cauce.settings import Stream
from cauce.stream import places
from cauce.stream.brokers.nats_stream import covers
from cauce.stream.contract import Source
from cauce.stream.deliveries import Deliveries
from cauce.stream.letter import raw
from cauce.stream.patience import Patience
from cauce.stream.records import Records
from cauce.stream.schemes import Opening
from cauce.stream.worker import Worker


@pytest.fixture
def broker() -> Iterator[tuple[Jetstream, str]]:
    with jetstream() as found:
        yield found


def opening(seconds: float = 0.0, told: list[str] | None = None, **settings: Any) -> Opening:
    tell = (lambda line: None) if told is None else told.append
    return Opening(Stream(**settings), Patience(seconds, tell, threading.Event()))


def records(count: int, text: bytes = b"hola", begin: int = 0) -> Records:
    numbers = range(begin, begin + count)
    lines = [b'{"id":%d,"text":"%b"}' % (n, text) for n in numbers]
    return Records(pa.array([f"{n:032x}" for n in numbers]), pa.array(lines, pa.large_binary()))


def numbered(count: int) -> list[bytes]:
    return [json.dumps({"id": n, "text": f"número {n}"}).encode() for n in range(count)]


def ids(lines: Sequence[bytes]) -> list[int]:
    return [json.loads(one)["id"] for one in lines]


def subject(address: str) -> str:
    return address.rpartition("/")[2]


def fetched(source: Source, count: int, seconds: float = 10.0) -> list[Deliveries]:
    """What came until there were so many, or until so many seconds had gone."""
    found: list[Deliveries] = []
    until = time.monotonic() + seconds
    while sum(map(len, found)) < count and time.monotonic() < until:
        some = source.fetch(count, 1 << 24, 0.1)
        found += [] if some is None else [some]
    return found


def worked(from_: str, to: str, together: Opening, until: threading.Event) -> Worker:
    """A worker that answers, in a thread of its own, until the event is set."""
    source, sink, dead = (
        places.source(from_, together),
        places.sink(to, together),
        places.dead(places.dead_beside(from_, to), together),
    )
    worker = Worker(echo_model, source, sink, places.joined(source, sink, dead), together.settings)

    def work() -> None:
        worker.run(until)
        for one in (source, sink, dead):
            one.close()

    threading.Thread(target=work, name="worker").start()
    return worker


def ended() -> None:
    for one in threading.enumerate():
        if one.name == "worker":
            one.join(20)


def test_what_is_written_twice_is_there_once_and_in_order(broker: tuple[Jetstream, str]) -> None:
    client, address = broker
    for count in (5000, 6000):  # as a second worker would, which does not know what the first one wrote
        sink = places.sink(address, opening())
        sink.write(records(count))
        sink.close()
    assert ids(client.entries(subject(address))) == list(range(6000))
    made = client(lambda js: js.stream_info(subject(address))).config
    assert (made.storage, made.retention, made.duplicate_window, made.max_age) == ("file", "limits", 600, 0)


def test_messages_of_all_sizes_come_as_they_were(broker: tuple[Jetstream, str]) -> None:
    client, address = broker
    sent = [
        b"",
        b"\r\n",
        b"MSG x 1 3\r\nabc\r\n",
        b"a" * 900_000,
        b"\x00\xff" * 300_000,
        *(b"b" * n for n in range(0, 70_000, 7001)),
    ]
    client.put(subject(address), sent)
    source = places.source(address, opening())
    assert [one for some in fetched(source, len(sent)) for one in some.data.to_pylist()] == sent
    source.close()


def test_what_a_killed_worker_held_goes_to_another_and_a_living_one_keeps_what_it_holds(broker: tuple[Jetstream, str]) -> None:
    """Five workers; four of them, in one process, are killed."""
    client, address = broker
    client.put(subject(address), numbered(500))
    held = (
        "import sys, threading, time\n"
        "from cauce.settings import Stream\n"
        "from cauce.stream import places\n"
        "from cauce.stream.patience import Patience\n"
        "from cauce.stream.schemes import Opening\n"
        "together = Opening(Stream(takeover=1.5), Patience(0, print, threading.Event()))\n"
        "some = [places.source(sys.argv[1], together) for _ in range(4)]\n"
        "print(sum(len(one.fetch(100, 1 << 24, 1)) for one in some), flush=True)\n"
        "time.sleep(20)\n"
    )
    with subprocess.Popen([sys.executable, "-c", held, address], stdout=subprocess.PIPE, env=os.environ) as others:
        assert others.stdout is not None
        assert int(others.stdout.readline()) == 400
        living = places.source(address, opening(takeover=1.5))
        own = fetched(living, 100)
        assert {one for some in own for one in some.attempts} == {1}
        assert living.fetch(100, 1 << 24, 3.5) is None  # longer than `takeover`: who is alive keeps what it holds
        others.send_signal(signal.SIGKILL)
        killed = time.monotonic()
        taken = fetched(living, 400)
        assert time.monotonic() - killed < 10
    assert {one for some in taken for one in some.attempts} == {2}
    assert sorted(ids([one for some in [*own, *taken] for one in some.data.to_pylist()])) == list(range(500))
    living.acknowledge([place for some in [*own, *taken] for place in some.places.to_pylist()])
    (group,) = places.groups(address, opening())
    assert (group.waiting, group.held) == (0, 0)
    living.close()


def test_what_was_given_out_twice_comes_alone(broker: tuple[Jetstream, str]) -> None:
    """Of a message that kills its worker, others that were fetched with it must not come so often that they are dead too."""
    client, address = broker
    client.put(subject(address), numbered(6))
    for attempt in (1, 2):
        source = places.source(address, opening(takeover=0.2))
        assert [(len(one), {*one.attempts}) for one in fetched(source, 6)] == [(6, {attempt})]
        source.close()
        time.sleep(0.3)
    client.put(subject(address), numbered(4))
    source = places.source(address, opening(takeover=5))
    found = [source.fetch(100, 1 << 24, 1.0) for _ in range(7)]
    assert [one and one.attempts.tolist() for one in found] == [*[[3]] * 6, [1, 1, 1, 1]]  # the others are not held up
    source.close()


def test_a_group_is_named_by_its_messages_and_others_begin_anew(broker: tuple[Jetstream, str]) -> None:
    client, address = broker
    client.put(subject(address), numbered(10))
    one, other = (places.source(address, opening(group=name)) for name in ("one", "other"))
    one.acknowledge(fetched(one, 10)[0].places.to_pylist())
    assert len(fetched(other, 3)[0]) <= 10
    groups = {group.name: group for group in places.groups(address, opening())}
    assert (groups["one"].waiting, groups["one"].waiting_seconds, groups["one"].held) == (0, None, 0)
    client.put(subject(address), numbered(2))
    time.sleep(0.1)
    (again,) = (group for group in places.groups(address, opening()) if group.name == "one")
    assert again.waiting == 2
    assert again.waiting_seconds is not None
    assert 0 < again.waiting_seconds < 30
    one.close()
    other.close()


def test_the_last_messages_and_those_that_come_can_be_looked_at(broker: tuple[Jetstream, str]) -> None:
    client, address = broker
    client.put(subject(address), numbered(10))
    looked = places.tail(address, opening(), 3)
    assert ids([next(looked) for _ in range(3)]) == [7, 8, 9]
    client.put(subject(address), numbered(1))
    assert ids([next(looked)]) == [0]
    looked.close()  # type: ignore[attr-defined]
    assert places.groups(address, opening()) == []


def test_a_stream_that_was_deleted_begins_anew(broker: tuple[Jetstream, str]) -> None:
    client, address = broker
    source, sink = places.source(address, opening()), places.sink(address, opening(seconds=5))
    sink.write(records(3))
    first = fetched(source, 3)[0].places.to_pylist()
    client.delete(subject(address))
    assert source.fetch(3, 1000, 0.1) is None
    sink.write(records(3))
    second = fetched(source, 3)[0].places.to_pylist()
    assert not {*first} & {*second}  # the same numbers, but other messages: their results have other keys
    client.delete(subject(address))
    sink.write(records(3))
    assert ids(client.entries(subject(address))) == [0, 1, 2]
    source.close()
    sink.close()


def test_a_server_that_goes_away_and_comes_back_loses_nothing(tmp_path: Path) -> None:
    told: list[str] = []
    with own_nats(tmp_path) as server:
        server.start()
        client, address = Jetstream(f"nats://127.0.0.1:{server.port}"), f"nats://127.0.0.1:{server.port}"
        client.put("raw", numbered(4000))
        stop, together = threading.Event(), opening(30, told, max_batch=50, takeover=1)
        worker = worked(f"{address}/raw", f"{address}/scored", together, stop)
        for _ in range(3):
            before = worker.counts.read
            while worker.counts.read < min(before + 500, 4000):
                time.sleep(0.01)
            server.stop()
            time.sleep(0.2)
            server.start()
        until = time.monotonic() + 30
        while time.monotonic() < until:
            (group,) = places.groups(f"{address}/raw", together)
            if not group.waiting and not group.held:
                break
            time.sleep(0.1)
        stop.set()
        ended()
        assert (group.waiting, group.held) == (0, 0)
        assert Counter(ids(client.entries("scored"))) == Counter(range(4000))
    assert any("trying again" in line for line in told)


def test_one_that_hung_up_while_nothing_was_to_be_said_is_no_outage(tmp_path: Path) -> None:
    told: list[str] = []
    with own_nats(tmp_path) as server:
        server.start()
        sink = places.sink(f"nats://127.0.0.1:{server.port}/scored", opening(10, told))
        sink.write(records(3))
        server.stop()
        server.start()
        sink.write(records(6))
        sink.close()
        assert ids(Jetstream(f"nats://127.0.0.1:{server.port}").entries("scored")) == list(range(6))
    assert told == []


def test_a_server_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    told: list[str] = []
    with own_nats(tmp_path) as server:
        address = f"nats://127.0.0.1:{server.port}/raw"
        with pytest.raises(BrokerGone, match="cannot be used"):
            places.source(address, opening())
        late = threading.Timer(0.5, server.start)
        late.start()
        source = places.source(address, opening(20, told))
        source.close()
        late.join()
    assert "trying again" in told[0]
    assert "is back" in told[-1]


@pytest.mark.parametrize(
    ("options", "login", "fits"),
    [
        (("--user", "eva", "--pass", "s3cret"), "eva:s3cret@", True),
        (("--user", "eva", "--pass", "s3cret"), "eva:wr0ng@", False),
        (("--user", "eva", "--pass", "s3cret"), "", False),
        (("--auth", "t0ken"), "t0ken@", True),
        (("--auth", "t0ken"), "wr0ng@", False),
    ],
)
def test_who_has_no_right_is_told_so_at_once(tmp_path: Path, options: tuple[str, ...], login: str, *, fits: bool) -> None:
    with own_nats(tmp_path, *options) as server:
        server.start()
        address = f"nats://{login}127.0.0.1:{server.port}/raw"
        if fits:
            places.source(address, opening()).close()
        else:
            with pytest.raises(AccessDenied) as denied:
                places.source(address, opening(20))
            assert "wr0ng" not in f"{denied.value.message}{denied.value.hint}"


def configured(folder: Path, text: str) -> tuple[str, ...]:
    (folder / "nats.conf").write_text(text)
    return "-c", str(folder / "nats.conf")


def test_a_right_that_is_missing_is_named(tmp_path: Path) -> None:
    config = 'authorization { users = [{user: eva, password: x, permissions: {publish: {deny: "$JS.API.STREAM.CREATE.>"}}}] }'
    with own_nats(tmp_path, *configured(tmp_path, config)) as server:
        server.start()
        with pytest.raises(AccessDenied, match=r"(?i)JS.API.STREAM.CREATE.scored"):
            places.sink(f"nats://eva:x@127.0.0.1:{server.port}/scored", opening(20))


def test_a_result_that_the_server_does_not_take_is_refused_and_a_letter_is_shortened(tmp_path: Path) -> None:
    with own_nats(tmp_path, *configured(tmp_path, "max_payload: 100000")) as server:
        server.start()
        address = f"nats://127.0.0.1:{server.port}"
        with pytest.raises(InputError, match="takes 99") as small:
            places.sink(f"{address}/scored", opening())
        assert "--max-message-bytes" in small.value.hint
        sink = places.sink(f"{address}/scored", opening(max_message_bytes=50_000))
        with pytest.raises(InputError, match="a result of 120018 bytes is longer"):
            sink.write(records(1, b"x" * 120_000))
        sink.write(records(2))  # it goes on
        sink.close()
        dead = places.dead(f"{address}/raw.dead", opening())
        letter = json.dumps({"code": "not_json", "cut": False, "raw": "ñ\n" * 50_000}, ensure_ascii=False).encode()
        dead.write(Records(pa.array(["a" * 32]), pa.array([letter], pa.large_binary())))
        dead.close()
        client = Jetstream(address)
        assert ids(client.entries("scored")) == [0, 1]
        (kept,) = map(json.loads, client.entries("raw.dead"))
        assert (kept["code"], kept["cut"]) == ("not_json", True)
        assert raw(kept).startswith("ñ\nñ\n".encode())


def test_a_stream_that_is_full_ends_the_worker(broker: tuple[Jetstream, str]) -> None:
    client, address = broker
    name = subject(address)
    client(lambda js: js.add_stream(name=name, subjects=[name], max_msgs=5, discard="new"))
    sink = places.sink(address, opening(20))
    with pytest.raises(StorageFull, match="maximum messages exceeded"):
        sink.write(records(6))
    sink.close()


def test_a_server_without_jetstream_or_of_something_else_is_named(tmp_path: Path) -> None:
    with own_nats(tmp_path, *configured(tmp_path, "accounts: {A: {users: [{user: eva, password: x}]}}")) as server:
        server.start()
        with pytest.raises(InputError, match="JetStream"):
            places.source(f"nats://eva:x@127.0.0.1:{server.port}/raw", opening(20))
        with pytest.raises(InputError, match="does not encrypt"):
            places.source(f"nats://eva:x@127.0.0.1:{server.port}/raw?tls", opening(20))


def test_a_server_that_encrypts_has_to_show_a_good_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("openssl") is None:
        missing("openssl is not installed")
    key, good = str(tmp_path / "key.pem"), str(tmp_path / "good.pem")
    made = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", good, "-days", "1")
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    subprocess.run([*made, *names], check=True, capture_output=True)
    with own_nats(tmp_path, "--tls", "--tlscert", good, "--tlskey", key) as server:
        server.start()
        address = f"nats://localhost:{server.port}/raw"
        with pytest.raises(InputError, match="certificate"):
            places.sink(address, opening(20))
        monkeypatch.setenv("SSL_CERT_FILE", good)
        sink, source = places.sink(address, opening()), places.source(f"{address}?tls", opening())
        sink.write(records(2000, b"x" * 1000))
        assert sum(map(len, fetched(source, 2000))) == 2000
        sink.close()
        source.close()


def test_addresses_that_cannot_be_meant(broker: tuple[Jetstream, str]) -> None:
    client, address = broker
    name = subject(address)
    for path in ("a..b", "a b", "a.>.b", "a*", ">a", "$JS.x", "a%0d%0ab"):
        with pytest.raises(InputError, match="is no subject"):
            places.source(f"nats://127.0.0.1/{path}", opening())
    with pytest.raises(InputError, match="many subjects"):
        places.sink(f"{address}.*", opening())
    with pytest.raises(InputError, match="no stream of the NATS"):
        places.source(f"{address}.*", opening())
    client.put(f"{name}.a", [b"{}"])
    client.put(f"{name}.b", [b"{}"])
    with pytest.raises(InputError, match="lies in several streams"):
        places.source(f"{address}.*", opening())
    with pytest.raises(InputError, match="does not take"):
        places.sink(f"{address}.c?stream={name}_a", opening())
    with pytest.raises(InputError, match="no group"):
        places.source(f"{address}.a", opening(group="a.b"))


def test_a_group_that_is_there_for_something_else_is_left_alone(broker: tuple[Jetstream, str]) -> None:
    client, address = broker
    name = subject(address)

    async def make(js: Any) -> None:
        await js.add_stream(name=name, subjects=[f"{name}.>"])
        await js.add_consumer(name, durable_name="none", ack_policy="none")
        await js.add_consumer(name, durable_name="other", ack_policy="explicit", filter_subject=f"{name}.b")
        await js.add_consumer(name, durable_name="mine", ack_policy="explicit", filter_subject=f"{name}.a", max_deliver=2)

    client(make)
    for group in ("none", "other"):
        with pytest.raises(InputError, match=f'"{group}"'):
            places.source(f"{address}.a", opening(group=group))
    places.source(f"{address}.a", opening(group="mine", takeover=3)).close()
    config = client(lambda js: js.consumer_info(name, "mine")).config
    assert (config.ack_wait, config.max_deliver, config.max_ack_pending) == (3, -1, -1)
    client.put(f"{name}.b", numbered(2))
    client.put(f"{name}.a", numbered(1))
    whole = places.source(f"{address}.>?stream={name}", opening(group="whole"))
    assert len(fetched(whole, 3)[0]) == 3
    whole.close()


@pytest.mark.parametrize(
    ("from_", "beside"),
    [
        ("nats://eva:x@host/raw", "nats://eva:x@host/raw.dead"),
        ("nats://host/raw.new?stream=all&tls", "nats://host/raw.new.dead?tls"),
        ("nats://host/raw.>", "nats://host/raw-dead"),
        ("nats://host/raw.*.es", "nats://host/raw-dead"),
    ],
)
def test_dead_letters_go_where_they_are_not_read_again(from_: str, beside: str) -> None:
    assert places.dead_beside(from_, "nats://host/scored") == beside
    for wide in (">", "*"):
        with pytest.raises(InputError, match="read as messages"):
            places.dead_beside(f"nats://host/{wide}", "nats://host/scored")


def test_which_subjects_a_pattern_covers() -> None:
    assert all(covers(pattern, "a.b") for pattern in ("a.b", "a.*", "*.b", "a.>", ">", "*.*", "*.>"))
    assert not any(covers(pattern, "a.b") for pattern in ("a", "a.b.c", "a.b.>", "*", "b.*", "a.b.*"))
