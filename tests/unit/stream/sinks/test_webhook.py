"""Results posted to a real HTTP server, which checks the signatures itself and fails in every way that servers do."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pyarrow as pa
import pytest
from brokers import missing
from pydantic import SecretStr

from cauce.errors import AccessDenied, BodyTooLarge, BrokerGone, InputError
from cauce.model.model import echo_model
from cauce.settings import Stream
from cauce.stream import places
from cauce.stream.brokers.memory import MemorySink, MemorySource, Topic
from cauce.stream.patience import Patience
from cauce.stream.records import Records
from cauce.stream.schemes import Opening
from cauce.stream.sinks import webhook
from cauce.stream.sinks.webhook import Hook, Webhook
from cauce.stream.worker import Worker

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()


@dataclass(frozen=True)
class Request:
    path: str
    headers: dict[str, str]
    body: bytes
    at: float


@dataclass
class Receiver:
    """A server.

    Attributes:
        answers: what the next requests are answered with, then 204: a status with headers, or whatever is done instead.
        most: bytes of the largest body that it takes.

    """

    server: ThreadingHTTPServer
    answers: list[int | tuple[int, dict[str, str]] | Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    most: int = 1 << 30

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/hook"

    @property
    def taken(self) -> list[str]:
        """The keys that came, in their order."""
        return [one["key"] for request in self.requests for one in json.loads(request.body)["results"]]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    receiver: Receiver

    def do_POST(self) -> None:
        mine = self.receiver
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        mine.requests.append(Request(self.path, headers, body, time.monotonic()))
        answer = mine.answers.pop(0) if mine.answers else 413 if len(body) > mine.most else 204
        if callable(answer):
            self.close_connection = True
            answer(self)
            return
        status, named = answer if isinstance(answer, tuple) else (answer, {})
        self.send_response(status)
        for name, value in named.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("content-length", "2")
        self.end_headers()
        if status != 204:
            self.wfile.write(b"no")

    def log_message(self, *args: object) -> None:
        """Tests have nothing to say."""


class Quiet(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that has gone is what some tests are about."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with serving() as one:
        yield one


class serving:  # noqa: N801  (a context manager, read as a verb)
    """A receiver that runs meanwhile, over TLS where there is a certificate."""

    def __init__(self, certificate: Path | None = None) -> None:
        handler = type("Mine", (Handler,), {})
        server = Quiet(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        self._receiver = handler.receiver = Receiver(server)
        self._thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self._receiver

    def __exit__(self, *error: object) -> None:
        self._receiver.server.shutdown()
        self._receiver.server.server_close()
        self._thread.join()


def patience(wait: float = 30, tell: Callable[[str], None] = lambda line: None) -> Patience:
    return Patience(wait, tell, threading.Event())


def hook(receiver: Receiver, wait: float = 30) -> Hook:
    return Hook(receiver.url, SECRET, patience(wait))


def records(count: int, size: int = 10) -> Records:
    keys = [f"{n:032x}" for n in range(count)]
    lines = [json.dumps({"key": key, "text": "x" * size}).encode() for key in keys]
    return Records(pa.array(keys, pa.string()), pa.array(lines, pa.large_binary()))


def post(receiver: Receiver, some: Records, wait: float = 30) -> None:
    with closing(Webhook(hook(receiver, wait))) as sink:
        sink.write(some)


def test_results_come_in_bounded_bodies_that_the_receiver_can_check(receiver: Receiver) -> None:
    post(receiver, records(1200))
    assert receiver.taken == [f"{n:032x}" for n in range(1200)]
    assert [len(json.loads(one.body)["results"]) for one in receiver.requests] == [500, 500, 200]
    assert len({one.headers["webhook-id"] for one in receiver.requests}) == 3
    for one in receiver.requests:
        now = one.headers["webhook-timestamp"]
        assert abs(time.time() - int(now)) < 60
        signed = b".".join([one.headers["webhook-id"].encode(), now.encode(), one.body])
        expected = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
        assert one.headers["webhook-signature"] == f"v1,{expected}"
        assert one.headers["content-type"] == "application/json"


def test_the_signature_is_that_of_the_specification_s_own_example(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook.time, "time", lambda: 1614265330.9)
    with closing(Hook(receiver.url, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", patience())) as opened:
        opened.send(b'{"test": 2432232314}', "msg_p5jXN8AQM9LWM0D4loKWxJek")
    assert receiver.requests[0].headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_large_results_make_smaller_bodies(receiver: Receiver) -> None:
    post(receiver, records(8, size=200_000))
    assert [len(json.loads(one.body)["results"]) for one in receiver.requests] == [2, 2, 2, 2]
    post(receiver, records(2, size=700_000))
    assert [len(json.loads(one.body)["results"]) for one in receiver.requests[4:]] == [1, 1]


def test_a_receiver_with_a_lower_limit_gets_bodies_that_it_takes(receiver: Receiver) -> None:
    receiver.most = 10_000
    with closing(Webhook(hook(receiver))) as sink:
        sink.write(records(300))
        accepted = [one for one in receiver.requests if len(one.body) <= receiver.most]
        assert [r["key"] for one in accepted for r in json.loads(one.body)["results"]] == [f"{n:032x}" for n in range(300)]
        before = len(receiver.requests)
        sink.write(records(50))
        assert len(receiver.requests) == before + 1  # it has learned
        with pytest.raises(BodyTooLarge, match="answers 413"):
            sink.write(records(1, size=20_000))


def dropped(handler: BaseHTTPRequestHandler) -> None:
    """The server dies before it answers."""


def garbage(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"\0\1\2 what is HTTP?\r\n\r\n")


def silent(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(1.0)


@pytest.mark.parametrize("failure", [408, 425, 429, 500, 502, 503, 504, dropped, garbage, silent])
def test_what_was_not_taken_is_sent_again_as_the_same_message(
    receiver: Receiver, failure: int | Callable[[BaseHTTPRequestHandler], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "TIMEOUT", httpx2.Timeout(0.5))
    receiver.answers = [failure, failure]
    post(receiver, records(3))
    first, *others = receiver.requests
    assert [(one.headers["webhook-id"], one.body) for one in others] == [(first.headers["webhook-id"], first.body)] * 2


def test_a_receiver_that_does_not_run_is_waited_for(receiver: Receiver) -> None:
    port, told = receiver.server.server_port, list[str]()
    receiver.server.server_close()
    with closing(Hook(receiver.url, SECRET, patience(30, told.append))) as opened:
        late = Quiet(("127.0.0.1", port), receiver.server.RequestHandlerClass, bind_and_activate=False)

        def start() -> None:
            time.sleep(0.5)
            late.server_bind()
            late.server_activate()
            late.handle_request()

        thread = threading.Thread(target=start)
        thread.start()
        opened.send(b"{}", "msg_1")
        thread.join()
        late.server_close()
    assert f"http://127.0.0.1:{port} takes nothing" in told[0]
    assert "/hook" not in told[0]
    with closing(hook(receiver, wait=0)) as opened, pytest.raises(BrokerGone):
        opened.send(b"{}", "msg_2")


@pytest.mark.parametrize("written", [lambda: "1", lambda: formatdate(time.time() + 2, usegmt=True)])
def test_a_receiver_that_asks_for_a_pause_gets_it(receiver: Receiver, written: Callable[[], str]) -> None:
    receiver.answers = [(429, {"retry-after": written()})]
    post(receiver, records(1))
    first, second = receiver.requests
    assert 0.9 <= second.at - first.at < 5


@pytest.mark.parametrize("written", ["86400", "Fri, 31 Dec 9999 23:59:59 GMT", "9" * 400])
def test_a_pause_is_no_longer_than_people_want_to_wait(receiver: Receiver, written: str) -> None:
    receiver.answers = [(503, {"retry-after": written})] * 9
    begun = time.monotonic()
    with pytest.raises(BrokerGone, match="answers 503"):
        post(receiver, records(1), wait=0.5)
    assert time.monotonic() - begun < 5
    assert len(receiver.requests) == 2


@pytest.mark.parametrize("written", ["soon", "-5", "", "Fri, 31 Dec 1999 23:59:59 GMT", "²"])
def test_a_pause_that_says_nothing_is_our_own(receiver: Receiver, written: str) -> None:
    receiver.answers = [(503, {"retry-after": written})]
    post(receiver, records(1))
    assert len(receiver.requests) == 2


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 403, 404, 410, 422])
def test_a_receiver_that_refuses_is_not_asked_again(receiver: Receiver, status: int) -> None:
    receiver.answers = [(status, {"location": receiver.url + "/elsewhere"})]
    with pytest.raises(InputError, match=f"answers {status}") as told:
        post(receiver, records(1))
    assert len(receiver.requests) == 1
    assert isinstance(told.value, AccessDenied) == (status in (401, 403))
    assert told.value.hint


def test_what_a_receiver_refuses_is_not_lost(receiver: Receiver) -> None:
    topic, stop = Topic(), threading.Event()
    for n in range(5):
        topic.put(json.dumps({"id": n, "text": "a"}).encode())
    for answers, left in (([400], 5), ([], 0)):
        receiver.answers = list(answers)
        source, sink, dead = MemorySource(topic, ends=True), Webhook(hook(receiver)), MemorySink()
        worker = Worker(echo_model, source, sink, places.joined(source, sink, dead), Stream())
        try:
            worker.run(stop)
        except InputError:
            assert answers
        finally:
            source.close()
            sink.close()
        assert len(topic.waiting) == left
    assert len(set(receiver.taken)) == 5


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    try:
        while True:
            handler.wfile.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
    except OSError:
        pass


def cut(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nthanks")


@pytest.mark.parametrize("answer", [endless, cut, 200, 202])
def test_only_the_status_of_an_answer_counts(
    receiver: Receiver, answer: int | Callable[[BaseHTTPRequestHandler], None]
) -> None:
    receiver.answers = [answer]
    begun = time.monotonic()
    with closing(hook(receiver)) as opened:
        opened.send(b"{}", "msg_1")
        opened.send(b"{}", "msg_2")
    assert [one.headers["webhook-id"] for one in receiver.requests] == ["msg_1", "msg_2"]
    assert time.monotonic() - begun < 5


def test_a_connection_is_used_again(receiver: Receiver) -> None:
    connections = []
    accept = receiver.server.get_request
    receiver.server.get_request = lambda: connections.append(1) or accept()
    post(receiver, records(2000))
    assert (len(receiver.requests), len(connections)) == (4, 1)


def opening(tell: Callable[[str], None] = lambda line: None, **settings: object) -> Opening:
    return Opening(Stream(**settings), patience(0, tell))


def test_an_address_keeps_what_is_the_receiver_s(receiver: Receiver) -> None:
    told: list[str] = []
    address = receiver.url.replace("//", "//eva:hunter2@")
    with closing(places.sink(f"webhook:{address}?code=a%20b&table=x&code=c", opening(told.append))) as sink:
        sink.write(records(1))
    (request,) = receiver.requests
    assert request.path == "/hook?code=a%20b&table=x&code=c"
    assert request.headers["authorization"] == "Basic " + base64.b64encode(b"eva:hunter2").decode()
    assert "webhook-signature" not in request.headers
    assert request.headers["webhook-id"].startswith("msg_")
    assert len(told) == 1  # that nothing is signed
    assert "hunter2" not in told[0]


def test_a_secret_of_the_environment_is_shown_to_nobody(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUCE_STREAM_WEBHOOK_SECRET", SECRET)
    told: list[str] = []
    with closing(places.sink(f"webhook:{receiver.url}", opening(told.append))) as sink:
        sink.write(records(1))
    assert receiver.requests[0].headers["webhook-signature"].startswith("v1,")
    assert told == []
    assert SECRET not in f"{Stream()!r} {Stream()}"


@pytest.mark.parametrize("secret", ["hunter2", "whsec_" + base64.b64encode(b"hunter2").decode(), "ñ" * 40, "whsec_"])
def test_a_secret_that_is_none_is_refused_and_not_shown(secret: str) -> None:
    with pytest.raises(InputError, match="is not the base64 of 24 bytes") as told:
        places.sink("webhook:http://127.0.0.1/", opening(webhook_secret=SecretStr(secret)))
    assert secret.removeprefix("whsec_") not in f"{told.value} {told.value.hint}" or secret == "whsec_"


@pytest.mark.parametrize(
    "address", ["webhook:", "webhook:example.com/hook", "webhook:ftp://host/x", "webhook:http://", "webhook:http://h:x/"]
)
def test_an_address_that_cannot_be_meant_is_refused(address: str) -> None:
    with pytest.raises(InputError) as told:
        places.sink(address, opening())
    assert "webhook:https://host/path" in told.value.hint


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("openssl") is None:
        missing("openssl is not installed")
    certificate = tmp_path / "server.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    named = ["-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"]
    both = ["-keyout", str(certificate), "-out", str(tmp_path / "only.pem")]
    subprocess.run([*command, *named, *both], check=True, capture_output=True)
    with certificate.open("ab") as file:
        file.write((tmp_path / "only.pem").read_bytes())
    with serving(certificate) as receiver:
        url = receiver.url.replace("http:", "https:")
        with closing(Hook(url, SECRET, patience())) as opened, pytest.raises(AccessDenied, match="is not trusted"):
            opened.send(b"{}", "msg_1")
        assert receiver.requests == []
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "only.pem"))
        with closing(Hook(url, SECRET, patience())) as opened:
            opened.send(b"{}", "msg_1")
        assert len(receiver.requests) == 1
