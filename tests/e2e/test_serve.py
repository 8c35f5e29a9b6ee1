"""`cauce serve` as people and machines meet it: started wrongly, stopped, promoted, abused over raw sockets."""

from __future__ import annotations

import csv
import gzip
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from serving import Answer, Server, serving

from cauce.model.sealed import render

Command = Callable[..., subprocess.CompletedProcess[bytes]]
SECRET = "Bearer hf_secret"


def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    """What the condition gives once it is true."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)
    return found


def metric(server: Server, line: str) -> float:
    """The value of a metric, as `name{labels}`."""
    found = re.search(rf"^{re.escape(line)} (\S+)$", server.get("/metrics").body.decode(), re.MULTILINE)
    return float(found[1]) if found else 0.0


def connected(server: Server) -> closing[socket.socket]:
    """A connection of its own."""
    return closing(socket.create_connection(("127.0.0.1", server.port), timeout=15))


# Started wrongly


def refused(done: subprocess.CompletedProcess[bytes], exit_code: int, *said: str) -> None:
    text = done.stderr.decode()
    assert done.returncode == exit_code, text
    assert text.count("error:") == text.count("hint:") == 1, text
    assert "Traceback" not in text
    for part in said:
        assert part in text


def test_a_start_that_cannot_be_says_why(cauce_command: Command, tmp_path: Path) -> None:
    env = {**os.environ, "CAUCE_HOME": str(tmp_path / "home")}
    refused(cauce_command("serve", tmp_path / "nowhere", "--port", 0, env=env), 2, "nowhere")
    (tmp_path / "empty").mkdir()
    refused(cauce_command("serve", tmp_path / "empty", "--port", 0, env=env), 3, "cauce.json")
    refused(cauce_command("serve", "echo", "--host", "no.such.host.invalid", env=env), 2, "no.such.host.invalid")
    refused(cauce_command("serve", "echo", "echo", "--port", 0, env=env), 2, "two models have one name")
    refused(cauce_command("serve", "a/b=echo", "--port", 0, env=env), 2, "a/b")
    refused(cauce_command("serve", "echo", "--canary", "echo", env=env), 2, "no share")


def test_a_port_that_is_taken_is_told_before_a_model_is_loaded(cauce_command: Command) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        done = cauce_command("serve", "echo", "--port", port)
        refused(done, 4, f"port {port} of 127.0.0.1 is taken")
        assert b"is loaded" not in done.stderr
        done = cauce_command("serve", "echo", "--port", port, "--log-format", "json")
        (line,) = done.stderr.decode().splitlines()
        assert (done.returncode, json.loads(line)["code"]) == (4, "in_use")


def test_without_the_extra_the_pip_line_is_told() -> None:
    script = "import sys; sys.modules['uvicorn'] = None; from cauce.cli.main import main; sys.argv = ['cauce', 'serve', 'echo']"
    done = subprocess.run([sys.executable, "-c", f"{script}; main()"], capture_output=True, timeout=60, check=False)
    refused(done, 2, 'pip install "cauce[serve]"')


def test_a_canary_that_answers_something_else_is_refused(cauce_command: Command, model_folder: Path) -> None:
    refused(cauce_command("serve", "echo", "--port", 0, "--canary", f"{model_folder}=5%"), 2, "task, labels or inputs")


# Stopped


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_what_was_let_in_is_answered_and_the_rest_refused_when_it_is_told_to_end(how: signal.Signals) -> None:
    with serving(echo={"batching": "single", "seconds": 1.5}) as server, ThreadPoolExecutor(1) as pool:
        slow = pool.submit(server.post, "/v1/predict", {"text": "slow"})
        until(lambda: metric(server, "cauce_in_flight") >= 2)
        server.process.send_signal(how)
        time.sleep(0.3)
        try:
            assert server.get("/health/ready").status == 503
            late = server.post("/v1/predict", {"text": "late"})
            assert (late.status, late.json["code"]) == (503, "not_ready")
        except OSError:
            pass  # refused: the door is closed
        assert slow.result().status == 200
        assert server.process.wait(20) == 0
    assert not any("Traceback" in line for line in server.said)


def test_a_call_that_hangs_fails_liveness_and_ends_the_process() -> None:
    env = {"CAUCE_SERVE_MAX_CALL": "0.5"}
    with serving(echo={"batching": "single", "seconds": 60}, env=env) as server, ThreadPoolExecutor(1) as pool:
        time.sleep(1.5)  # an idle server is a live one
        assert server.get("/health/live").status == 200
        hangs = pool.submit(server.post, "/v1/predict", {"text": "slow"})
        found: Answer = until(lambda: (one := server.get("/health/live")).status == 503 and one)
        assert "a call has been running" in found.json["detail"]
        assert server.process.wait(20) == 70
        with pytest.raises(OSError, match=r"."):
            hangs.result()


def test_an_event_loop_that_stands_still_ends_the_process() -> None:
    env = {"CAUCE_SERVE_MAX_CALL": "0.5"}
    with serving(echo={"seconds": 60}, env=env) as server, ThreadPoolExecutor(1) as pool:
        hangs = pool.submit(server.post, "/v1/predict", {"text": "slow"})  # a cheap model computes on the loop
        assert server.process.wait(20) == 70
        with pytest.raises(OSError, match=r"."):
            hangs.result()


def test_a_call_that_hangs_does_not_keep_the_process_from_ending() -> None:
    env = {"CAUCE_SERVE_DRAIN": "0.5"}
    with serving(echo={"batching": "single", "seconds": 60}, env=env) as server, connected(server) as sock:
        sock.sendall(post(b'{"text": "slow"}'))
        until(lambda: metric(server, "cauce_in_flight") >= 2)
        assert server.stop() == 70


def test_a_second_ctrl_c_does_not_wait_for_answers() -> None:
    env = {"CAUCE_SERVE_DRAIN": "60"}
    with serving(echo={"batching": "single", "seconds": 60}, env=env) as server, connected(server) as sock:
        sock.sendall(post(b'{"text": "slow"}'))
        until(lambda: metric(server, "cauce_in_flight") >= 2)
        server.process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            server.process.wait(1)  # it drains
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(5) == 70  # the call goes on: the process ends without it
    assert not any("Traceback" in line for line in server.said)


# Versions


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "CAUCE_HOME": str(tmp_path / "home")}


@pytest.fixture
def folders(model_folder: Path, tmp_path: Path) -> list[Path]:
    """Model folders of different versions."""
    made = [model_folder]
    for name in ("second", "third"):
        made.append(Path(shutil.copytree(model_folder, tmp_path / name)))
        fields = json.loads((made[-1] / "cauce.json").read_text("utf-8"))
        (made[-1] / "cauce.json").write_bytes(render({**fields, "name": name}))
    return made


def promote(cauce_command: Command, version: str, home: dict[str, str]) -> None:
    done = cauce_command("models", "promote", f"mood@{version[:8]}", "--reason", "next", env=home)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def versions(folders: list[Path], home: dict[str, str], cauce_command: Command) -> list[str]:
    """Three registered versions of `mood`; the first is the champion."""
    made = [
        json.loads(cauce_command("models", "register", "mood", folder, "--json", env=home).stdout)["version"]
        for folder in folders
    ]
    promote(cauce_command, made[0], home)
    return made


@pytest.mark.parametrize("swaps", [2, pytest.param(10, marks=pytest.mark.prove)])
def test_promotions_are_followed_and_not_one_request_fails(
    swaps: int, versions: list[str], home: dict[str, str], cauce_command: Command
) -> None:
    champions = [versions[n % len(versions)] for n in range(swaps + 1)]
    answers: list[list[tuple[int, str]]] = [[] for _ in range(4)]  # of each who asks
    with serving("mood", env=home) as server:
        ended = threading.Event()

        def ask(mine: list[tuple[int, str]]) -> None:
            with closing(HTTPConnection("127.0.0.1", server.port, timeout=30)) as one:
                while not ended.is_set():
                    one.request("POST", "/v1/predict", BANANA)
                    found = one.getresponse()
                    found.read()
                    mine.append((found.status, found.headers.get("x-model-version", "")))

        with ThreadPoolExecutor(len(answers)) as pool:
            asking = [pool.submit(ask, mine) for mine in answers]
            try:
                for version in champions[1:]:
                    time.sleep(0.3)
                    promote(cauce_command, version, home)
                    until(lambda version=version: all(mine[-1][1] == version for mine in answers))
            finally:
                ended.set()
            for one in asking:
                one.result()
        told = server.get("/v1/models/mood").json
        assert (told["version"], told["follows"]["swaps"], told["name"]) == (champions[-1], swaps, "mood")
    for mine in answers:
        assert {status for status, _ in mine} == {200}
        assert [version for version, _ in groupby(version for _, version in mine)] == champions


def test_connections_leave_files_for_a_version_that_is_promoted(
    versions: list[str], home: dict[str, str], cauce_command: Command
) -> None:
    """Where each connection took a descriptor, none would be left to read the version with."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as stack:
        resource.setrlimit(resource.RLIMIT_NOFILE, (160, before[1]))
        try:
            server = stack.enter_context(serving("mood", env=home))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        first = stack.enter_context(closing(HTTPConnection("127.0.0.1", server.port, timeout=15)))

        def followed() -> dict[str, Any]:
            first.request("GET", "/v1/models/mood")
            told: dict[str, Any] = json.loads(first.getresponse().read())["follows"]
            return told

        followed()
        for _ in range(200):
            stack.enter_context(connected(server))
        promote(cauce_command, versions[1], home)
        told = until(lambda: (one := followed())["last_error"] or (one["swaps"] and one))
        assert told["version"] == versions[1]


def test_after_a_kill_it_starts_again_where_it_was(versions: list[str], home: dict[str, str]) -> None:
    """As whoever watches it does."""
    with serving("mood", env=home) as server, connected(server) as sock:
        sock.sendall(post(BANANA))
        assert sock.recv(1000).startswith(b"HTTP/1.1 200")
        server.process.kill()
        assert server.process.wait(5) == -signal.SIGKILL
        with serving("mood", port=server.port, env=home) as again:
            assert again.post("/v1/predict", {"text": "a"}).headers["x-model-version"] == versions[0]


def test_a_version_that_cannot_serve_is_refused_and_told(
    versions: list[str], home: dict[str, str], cauce_command: Command
) -> None:
    with serving("mood", env=home) as server:
        store = next(Path(home["CAUCE_HOME"]).rglob(f"{versions[1]}*/golden.jsonl"), None) or next(
            path for path in Path(home["CAUCE_HOME"]).rglob("golden.jsonl") if versions[1][:8] in str(path)
        )
        store.chmod(0o644)
        store.write_text("")
        promote(cauce_command, versions[1], home)
        told = until(lambda: (one := server.get("/v1/models/mood").json)["follows"]["last_error"] and one)
        assert told["version"] == versions[0]
        assert server.post("/v1/predict", {"text": "a"}).headers["x-model-version"] == versions[0]


def test_a_canary_gets_its_share_by_who_asks_and_a_shadow_answers_nobody(folders: list[Path]) -> None:
    first, second, _ = map(str, folders)
    with serving(first, "--canary", f"{second}=50%", "--shadow", second) as server:
        ask = {
            name: {
                server.post("/v1/predict", {"text": "me encanta"}, **{"X-Sticky": name}).headers["x-model-version"]
                for _ in range(4)
            }
            for name in map(str, range(24))
        }
        assert all(len(found) == 1 for found in ask.values())  # each always the same
        assert len({version for found in ask.values() for version in found}) == 2
        until(lambda: metric(server, "cauce_shadow_rows") > 0)
        assert metric(server, "cauce_shadow_disagreed_rows") == 0


def test_a_shadow_that_disagrees_is_counted(model_folder: Path, messages: Path, tmp_path: Path, cauce_command: Command) -> None:
    rows = messages.read_text("utf-8").splitlines()
    table = list(csv.DictReader(rows))
    labels = sorted({row["label"] for row in table})
    other = {label: labels[(n + 1) % len(labels)] for n, label in enumerate(labels)}
    with (tmp_path / "turned.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([("text", "label"), *((row["text"], other[row["label"]]) for row in table)])
    done = cauce_command("train", tmp_path / "turned.csv", "--out", tmp_path / "turned")
    assert done.returncode == 0, done.stderr
    with serving(str(model_folder), "--shadow", str(tmp_path / "turned")) as server:
        for row in table[:20]:
            assert server.post("/v1/predict", {"text": row["text"]}).status == 200
        until(lambda: metric(server, "cauce_shadow_disagreed_rows") > 0)


def test_several_models_answer_by_their_names(model_folder: Path) -> None:
    with serving(f"mood={model_folder}", "echo") as server:
        assert [one["id"] for one in server.get("/v1/models").json["data"]] == ["mood", "echo"]
        assert server.post("/v1/predict", {"text": "me encanta"}).headers["x-model-name"] == "mood"
        assert server.post("/v1/models/echo/predict", {"text": "banana"}).json["model"]["name"] == "echo"
        found = server.post("/v1/predict", {"text": "banana", "model": "echo"})
        assert (found.json["label"], found.headers["x-model-name"]) == ("many_a", "echo")
        missing = server.get("/v1/models/mod")
        assert (missing.status, missing.json["hint"]) == (404, 'did you mean "mood"?')


# Over raw sockets


@pytest.fixture(scope="module")
def echo() -> Iterator[Server]:
    """A server with small limits."""
    env = {"CAUCE_SERVE_MAX_BODY_BYTES": "100000", "CAUCE_SERVE_ACCESS_LOG": "1", "CAUCE_SERVE_LOG_FORMAT": "json"}
    with serving("echo", env=env) as server:
        yield server


def post(body: bytes, *headers: bytes, path: bytes = b"/v1/predict", length: int | None = None) -> bytes:
    size = b"Content-Length: %d" % (len(body) if length is None else length)
    lines = [b"POST %s HTTP/1.1" % path, b"Host: x", *([] if length == -1 else [size]), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def raw(server: Server, *parts: bytes, pause: float = 0.0, shut: bool = False) -> bytes:
    """What comes back until the server closes, or says nothing more for a while."""
    with connected(server) as sock:
        for part in parts:
            sock.sendall(part)
            time.sleep(pause)
        if shut:
            sock.shutdown(socket.SHUT_WR)
        found = sock.recv(1 << 16)
        sock.settimeout(0.3)
        try:
            while more := sock.recv(1 << 16):
                found += more
        except TimeoutError:
            pass
        return found


BANANA = b'{"text": "banana"}'


def test_requests_in_one_go_are_answered_in_their_order(echo: Server) -> None:
    texts = [b"banana", b"xyz", b"aaaa"]
    found = raw(echo, b"".join(post(b'{"text": "%s"}' % text) for text in texts))
    assert re.findall(rb'"label":"(\w+)"', found) == [b"many_a", b"few_a", b"many_a"]


def test_a_body_in_chunks_or_in_drops_is_read(echo: Server) -> None:
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in BANANA) + b"0\r\n\r\n"
    assert b'"many_a"' in raw(echo, post(chunks, b"Transfer-Encoding: chunked", length=-1))
    request = post(BANANA)
    assert b'"many_a"' in raw(echo, request[:-10], *(request[-10 + n : -9 + n or None] for n in range(10)), pause=0.02)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (post(BANANA[:-3], b"X-Request-Timeout: 0.5", length=len(BANANA)), b"504"),  # the rest never comes
        (post(b"", b"X-Request-Timeout: 0.5", length=10), b"504"),  # nor does any of it
        (post(BANANA + b"GARBAGE", length=len(BANANA)), b"400"),  # what comes after is another request: a wrong one
        (post(BANANA, b"Content-Length: 3"), b"400"),
        (post(BANANA, length=10**9), b"413"),
        (post(BANANA * 20_000), b"413"),
        (post(b"10000000\r\n" + b"a" * 0x10000, b"Transfer-Encoding: chunked", b"X-Request-Timeout: 0.5", length=-1), b"504"),
        (post(b"%x\r\n" % 200_000 + b"a" * 200_000 + b"\r\n0\r\n\r\n", b"Transfer-Encoding: chunked", length=-1), b"413"),
        (post(gzip.compress(b" " * 50_000_000), b"Content-Encoding: gzip"), b"413"),
        (post(gzip.compress(BANANA), b"Content-Encoding: gzip"), b"200"),
        (post(gzip.compress(BANANA)[:-4], b"Content-Encoding: gzip"), b"400"),
        (post(gzip.compress(BANANA) + gzip.compress(BANANA), b"Content-Encoding: gzip"), b"400"),
        (post(BANANA, b"Content-Encoding: gzip"), b"400"),
        (post(BANANA, b"Content-Encoding: br"), b"415"),
        (post(BANANA, b"X-Request-Timeout: 0"), b"422"),
        (post(BANANA, b"X-Request-Timeout: nan"), b"422"),
        (post(BANANA, b"X-Request-Timeout: 1e99"), b"200"),
        (b"GARBAGE\r\n\r\n", b"400"),
        (post(BANANA, b"Cookie: " + b"a" * 100_000), b"431"),
        (post(BANANA, b"Cookie: " + b"a" * 10_000), b"200"),
        (b"GET /" + b"a" * 100_000, b"431"),  # without an end
        (b"GET /v1/predict HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", b"405"),
    ],
)
def test_a_request_that_is_odd_gets_an_answer(echo: Server, request_: bytes, status: bytes) -> None:
    assert raw(echo, request_).split(b" ")[1] == status
    assert echo.post("/v1/predict", {"text": "banana"}).status == 200


def test_a_half_request_and_its_end_harm_nobody(echo: Server) -> None:
    request = post(BANANA)
    for cut in (5, 30, len(request) - 4):
        with connected(echo) as sock:
            sock.sendall(request[:cut])
    assert echo.post("/v1/predict", {"text": "banana"}).status == 200
    assert until(lambda: metric(echo, "cauce_in_flight") == 1)


def test_idle_connections_leave_room_for_one_that_works(echo: Server) -> None:
    with ExitStack() as stack:
        for number in range(300):
            idle = stack.enter_context(connected(echo))
            if number % 2:
                idle.sendall(b"POST /v1/predict HTTP/1.1\r\nHost:")
        for _ in range(20):
            assert echo.post("/v1/predict", {"text": "banana"}).status == 200


def test_nothing_of_a_request_is_in_the_log_but_its_id(echo: Server) -> None:
    secrets = {"authorization": SECRET, "x-sticky": "user-x4711", "cookie": "session=x4711"}
    assert (
        echo.post("/v1/predict?token=x4711", {"text": "very private x4711"}, **secrets, **{"x-request-id": "mine-1"}).status
        == 200
    )
    echo.ask("POST", "/v1/predict", b"{very private x4711", {**secrets, "x-request-id": "mine-2"})
    echo.get("/private/x4711", **secrets)
    until(lambda: any("mine-2" in line for line in echo.said))
    said = list(echo.said)
    lines = [json.loads(line) for line in said]
    assert all({"time", "level", "event"} <= line.keys() for line in lines)
    seen = {line["request_id"]: (line["path"], line["status"]) for line in lines if "request_id" in line}
    assert seen["mine-1"] == ("/v1/predict", 200)
    assert seen["mine-2"] == ("/v1/predict", 400)
    assert "x4711" not in "".join(echo.said)
    assert "hf_secret" not in "".join(echo.said)


def test_nothing_tells_who_serves_or_invites_other_sites(echo: Server) -> None:
    found = echo.post("/v1/predict", {"text": "banana"}, origin="https://elsewhere.example")
    asked = echo.ask(
        "OPTIONS", "/v1/predict", headers={"origin": "https://elsewhere.example", "access-control-request-method": "POST"}
    )
    for answer in (found, asked):
        assert "server" not in answer.headers
        assert not any(name.startswith("access-control") for name in answer.headers)
    assert asked.status == 405


def test_the_work_of_a_client_that_has_gone_is_dropped() -> None:
    with serving(echo={"batching": "single", "delay": 0.02}) as server:
        body = json.dumps({"rows": ["gone"] * 1000}).encode()  # 10 s of work
        with connected(server) as sock:
            sock.sendall(post(body))
            until(lambda: metric(server, "cauce_waiting_rows") > 500)
        until(lambda: metric(server, "cauce_waiting_rows") == 0, 3)
        until(lambda: metric(server, 'cauce_requests_total{path="/v1/predict",status="499"}') == 1)


def test_a_poisonous_text_fails_alone() -> None:
    with serving(echo={"fails_on": "poison", "delay": 0.01}) as server, ThreadPoolExecutor(8) as pool:
        texts = ["banana", "poison", "xyz", "more poison"] * 12
        found = list(pool.map(lambda text: server.post("/v1/predict", {"text": text}), texts))
        for text, one in zip(texts, found, strict=True):
            assert (one.status, one.json.get("code")) == ((422, "runtime_failed") if "poison" in text else (200, None))
        rows = server.post("/v1/predict", {"rows": texts[:4]}).json["predictions"]
        assert [one.get("error") for one in rows] == [None, "runtime_failed", None, "runtime_failed"]
        assert "poison" not in "".join(server.said)


def test_a_full_server_says_when_to_come_again() -> None:
    with serving(echo={"batching": "single", "delay": 0.02}) as server, ThreadPoolExecutor(1) as pool:
        first = pool.submit(server.post, "/v1/predict", {"rows": ["a"] * 300})
        until(lambda: metric(server, "cauce_waiting_rows") > 200)
        found = server.post("/v1/predict", {"text": "a"}, **{"x-request-timeout": "0.5"})
        assert (found.status, found.json["code"]) == (429, "overloaded")
        assert 1 <= int(found.headers["retry-after"]) <= 10
        assert found.headers["ratelimit"] == f'"rows";r=0;t={found.headers["retry-after"]}'
        assert server.post("/v1/predict", {"text": "a"}).status == 200
        assert first.result().status == 200
