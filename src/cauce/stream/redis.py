"""`redis://`: streams with consumer groups. A result and the acknowledgement of its message are one step of the server.

Both ends on one server: results are there exactly once. A worker that is alive keeps touching what it holds; what nobody
touched for `takeover` seconds belongs to a dead one, and another takes it over.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import SplitResult

import orjson
import redis
from redis import exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry

from cauce.errors import AccessDenied, BrokerGone, CauceError, InputError
from cauce.faults import fault
from cauce.stream.broker import Delivery, Sink
from cauce.stream.message import Document
from cauce.stream.patience import Patience

GONE = (
    exceptions.ConnectionError, exceptions.TimeoutError, exceptions.ReadOnlyError, exceptions.OutOfMemoryError,
    exceptions.ClusterDownError, exceptions.TryAgainError,
)  # fmt: skip
DENIED = (exceptions.AuthenticationError, exceptions.AuthorizationError, exceptions.NoPermissionError)
TAKEN = 100  # entries of dead workers that are taken over at a time
TOUCHED = 1000  # entries that are touched in one command
TYPICAL = 1 << 16  # bytes that an entry is thought to have before one was seen
FORGOTTEN = 3_600_000  # milliseconds after which a consumer that holds nothing is taken off the group

# KEYS stream · ARGV remember, then key and data of each
ADD = """
for i = 2, #ARGV, 2 do
  if redis.call('SET', KEYS[1] .. ':seen:' .. ARGV[i], '', 'NX', 'EX', ARGV[1]) then
    redis.call('XADD', KEYS[1], '*', 'data', ARGV[i + 1])
  end
end"""
# KEYS in, out · ARGV group, remember, then place, key and data (empty: nothing to add) of each.
# Whoever acknowledges first may add: a second worker that holds the same entry finds it acknowledged.
EXCHANGE = """
for i = 3, #ARGV, 3 do
  if redis.call('XACK', KEYS[1], ARGV[1], ARGV[i]) == 1 and ARGV[i + 2] ~= '' then
    if redis.call('SET', KEYS[2] .. ':seen:' .. ARGV[i + 1], '', 'NX', 'EX', ARGV[2]) then
      redis.call('XADD', KEYS[2], '*', 'data', ARGV[i + 2])
    end
  end
end"""


class Server:
    """A Redis server, which may be gone for a while.

    Args:
        url: `redis://[user:password@]host[:port]/…?db=0`, or `rediss://`.

    Raises:
        AccessDenied: a wrong password, or no right to what a worker does.
        BrokerGone: it cannot be reached, for longer than `patience` waits.
        InputError: the URL cannot be read.

    """

    def __init__(self, url: SplitResult, db: str, patience: Patience) -> None:
        self._patience = patience
        try:
            self.name = f"{url.hostname or 'localhost'}:{url.port or 6379}/{int(db)}"
            self.client: Any = redis.Redis.from_url(
                f"{url.scheme}://{url.netloc}/{int(db)}",
                protocol=2,
                socket_connect_timeout=5,
                socket_timeout=30,
                retry=Retry(NoBackoff(), 0),  # Patience tries again, and says so
            )
        except ValueError as error:
            raise InputError(f"cannot read the address: {error}", hint="write it as redis://host:6379/stream") from None
        self(self.client.ping)

    def __call__(self, command: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Run a command; wait where the server is gone. A command may run twice: its answer may have been lost."""
        return self._patience(lambda: self._translated(lambda: command(*args, **options)))

    def _translated(self, command: Callable[[], Any]) -> Any:
        try:
            return command()
        except DENIED as error:
            raise AccessDenied(
                f"the Redis at {self.name} refuses: {error}", hint="write user and password: redis://user:password@host/stream"
            ) from None
        except GONE as error:
            raise BrokerGone(
                f"the Redis at {self.name} cannot be used: {error}", hint="start it, or wait longer with --wait"
            ) from error
        except exceptions.ResponseError as error:
            if str(error).startswith("WRONGTYPE"):
                raise InputError(
                    f"a key of {self.name} is there already and is no stream", hint="name another stream"
                ) from None
            raise


class RedisSource:
    """Reads a stream as one consumer of a group. A group that is new begins at the stream's first entry.

    Args:
        takeover: seconds after which what nobody touches is taken over.

    """

    ended = False

    def __init__(self, server: Server, stream: str, group: str, takeover: float) -> None:
        self.server, self.stream, self.group = server, stream, group
        self._takeover = takeover
        self._consumer = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self._typical = float(TYPICAL)
        self._next_look, self._cursor = 0.0, "0-0"
        self._held = dict[str, None]()
        self._held_lock = threading.Lock()
        self._closed = threading.Event()
        self._join()
        self._thread = threading.Thread(target=self._touch, name=f"touch {stream}", daemon=True)
        self._thread.start()

    def fetch(self, most: int, room: int, wait: float) -> list[Delivery]:
        """What dead workers left, else the next entries."""
        given = self._taken_over() if time.monotonic() >= self._next_look else []
        if not given:
            count = max(1, min(most, int(room / self._typical)))
            block = max(1, int(wait * 1000))
            found = self._read(count, block)
            given = [self._delivery(place, fields, 1) for place, fields in found]
        if given:
            seen = sum(len(one.data) for one in given) / len(given)
            self._typical = max(seen, (self._typical + seen) / 2, 1.0)
            with self._held_lock:
                self._held.update(dict.fromkeys(one.place for one in given))
        return given

    def acknowledge(self, places: Sequence[str]) -> None:
        """XACK."""
        self.server(self.server.client.xack, self.stream, self.group, *places)
        self.forget(places)

    def forget(self, places: Sequence[str]) -> None:
        """These are not held any more."""
        with self._held_lock:
            for place in places:
                self._held.pop(place, None)

    def close(self) -> None:
        """Leave the group; what is not acknowledged is taken over by others."""
        self._closed.set()
        self._thread.join()
        with suppress(CauceError, exceptions.RedisError):
            if not self.server.client.xpending_range(self.stream, self.group, "-", "+", 1, consumername=self._consumer):
                self.server.client.xgroup_delconsumer(self.stream, self.group, self._consumer)

    def _join(self) -> None:
        """Make the group where there is none; take off consumers that are long gone and hold nothing."""

        def create() -> None:
            try:
                self.server.client.xgroup_create(self.stream, self.group, id="0", mkstream=True)
            except exceptions.ResponseError as error:
                if not str(error).startswith("BUSYGROUP"):
                    raise

        self.server(create)
        for one in self.server(self.server.client.xinfo_consumers, self.stream, self.group):
            if not one["pending"] and one["idle"] > FORGOTTEN:
                self.server.client.xgroup_delconsumer(self.stream, self.group, one["name"])

    def _read(self, count: int, block: int) -> list[tuple[bytes, dict[bytes, bytes]]]:
        try:
            answer = self.server(
                self.server.client.xreadgroup, self.group, self._consumer, {self.stream: ">"}, count=count, block=block
            )
        except exceptions.ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            self._join()  # the stream was deleted: it begins anew
            return []
        found: list[tuple[bytes, dict[bytes, bytes]]] = answer[0][1] if answer else []
        return found

    def _taken_over(self) -> list[Delivery]:
        """Entries that nobody touched, with how often they were given out."""
        idle = int(self._takeover * 1000)
        try:
            cursor, found, *_ = self.server(
                self.server.client.xautoclaim, self.stream, self.group, self._consumer, idle, self._cursor, TAKEN
            )
        except exceptions.ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            self._join()
            return []
        self._cursor = cursor.decode()
        if self._cursor == "0-0":
            self._next_look = time.monotonic() + self._takeover / 3
        if not found:
            return []
        held = self.server(
            self.server.client.xpending_range, self.stream, self.group, found[0][0], found[-1][0], TOUCHED, self._consumer
        )
        attempts = {one["message_id"]: one["times_delivered"] for one in held}
        return [self._delivery(place, fields, attempts.get(place, 2)) for place, fields in found]

    def _delivery(self, place: bytes, fields: dict[bytes, bytes], attempts: int) -> Delivery:
        return Delivery(_data(fields), f"redis:{self.stream}", place.decode(), attempts)

    def _touch(self) -> None:
        """Say again and again that what is held is being worked on."""
        while not self._closed.wait(self._takeover / 3):
            with self._held_lock:
                held = list(self._held)
            for start in range(0, len(held), TOUCHED):
                with suppress(exceptions.RedisError):  # the worker's own thread waits for the server, and says so
                    some = held[start : start + TOUCHED]
                    self.server.client.xclaim(self.stream, self.group, self._consumer, 0, some, justid=True)


class RedisSink:
    """Adds to a stream, each key once within `remember` seconds."""

    def __init__(self, server: Server, stream: str, remember: int) -> None:
        self.server, self.stream, self.remember = server, stream, remember
        self._script = server.client.register_script(ADD)

    def write(self, documents: Sequence[Document]) -> None:
        """XADD, where the key is new."""
        if documents:
            parts = [part for one in documents for part in (one["key"], orjson.dumps(one))]
            self.server(self._script, keys=[self.stream], args=[self.remember, *parts])

    def due(self) -> bool:
        """Always: nothing is gained by waiting."""
        return True

    def flush(self) -> None:
        """Nothing to do."""

    def recent(self) -> Iterable[str]:
        """None: the server knows them all."""
        return ()

    def close(self) -> None:
        """Close the connections."""
        self.server.client.close()


class Exchange:
    """Results in, acknowledgements out, in one step of the server that holds both streams."""

    def __init__(self, source: RedisSource, sink: RedisSink, dead: Sink) -> None:
        self._source, self._sink, self._dead = source, sink, dead
        self._script = source.server.client.register_script(EXCHANGE)

    def put(self, places: Sequence[str], documents: Sequence[Document | None], letters: Sequence[Document]) -> None:
        """Letters first: a second delivery of theirs has the same key."""
        if letters:
            self._dead.write(letters)
            self._dead.flush()
        fault("stream.written")
        args: list[Any] = [self._source.group, self._sink.remember]
        for place, one in zip(places, documents, strict=True):
            args += (place, "", "") if one is None else (place, one["key"], orjson.dumps(one))
        self._source.server(self._script, keys=[self._source.stream, self._sink.stream], args=args)
        self._source.forget(places)
        fault("stream.acknowledged")

    def settle(self, *, now: bool) -> None:
        """Nothing to do."""


def _data(fields: dict[bytes, bytes]) -> bytes:
    """The message of an entry: its field `data`, or all its fields, where it has a `text`. Neither is no message."""
    if b"data" in fields or b"text" not in fields:
        return fields.get(b"data", b"")
    try:
        named: Document = {name.decode(): value.decode() for name, value in fields.items()}
    except UnicodeDecodeError:
        return b" ".join(part for pair in fields.items() for part in pair)  # not UTF-8 either: it becomes a dead letter
    if str(named.get("rev", "")).isdecimal():
        named["rev"] = int(named["rev"])
    return orjson.dumps(named)
