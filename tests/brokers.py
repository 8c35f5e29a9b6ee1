"""Brokers for tests: those at the standard addresses, or brokers of a test's own."""

from __future__ import annotations

import asyncio
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import nats
import psycopg
import pytest
import redis
from confluent_kafka import Consumer, Message, TopicPartition, cimpl


def missing(reason: str) -> None:
    """Skip; fail where everything must be there."""
    if os.environ.get("CAUCE_REQUIRE_ALL"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def streams() -> Iterator[tuple[Any, str]]:
    """A client of the Redis that is here, and the beginning of an address below which all is deleted at the end."""
    client: Any = redis.Redis(port=6379, protocol=2)
    try:
        client.ping()
    except redis.ConnectionError:
        missing("no Redis runs at 127.0.0.1:6379")
    prefix = f"cauce-test-{os.getpid()}-{time.monotonic_ns()}"
    try:
        yield client, f"redis://127.0.0.1:6379/{prefix}"
    finally:
        for some in client.scan_iter(f"{prefix}*", count=10_000):
            client.delete(some)
        client.close()


class Own:
    """A server that a test starts, stops and starts again."""

    def __init__(self, command: Callable[[str], Sequence[str]]) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._command = command(str(self.port))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        for _ in range(600):
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        pytest.fail(f"{self._command[0]} does not start")

    def pause(self) -> None:
        """It is there, and answers nobody."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """It answers again, those first who asked while it did not."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Stop it; what it holds is on the disk."""
        if self._process is not None:
            self.resume()
            self._process.terminate()
            self._process.wait(30)
            self._process = None


@contextmanager
def _own(command: Callable[[str], Sequence[str]]) -> Iterator[Own]:
    name = command("0")[0]
    if shutil.which(name) is None:
        missing(f"{name} is not installed")
    server = Own(command)
    try:
        yield server
    finally:
        server.stop()


def own_redis(folder: Path, *options: str) -> AbstractContextManager[Own]:
    """A Redis of one's own, not started yet."""
    fixed = ("--dir", str(folder), "--appendonly", "yes", "--save", "")
    return _own(lambda port: ["redis-server", "--port", port, *fixed, *options])


def own_nats(folder: Path, *options: str) -> AbstractContextManager[Own]:
    """A NATS of one's own, with JetStream, not started yet."""
    fixed = ("-a", "127.0.0.1", "-js", "-sd", str(folder), "-l", str(folder / "log"))
    return _own(lambda port: ["nats-server", "-p", port, *fixed, *options])


class Jetstream:
    """What a test does with the streams of a NATS, through a client that is not ours."""

    def __init__(self, url: str = "nats://127.0.0.1:4222") -> None:
        self._url = url

    def __call__(self, do: Callable[[Any], Awaitable[Any]]) -> Any:
        """What `do` makes of a JetStream context."""

        async def run() -> Any:
            client = await nats.connect(self._url, allow_reconnect=False, connect_timeout=5)
            try:
                return await do(client.jetstream())
            finally:
                await client.close()

        return asyncio.run(run())

    def put(self, subject: str, messages: Sequence[bytes]) -> None:
        """Publish; the stream is made, where there is none."""

        async def do(js: Any) -> None:
            with suppress(nats.js.errors.BadRequestError):
                await js.add_stream(name=subject.replace(".", "_"), subjects=[subject])
            for start in range(0, len(messages), 1000):
                await asyncio.gather(*[await js.publish_async(subject, one) for one in messages[start : start + 1000]])

        self(do)

    def entries(self, subject: str) -> list[bytes]:
        """All that was published."""

        async def do(js: Any) -> list[bytes]:
            found: list[bytes] = []
            sub = await js.pull_subscribe(subject)
            while (await sub.consumer_info()).num_pending:
                some = await sub.fetch(1000)
                found += [one.data for one in some]
                for one in some:
                    await one.ack()  # no more than 1,000 are given out that are not
            return found

        return list(self(do))

    def delete(self, prefix: str) -> None:
        """Delete the streams whose names begin so."""

        async def do(js: Any) -> None:
            for one in await js.streams_info():
                if one.config.name.startswith(prefix):
                    await js.delete_stream(one.config.name)

        self(do)


@contextmanager
def jetstream() -> Iterator[tuple[Jetstream, str]]:
    """The NATS that is here, and the beginning of an address below which all is deleted at the end."""
    with socket.socket() as one:
        if one.connect_ex(("127.0.0.1", 4222)) != 0:
            missing("no NATS runs at 127.0.0.1:4222")
    prefix, client = f"cauce-test-{os.getpid()}-{time.monotonic_ns()}", Jetstream()
    try:
        yield client, f"nats://127.0.0.1/{prefix}"
    finally:
        client.delete(prefix)


class OwnKafka:
    """Kafka's protocol, spoken by the brokers that librdkafka has for tests, in this process.

    Groups, rebalances and commits are as in a real Kafka; transactions are not, and a partition keeps its last 5 MB only.

    Attributes:
        hosts, address: where to reach them: `host:port`, `kafka://host:port`.

    """

    def __init__(self) -> None:
        self._library: Any = ctypes.CDLL(cimpl.__file__)
        for name in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_mock_cluster_new"):
            getattr(self._library, name).restype = ctypes.c_void_p
        self._library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
        config = ctypes.c_void_p(self._library.rd_kafka_conf_new())
        self._library.rd_kafka_conf_set(config, b"log_level", b"0", None, 0)
        self._client = ctypes.c_void_p(self._library.rd_kafka_new(0, config, None, 0))
        self._cluster = ctypes.c_void_p(self._library.rd_kafka_mock_cluster_new(self._client, 1))
        self.hosts: str = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()
        self.address = f"kafka://{self.hosts}"
        self("group_initial_rebalance_delay_ms", 0)

    def __call__(self, what: str, *values: Any) -> None:
        """Have the brokers do `rd_kafka_mock_` and so on."""
        getattr(self._library, f"rd_kafka_mock_{what}")(self._cluster, *values)

    def make(self, topic: str, partitions: int) -> None:
        """Make a topic."""
        self("topic_create", topic.encode(), partitions, 1)

    def records(self, topic: str) -> list[Message]:
        """What is in a topic, by partition."""
        reader = Consumer({"bootstrap.servers": self.hosts, "group.id": "test", "auto.offset.reset": "earliest"})
        partitions = [TopicPartition(topic, one) for one in reader.list_topics(topic, timeout=10).topics[topic].partitions]
        spans = [reader.get_watermark_offsets(one, timeout=10) for one in partitions]
        reader.assign([TopicPartition(topic, one.partition, first) for one, (first, _) in zip(partitions, spans, strict=True)])
        found = reader.consume(sum(end - first for first, end in spans), 10)
        reader.close()
        return sorted(found, key=lambda one: (one.partition(), one.offset()))

    def fail(self, request: int, *errors: int) -> None:
        """Answer the next requests of a kind with errors, by Kafka's numbers of both; 0 is none."""
        self("push_request_errors_array", request, ctypes.c_size_t(len(errors)), (ctypes.c_int * len(errors))(*errors))

    def end(self) -> None:
        """Take them away."""
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        self._library.rd_kafka_destroy(self._client)


@contextmanager
def own_kafka() -> Iterator[OwnKafka]:
    """A Kafka of one's own."""
    kafka = OwnKafka()
    try:
        yield kafka
    finally:
        kafka.end()


@contextmanager
def schema() -> Iterator[str]:
    """A schema of its own in the PostgreSQL that is here, deleted at the end with all that is in it."""
    name = f"cauce_test_{os.getpid()}_{time.monotonic_ns()}"
    try:
        connection = psycopg.connect("postgresql://postgres@127.0.0.1/test", autocommit=True, connect_timeout=5)
    except psycopg.OperationalError:
        missing("no PostgreSQL runs at 127.0.0.1:5432")
    with connection:
        connection.execute(f"CREATE SCHEMA {name}")
        try:
            yield name
        finally:
            connection.execute(f"DROP SCHEMA {name} CASCADE")


class OwnPostgres:
    """A PostgreSQL that a test starts, stops and starts again. Its password is `se/cret`."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._data = folder / "data"
        self._user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
        if self._user:
            shutil.chown(folder, self._user)
        password = folder / "password"
        password.write_text("se/cret")
        self._run("initdb", "-U", "postgres", "-A", "scram-sha-256", "--pwfile", str(password), "--no-sync")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-p {self.port} -k {self._data} -c listen_addresses=127.0.0.1 -c fsync=off"
        self._run("pg_ctl", "start", "-w", "-s", "-l", str(self._data / "log"), "-o", options)

    def stop(self, how: str = "immediate") -> None:
        """End it, `fast` or as if it had crashed; what it committed is on the disk."""
        if (self._data / "postmaster.pid").exists():
            self._run("pg_ctl", "stop", "-w", "-s", "-m", how)

    def _run(self, program: str, *options: str) -> None:
        command = [program, "-D", str(self._data), *options]
        subprocess.run(command, check=True, user=self._user, cwd="/", stdout=subprocess.DEVNULL, timeout=60)


@contextmanager
def own_postgres() -> Iterator[OwnPostgres]:
    """A PostgreSQL of one's own, not started yet."""
    if shutil.which("initdb") is None:
        missing("PostgreSQL is not installed")
    with tempfile.TemporaryDirectory() as folder:
        server = OwnPostgres(Path(folder))
        try:
            yield server
        finally:
            server.stop()
