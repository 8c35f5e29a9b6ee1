"""Messages by POST: an answer is a promise, and whoever sends too much, too slowly or without a right is told so."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from cauce import connection
from cauce.errors import InputError, InUse
from cauce.settings import Stream
from cauce.stream import schemes
from cauce.stream.brokers import http as http_scheme
from cauce.stream.brokers import receiver
from cauce.stream.brokers.http import HttpSource
from cauce.stream.deliveries import Deliveries
from cauce.stream.patience import Patience

Answer = tuple[int, dict[str, str], Any]
JSON = {"Content-Type": "application/json"}
LINES = {"Content-Type": "application/x-ndjson"}


def opened(address: str = "http://127.0.0.1:0/raw", **settings: Any) -> HttpSource:
    opening = schemes.Opening(Stream(**settings), Patience(0, lambda line: None, threading.Event()))
    source = http_scheme.SCHEME.source
    assert source is not None
    found = source(schemes.read(address, written=False), opening)
    assert isinstance(found, HttpSource)
    return found


@contextmanager
def listening(**settings: Any) -> Iterator[HttpSource]:
    source = opened(**settings)
    try:
        yield source
    finally:
        source.close()


@contextmanager
def worked(source: HttpSource, found: list[bytes]) -> Iterator[None]:
    """What comes is written down, and acknowledged."""
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            if given := source.fetch(10, 1 << 20, 0.02):
                found.extend(given.data.to_pylist())
                source.acknowledge(given.places.to_pylist())

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def ask(source: HttpSource, body: bytes | None = None, *, method: str = "POST", path: str = "/raw", **more: Any) -> Answer:
    line = http.client.HTTPConnection("127.0.0.1", source.port, timeout=20)
    try:
        line.request(method, path, body, more.get("headers", {}))
        answer = line.getresponse()
        content = answer.read()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, json.loads(content or b"null")
    finally:
        line.close()


@contextmanager
def asking(source: HttpSource, body: bytes, **more: Any) -> Iterator[list[Answer]]:
    """A sender in a thread of its own; its answer is in the list once it is there."""
    answers: list[Answer] = []
    thread = threading.Thread(target=lambda: answers.append(ask(source, body, **more)))
    thread.start()
    yield answers
    thread.join()


def taken(source: HttpSource, count: int) -> Deliveries:
    """The next so many messages, in one piece."""
    until = time.monotonic() + 20
    while source._inbox.bytes == 0 and time.monotonic() < until:
        time.sleep(0.01)
    given = source.fetch(count, 1 << 30, 5)
    assert given is not None
    assert len(given) == count
    return given


@pytest.mark.parametrize(
    ("body", "headers", "messages"),
    [
        (b'{"id": 1, "text": "hola"}', JSON, [b'{"id": 1, "text": "hola"}']),
        (b'{"id": 1,\n "text": "hola"}', {"Content-Type": "Application/JSON; charset=utf-8"}, [b'{"id": 1,\n "text": "hola"}']),
        (b' [ {"a": 1.10} ,\n{"b": [1, "],"]}, 3]\n', JSON, [b'{"a": 1.10}', b'{"b": [1, "],"]}', b"3"]),
        (b'["\\ud800", 123456789012345678901234567890, NaN]', JSON, [b'"\\ud800"', b"123456789012345678901234567890", b"NaN"]),
        ('[{}, {"text": "ñandú"}]'.encode(), {}, [b"{}", '{"text": "ñandú"}'.encode()]),
        (b'{"a": 1}\r\n\n  \n{"b": 2}', LINES, [b'{"a": 1}\r', b'{"b": 2}']),
        (b'{"a": 1}\n{"b": 2}\n', {}, [b'{"a": 1}', b'{"b": 2}']),
        (b"[1, 2]\n[3]", LINES, [b"[1, 2]", b"[3]"]),
        (b"not json \xff", JSON, [b"not json \xff"]),
        (b"[]", JSON, []),
        (b" \n", JSON, []),
        (b"", {}, []),
    ],
)
def test_a_body_is_one_message_an_array_or_lines_and_each_comes_as_it_was_written(
    body: bytes, headers: dict[str, str], messages: list[bytes]
) -> None:
    found: list[bytes] = []
    with listening() as source, worked(source, found):
        status, _, told = ask(source, body, headers=headers)
    assert (status, told) == (200, {"taken": len(messages)})
    assert found == messages


@pytest.mark.parametrize(
    "body", [b"[1, 2", b"[1,]", b"[1 22]", b"[1] 2", b"[", b"[1, 2]]", b"[{]", b'["\xff"]', b"[" * 100_000, b"[,1]"]
)
def test_an_array_that_does_not_end_well_is_refused_whole(body: bytes) -> None:
    with listening() as source:
        status, _, told = ask(source, body, headers=JSON)
        assert source.fetch(10, 1000, 0.01) is None
    assert (status, told["code"]) == (400, "wrong_body")


def test_who_sent_is_answered_once_the_last_of_its_messages_is_acknowledged() -> None:
    with listening() as source, asking(source, b"[1, 2, 3]", headers=JSON) as first:
        given = taken(source, 3)
        with asking(source, b"4") as second:
            four = taken(source, 1)
            source.acknowledge(given.places.to_pylist()[:2])
            time.sleep(0.2)
            assert (first, second) == ([], [])
            source.acknowledge([*given.places.to_pylist()[2:], *four.places.to_pylist()])
    assert [first[0][0], second[0][0], first[0][2]] == [200, 200, {"taken": 3}]


def test_places_are_each_message_s_own_and_another_start_s_are_others() -> None:
    places: set[str] = set()
    for _ in range(2):
        with listening() as source, asking(source, b"1\n1\n1"):
            given = taken(source, 3)
            source.acknowledge(given.places.to_pylist())
            places.update(given.places.to_pylist())
            assert given.source == "http:raw"
            assert given.attempts.tolist() == [1, 1, 1]
            assert abs(given.received[0] - time.time()) < 10
    assert len(places) == 6


def test_whoever_has_no_answer_when_the_worker_ends_is_told_to_send_it_again() -> None:
    source = opened()
    slow = socket.create_connection(("127.0.0.1", source.port), timeout=20)
    slow.sendall(b"POST /raw HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{")
    with asking(source, b"1") as given_out, asking(source, b"2") as waiting:
        taken(source, 1)
        time.sleep(0.2)
        begun = time.monotonic()
        source.close()
        assert time.monotonic() - begun < 4
    for (status, headers, told), *_ in (given_out, waiting):
        assert (status, headers["retry-after"], told["code"]) == (503, "1", "not_ready")
    assert slow.recv(100).startswith(b"HTTP/1.1 503")
    slow.close()
    with pytest.raises(ConnectionRefusedError):
        ask(source, b"3")


@pytest.mark.parametrize("sizes", ["length", "chunked"])
def test_a_body_over_the_limit_is_refused_and_the_next_one_taken(sizes: str) -> None:
    found: list[bytes] = []
    with listening(max_bytes=100_000) as source, worked(source, found):
        large = b"x" * 300_000
        body: Any = large if sizes == "length" else iter([large[:150_000], large[150_000:]])
        status, _, told = ask(source, body)
        assert (status, told["code"]) == (413, "body_too_large")
        assert ask(source, b'"' + b"x" * 90_000 + b'"')[0] == 200
    assert len(found) == 1


def test_more_messages_than_a_request_may_hold_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_scheme, "MOST", 10)
    with listening() as source:
        for body in (b"1\n" * 11, b"[" + b"1," * 10 + b"1]"):
            status, _, told = ask(source, body)
            assert (status, told["code"]) == (413, "body_too_large")
        assert source.fetch(100, 1000, 0.01) is None


@pytest.mark.parametrize("by", ["bytes", "messages"])
def test_more_than_may_wait_is_refused_until_the_worker_has_taken_some(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_scheme, "MOST", 10)
    body = b'"' + b"x" * 60_000 + b'"' if by == "bytes" else b"1\n" * 8
    with listening(max_bytes=100_000) as source, asking(source, body) as first:
        while not source._inbox.bytes:
            time.sleep(0.01)
        status, headers, told = ask(source, body)
        assert (status, headers["retry-after"], told["code"]) == (429, "1", "overloaded")
        given = taken(source, 1 if by == "bytes" else 8)
        with asking(source, body) as again:
            more = taken(source, len(given))
            source.acknowledge([*given.places.to_pylist(), *more.places.to_pylist()])
    assert (first[0][0], again[0][0]) == (200, 200)


def test_bodies_that_are_on_their_way_count_too() -> None:
    with listening(max_bytes=100_000) as source:
        half = socket.create_connection(("127.0.0.1", source.port), timeout=20)
        half.sendall(b"POST /raw HTTP/1.1\r\nHost: a\r\nContent-Length: 80000\r\n\r\n" + b"x" * 60_000)
        statuses = [0]
        until = time.monotonic() + 20
        while statuses[-1] != 429 and time.monotonic() < until:
            with asking(source, b"x" * 50_000) as answers:
                if given := source.fetch(1, 1, 0.2):
                    source.acknowledge(given.places.to_pylist())
            statuses.append(answers[0][0])
        assert statuses[-1] == 429
        half.close()
        while statuses[-1] != 200 and time.monotonic() < until:
            with asking(source, b"x" * 50_000) as answers:
                if given := source.fetch(1, 1, 0.2):
                    source.acknowledge(given.places.to_pylist())
            statuses.append(answers[0][0])
        assert statuses[-1] == 200


def test_a_slow_body_and_a_slow_head_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver, "SLOW", 0.3)
    monkeypatch.setattr(connection, "PATIENCE", 0.3)
    with listening() as source:
        for sent, answer in (
            (b"POST /raw HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{", b"HTTP/1.1 504"),
            (b"POST /raw HTTP/1.1\r\nHost", b""),
        ):
            with socket.create_connection(("127.0.0.1", source.port), timeout=20) as line:
                line.sendall(sent)
                assert line.recv(12) == answer


def test_a_head_without_end_is_refused() -> None:
    with listening() as source, socket.create_connection(("127.0.0.1", source.port), timeout=20) as line:
        line.sendall(b"POST /raw HTTP/1.1\r\nHost: a\r\n")
        with pytest.raises(OSError):  # noqa: PT011  (a reset or a broken pipe: the server has hung up)
            for _ in range(1000):
                line.sendall(b"x: " + b"y" * 10_000)
                time.sleep(0.001)


def test_a_token_is_asked_for_and_compared_whole() -> None:
    found: list[bytes] = []
    with listening(http_token="s3cret-ñ") as source, worked(source, found):
        for headers in ({}, {"Authorization": "Bearer s3cret"}, {"Authorization": "Basic s3cret-ñ".encode()}):
            status, answered, told = ask(source, b"1", headers=headers)
            assert (status, answered["www-authenticate"], told["code"]) == (401, "Bearer", "access_denied")
        assert found == []
        assert ask(source, b"1", headers={"Authorization": "bearer s3cret-ñ".encode()})[0] == 200
        assert ask(source, method="GET", path="/health")[::2] == (200, {"status": "ok"})
    assert found == [b"1"]
    assert "s3cret" not in repr(Stream(http_token="s3cret"))


def test_what_is_not_asked_for_is_said() -> None:
    with listening() as source:
        wrong: list[tuple[Callable[[], Answer], int, str]] = [
            (lambda: ask(source, b"1", path="/other"), 404, "unknown_route"),
            (lambda: ask(source, method="GET"), 405, "wrong_method"),
            (lambda: ask(source, b"1", headers={"Content-Type": "text/plain"}), 415, "wrong_media_type"),
            (lambda: ask(source, b"1", headers={"Content-Encoding": "gzip"}), 415, "wrong_media_type"),
            (lambda: ask(source, b"1", headers={"Origin": "https://example.org"}), 403, "access_denied"),
        ]
        for send, status, code in wrong:
            answer = send()
            assert (answer[0], answer[2]["code"]) == (status, code)
            assert answer[1]["content-type"] == "application/problem+json"
        assert source.fetch(1, 1, 0.01) is None


def test_strangers_are_not_let_in_without_a_token() -> None:
    for host in ("0.0.0.0", "[::]"):
        with pytest.raises(InputError, match="anybody who reaches this machine") as caught:
            opened(f"http://{host}:0/raw")
        assert "CAUCE_STREAM_HTTP_TOKEN" in caught.value.hint
    opened("http://0.0.0.0:0/raw", http_token="long").close()


def test_an_address_that_cannot_be_listened_on_is_said() -> None:
    for address, said in (
        ("http://127.0.0.1/raw", "no port"),
        ("http://127.0.0.1:99999/raw", "cannot read the address"),
        ("http://127.0.0.1:0/", "names nothing"),
        ("http://nowhere.invalid:9000/raw", "no host"),
        ("http://127.0.0.1:0/raw?ack=1", "no option"),
    ):
        with pytest.raises(InputError, match=said):
            opened(address)
    with listening() as source, pytest.raises(InUse, match="is taken"):
        opened(f"http://127.0.0.1:{source.port}/raw")


def test_senders_beside_each_other_are_each_answered_for_what_they_sent() -> None:
    found: list[bytes] = []
    with listening() as source, worked(source, found):
        answers: list[Answer] = []
        senders = [
            threading.Thread(
                target=lambda n=n: answers.extend(
                    ask(source, b"\n".join(b"%d" % (n * 100 + k) for k in range(n))) for _ in "ab"
                )
            )
            for n in range(20)
        ]
        for one in senders:
            one.start()
        for one in senders:
            one.join()
    assert sorted(told["taken"] for _, _, told in answers) == sorted([*range(20), *range(20)])
    assert sorted(map(int, found)) == sorted(2 * [n * 100 + k for n in range(20) for k in range(n)])


def test_connections_beyond_the_bound_are_not_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "most_connections", lambda: 2)
    with listening() as source:
        idle = [socket.create_connection(("127.0.0.1", source.port), timeout=20) for _ in range(2)]
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            ask(source, b"")
        for one in idle:
            one.close()
        until = time.monotonic() + 20
        while time.monotonic() < until:
            with suppress(ConnectionError, http.client.HTTPException):
                assert ask(source, b"")[0] == 200
                break
            time.sleep(0.05)
        else:
            pytest.fail("it lets nobody in any more")
