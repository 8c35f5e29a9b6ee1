"""`cauce.Client` and `cauce.AsyncClient`, against real servers."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from serving import Server, overloaded, refused, serving

import cauce
from cauce.errors import BodyTooLarge, InputError, Overloaded, Unavailable, UnknownModel, WrongRows
from cauce.model.predictions import Prediction

ROWS = ["banana", "", {"text": "no sé 😀"}, None, "xyz\x00", {"other": "a"}]


@pytest.fixture(scope="module")
def server(model_folder: Path, task_folders: dict[str, Path]) -> Iterator[Server]:
    others = [f"{name}={task_folders[name]}" for name in ("multilabel", "regression", "mixed")]
    with serving(f"messages={model_folder}", *others) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[cauce.Client]:
    with cauce.Client(server.url) as client:
        yield client


def test_the_answers_are_those_of_the_model(client: cauce.Client, model_folder: Path) -> None:
    model = cauce.load(model_folder)
    assert client.predict(ROWS) == list(model.predict(ROWS))
    assert client.predict("me encanta", top_k=1) == list(model.predict("me encanta", top_k=1))
    assert client.predict({"text": "banana"}, min_score=0.99) == list(model.predict(["banana"], min_score=0.99))
    assert client.predict([]) == []


@pytest.mark.parametrize("name", ["multilabel", "regression", "mixed"])
def test_every_task_and_column_arrives(client: cauce.Client, task_folders: dict[str, Path], name: str) -> None:
    rows = [
        {"title": "bueno", "body": "llegó tarde", "color": "rojo", "size": 1.5, "paid": True},
        {"title": "roto", "body": "llegó pronto", "color": "verde", "size": None, "paid": False},
    ]
    assert client.predict(rows, model=name) == list(cauce.load(task_folders[name]).predict(rows))


def test_a_long_list_goes_in_several_requests_and_keeps_its_order(
    server: Server, client: cauce.Client, model_folder: Path
) -> None:
    rows = [f"mensaje {number} que está {'bien' if number % 3 else 'mal'}" for number in range(600)]
    before = answered(server)
    assert client.predict(rows) == list(cauce.load(model_folder).predict(rows))
    assert answered(server) - before == 3
    large = ["a" * 400_000] * 4
    assert client.predict(large) == list(cauce.load(model_folder).predict(large))
    assert answered(server) - before == 5


def test_vectors(encoder_folders: dict[str, Path]) -> None:
    rows = ["great", "", "no sé"]
    with serving(str(encoder_folders["vectors"])) as server, cauce.Client(server.url) as client:
        found, expected = client.embed(rows), cauce.load(encoder_folders["vectors"]).embed(rows)
        assert client.embed(["", None]).null_count == 2
    assert found.type == expected.type
    for one, other in zip(found.to_pylist(), expected.to_pylist(), strict=True):
        assert one == (None if other is None else pytest.approx(other, abs=1e-6))


def test_what_is_served(client: cauce.Client, model_folder: Path) -> None:
    assert [one["id"] for one in client.models()] == ["messages", "multilabel", "regression", "mixed"]
    assert client.models()[0]["version"] == cauce.load(model_folder).version
    assert client.health()


def test_errors_come_back_as_their_classes(client: cauce.Client) -> None:
    with pytest.raises(UnknownModel, match="nobody") as caught:
        client.predict("a", model="nobody")
    assert "messages" in caught.value.hint
    with pytest.raises(InputError, match="top_k"):
        client.predict("a", top_k=0)
    with pytest.raises(InputError, match="vectors"):
        client.embed("a")
    with pytest.raises(BodyTooLarge):
        client.predict("a" * 11_000_000)


@pytest.mark.parametrize("row", [{"text": float("nan")}, {"text": b"a"}, "\ud800"])
def test_a_row_that_cannot_be_sent_is_named(client: cauce.Client, row: object) -> None:
    with pytest.raises(WrongRows, match="row 2"):
        client.predict(["a", row])  # type: ignore[list-item]


def test_an_overloaded_server_is_asked_again_when_it_says_and_not_for_ever() -> None:
    with overloaded() as server, cauce.Client(server.url, timeout=2.8) as client:
        before = refused(server)
        start = time.monotonic()
        with pytest.raises(Overloaded) as caught:
            client.predict("a")
        seconds = time.monotonic() - start
        tries = refused(server) - before
    assert caught.value.retry_after == 1
    assert 1 <= seconds <= 2.8
    assert 2 <= tries <= 3


def test_a_server_that_goes_away_and_comes_back_is_waited_for() -> None:
    with serving("echo") as first, cauce.Client(first.url, timeout=60) as client, ThreadPoolExecutor(1) as pool:
        assert client.predict("banana")[0].label == "many_a"
        first.stop()
        assert not client.health()
        waits = pool.submit(client.predict, "banana")
        with serving("echo", port=first.port):
            assert waits.result(60)[0].label == "many_a"


def test_where_no_server_is_the_error_says_so_in_time() -> None:
    with cauce.Client(f"http://127.0.0.1:{free_port()}", timeout=0.5) as client:
        start = time.monotonic()
        with pytest.raises(Unavailable, match="no server answers"):
            client.models()
        assert time.monotonic() - start < 5
        assert not client.health()
    with pytest.raises(InputError, match="localhost:8000"):
        cauce.Client("localhost:8000")


def test_what_is_sent_beside_the_rows() -> None:
    """The token, and how long the sender waits: as a bare socket sees them."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        heard: list[bytes] = []

        def listen() -> None:
            connection, _ = listener.accept()
            with connection:
                heard.append(connection.recv(65536))
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello")

        thread = threading.Thread(target=listen)
        thread.start()
        with (
            cauce.Client(f"http://127.0.0.1:{listener.getsockname()[1]}", token="secret", timeout=7) as client,
            pytest.raises(cauce.CauceError, match="does not answer as Cauce does"),
        ):
            client.models()
        thread.join(10)
    head = heard[0].decode().lower()
    assert "authorization: bearer secret\r\n" in head
    waits = re.search(r"x-request-timeout: (\S+)", head)
    assert waits is not None
    assert 5 < float(waits[1]) <= 7


def test_the_client_of_an_event_loop_answers_the_same(server: Server, model_folder: Path) -> None:
    async def both() -> tuple[list[Prediction], list[Prediction]]:
        async with cauce.AsyncClient(server.url) as client:
            assert await client.health()
            assert (await client.models())[0]["id"] == "messages"
            with pytest.raises(UnknownModel):
                await client.predict("a", model="nobody")
            with pytest.raises(InputError, match="vectors"):
                await client.embed("a")
            first, second = await asyncio.gather(client.predict(ROWS), client.predict(["me encanta"] * 300))
            return first, second

    first, second = asyncio.run(both())
    model = cauce.load(model_folder)
    assert (first, second) == (list(model.predict(ROWS)), list(model.predict(["me encanta"] * 300)))


def test_the_client_of_an_event_loop_tries_again_too() -> None:
    async def ask(url: str) -> None:
        async with cauce.AsyncClient(url, timeout=1.8) as client:
            await client.predict("a")

    with overloaded() as server:
        before = refused(server)
        with pytest.raises(Overloaded):
            asyncio.run(ask(server.url))
        assert refused(server) - before == 2


def test_without_its_library_the_pip_line_is_named() -> None:
    script = """
import sys, cauce
sys.modules["httpx2"] = None
try:
    cauce.Client("http://127.0.0.1")
except cauce.CauceError as error:
    print(error.code, error.message, error.hint)"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == 'missing_extra the client needs httpx2 install it with: pip install "cauce[client]"'


def answered(server: Server) -> int:
    """Requests of rows that the server has answered."""
    found = re.search(r'cauce_requests_total\{path="/v1/predict",status="200"\} (\d+)', server.get("/metrics").body.decode())
    return int(found[1]) if found else 0


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
