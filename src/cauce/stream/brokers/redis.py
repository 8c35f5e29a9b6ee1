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
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import Any

import orjson
from redis import exceptions

from cauce.errors import CauceError, InputError
from cauce.faults import fault
from cauce.stream.brokers.redis_name import Name
from cauce.stream.brokers.redis_server import Server, server_of
from cauce.stream.contract import AtOnce, Output, Sink
from cauce.stream.deliveries import SUSPECT, Deliveries, together
from cauce.stream.message import Document
from cauce.stream.records import Records
from cauce.stream.results import Results
from cauce.stream.schemes import Group, Opening, Place, Scheme

TOUCHED = 1000  # entries that are touched in one command
LOOKED_AT = 100  # entries that `tail` asks for at a time
TYPICAL = 1 << 16  # bytes that an entry is thought to have before one was seen
MADE_UP = 1_000_000_000_000  # milliseconds since 1970: the name of an entry that is lower is no time
FORGOTTEN = 3_600_000  # milliseconds after which a consumer that holds nothing is taken off the group

Entry = tuple[bytes, list[bytes]]  # its name; names and values of its fields

# What would fail is found before: what a script did until it failed is not taken back.
CHECKED = """
local out = KEYS[#KEYS]
local kind = redis.call('TYPE', out).ok
if kind ~= 'stream' and kind ~= 'none' then
  return redis.error_reply('WRONGTYPE ' .. out .. ' is a ' .. kind)
end
local may = redis.acl_check_cmd or function() return true end
if not (may('XADD', out, '*', 'data', '') and may('SET', out .. ':seen:', '')) then
  return redis.error_reply('NOPERM it needs XADD on ' .. out .. ' and SET on ' .. out .. ':seen:*')
end"""
# KEYS stream · ARGV remember, then key and data of each
ADD = f"""{CHECKED}
for i = 2, #ARGV, 2 do
  if redis.call('SET', out .. ':seen:' .. ARGV[i], '', 'NX', 'EX', ARGV[1]) then
    redis.call('XADD', out, '*', 'data', ARGV[i + 1])
  end
end"""
# KEYS in, out · ARGV group, remember, then place, key and data (empty: nothing to add) of each.
# Whoever acknowledges first may add: a second worker that holds the same entry finds it acknowledged.
EXCHANGE = f"""{CHECKED}
for i = 3, #ARGV, 3 do
  if redis.call('XACK', KEYS[1], ARGV[1], ARGV[i]) == 1 and ARGV[i + 2] ~= '' then
    if redis.call('SET', out .. ':seen:' .. ARGV[i + 1], '', 'NX', 'EX', ARGV[2]) then
      redis.call('XADD', out, '*', 'data', ARGV[i + 2])
    end
  end
end"""


class RedisSource:
    """Reads a stream as one consumer of a group. A group that is new begins at the stream's first entry.

    Args:
        takeover: seconds after which what nobody touches is taken over.
        max_attempts: how often a message is given out at most.
        name: what it is called in the group; empty: a name of its own.

    Raises:
        InUse: another worker has the name.

    """

    ended = False

    def __init__(self, server: Server, stream: str, group: str, takeover: float, max_attempts: int, name: str = "") -> None:
        self.server, self.stream, self.group = server, stream, group
        self._takeover, self._idle = takeover, int(takeover * 1000)
        self._together, self._suspects = (
            together(max_attempts),
            deque[tuple[bytes, int]](),
        )  # with how often they were given out
        self._consumer = name or f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        key = f"{stream}:worker:{group}:{name}"
        self._name = Name(server, server.client, key, name, takeover) if name else None
        self._typical = float(TYPICAL)
        self._next_look = 0.0
        self._held = dict[str, None]()
        self._held_lock = threading.Lock()
        self._closed = threading.Event()
        self._join()
        self._thread = threading.Thread(target=self._touch, name=f"touch {stream}", daemon=True)
        self._thread.start()

    def fetch(self, most: int, room: int, wait: float) -> Deliveries | None:
        """What dead workers left, else the next entries."""
        if self._name is not None and self._name.lost:
            raise self._name.taken
        count = max(1, min(most, int(room / self._typical)))
        entries, attempts = self._taken_over(count) if time.monotonic() >= self._next_look else ([], None)
        if not entries:
            entries, attempts = self._read(count, max(1, int(wait * 1000))), None
        if not entries:
            return None
        places = [place.decode() for place, _ in entries]
        with self._held_lock:
            self._held.update(dict.fromkeys(places))
        data = [_data(fields) for _, fields in entries]
        seen = sum(map(len, data)) / len(data)
        self._typical = max(seen, (self._typical + seen) / 2, 1.0)
        received = [_time(place) for place, _ in entries]
        return Deliveries.of(f"redis:{self.stream}", data, places, attempts=attempts, received=received)

    def exchange(self, sink: Sink[Results], dead: Sink[Records]) -> Output | None:
        """Results and acknowledgements in one step, where this server holds both."""
        return Exchange(self, sink, dead) if isinstance(sink, RedisSink) and sink.server is self.server else None

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
        if self._name is not None and self._name.lost:
            return  # all of it is another's
        with suppress(CauceError, exceptions.RedisError):
            if not self.server.client.xpending_range(self.stream, self.group, "-", "+", 1, consumername=self._consumer):
                self.server.client.xgroup_delconsumer(self.stream, self.group, self._consumer)
            if self._name is not None:
                self._name.release()

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

    def _read(self, count: int, block: int) -> list[Entry]:
        command = (
            "XREADGROUP",
            "GROUP",
            self.group,
            self._consumer,
            "COUNT",
            count,
            "BLOCK",
            block,
            "STREAMS",
            self.stream,
            ">",
        )
        answer = self._in_group(lambda: self.server.client.execute_command(*command))
        return answer[0][1] if answer else []

    def _taken_over(self, most: int) -> tuple[list[Entry], list[int] | None]:
        """Entries that nobody touched, with how often they were given out: one that had been given out twice comes alone.

        Who takes it over may die of it, and whatever was taken over together has been given out once more then.
        """
        if not self._suspects:
            look = partial(self.server.client.xpending_range, self.stream, self.group, "-", "+", min(most, self._together))
            found = self._in_group(partial(look, idle=self._idle))
            times = {one["message_id"]: one["times_delivered"] for one in found or ()}
            if innocent := {place: count for place, count in times.items() if count < SUSPECT}:
                return self._claimed(innocent)
            self._suspects.extend(times.items())
        while self._suspects:  # others take some of them over meanwhile
            place, count = self._suspects.popleft()
            entries, attempts = self._claimed({place: count})
            if entries:
                return entries, attempts
        self._next_look = time.monotonic() + self._takeover / 3
        return [], None

    def _claimed(self, times: dict[bytes, int]) -> tuple[list[Entry], list[int]]:
        """Those of these entries that still nobody touches, which were given out so often."""
        command = ("XCLAIM", self.stream, self.group, self._consumer, self._idle, *times)
        entries = self._in_group(lambda: self.server.client.execute_command(*command)) or []
        return entries, [times[place] + 1 for place, _ in entries]

    def _in_group(self, command: Callable[[], Any]) -> Any:
        """What a command answers; nothing where the stream was deleted: it begins anew."""
        try:
            return self.server(command)
        except exceptions.ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            self._join()
            return None

    def _touch(self) -> None:
        """Say again and again that what is held is being worked on, and by whom."""
        while not self._closed.wait(self._takeover / 3):
            if self._name is not None:
                with suppress(exceptions.RedisError):
                    self._name.renew()
            with self._held_lock:
                held = list(self._held)
            for start in range(0, len(held), TOUCHED):
                with suppress(exceptions.RedisError):  # the worker's own thread waits for the server, and says so
                    some = held[start : start + TOUCHED]
                    self.server.client.xclaim(self.stream, self.group, self._consumer, 0, some, justid=True)


class RedisSink(AtOnce):
    """Adds to a stream, each key once within `remember` seconds."""

    def __init__(self, server: Server, stream: str, remember: int) -> None:
        self.server, self.stream, self.remember = server, stream, remember
        self._script = server.client.register_script(ADD)

    def write(self, records: Records) -> None:
        """XADD, where the key is new."""
        pairs = list(zip(records.keys.to_pylist(), records.lines.to_pylist(), strict=True))
        self.server.scripted(self._script, [self.stream], [self.remember], pairs)

    def close(self) -> None:
        """Close the connections."""
        self.server.client.close()


class Exchange:
    """Results in, acknowledgements out, in one step of the server that holds both streams."""

    def __init__(self, source: RedisSource, sink: RedisSink, dead: Sink[Records]) -> None:
        self._source, self._sink, self._dead = source, sink, dead
        self._script = source.server.client.register_script(EXCHANGE)

    def put(self, places: Sequence[str], results: Results, letters: Records) -> None:
        """Letters first: a second delivery of theirs has the same key."""
        if len(letters):
            self._dead.write(letters)
            self._dead.flush()
        fault("stream.written")
        keys, lines = [""] * len(places), [b""] * len(places)
        for row, key, line in zip(results.rows.tolist(), results.keys.to_pylist(), results.lines.to_pylist(), strict=True):
            keys[row], lines[row] = key, line
        both, head = [self._source.stream, self._sink.stream], [self._source.group, self._sink.remember]
        self._source.server.scripted(self._script, both, head, list(zip(places, keys, lines, strict=True)))
        self._source.forget(places)
        fault("stream.acknowledged")

    def settle(self, *, now: bool) -> None:
        """Nothing to do."""


def _data(fields: list[bytes]) -> bytes:
    """The message of an entry: its field `data`, or all its fields, where it has a `text`. Neither is no message."""
    if len(fields) == 2 and fields[0] == b"data":
        return fields[1]
    pairs = dict(zip(fields[::2], fields[1::2], strict=True))
    if b"data" in pairs or b"text" not in pairs:
        return pairs.get(b"data", b"")
    try:
        named: Document = {name.decode(): value.decode() for name, value in pairs.items()}
    except UnicodeDecodeError:
        return b" ".join(fields)  # not UTF-8 either: it becomes a dead letter
    if str(named.get("rev", "")).isdecimal():
        named["rev"] = int(named["rev"])
    return orjson.dumps(named)


def _time(place: bytes) -> float:
    """Seconds since 1970 at which an entry was added; now, where its name was made up."""
    milliseconds = int(place.partition(b"-")[0])
    return milliseconds / 1000 if milliseconds > MADE_UP else time.time()


def _source(place: Place, opening: Opening) -> RedisSource:
    settings = opening.settings
    return RedisSource(
        server_of(place, opening), place.path, settings.group, settings.takeover, settings.max_attempts, settings.worker_name
    )


def _sink(place: Place, opening: Opening) -> RedisSink:
    return RedisSink(server_of(place, opening), place.path, opening.settings.remember)


def _groups(place: Place, opening: Opening) -> list[Group]:
    server = server_of(place, opening)
    if not server(server.client.exists, place.path):
        raise InputError(f"there is no stream {place.path} in {server.name}", hint="it is made by the first worker or message")
    found: list[dict[str, Any]] = server(server.client.xinfo_groups, place.path)
    groups = []
    for one in found:
        last, seconds = one["last-delivered-id"].decode(), None
        if first := server(server.client.xrange, place.path, f"({last}", "+", 1):
            seconds = round(time.time() - _time(first[0][0]), 3)
        groups.append(Group(one["name"].decode(), one["lag"], seconds, one["pending"], one["consumers"]))
    return groups


def _tail(place: Place, opening: Opening, last: int) -> Iterator[bytes]:
    """XREAD, in no group. A stream that is not there yet is waited for."""
    server, stream = server_of(place, opening), place.path
    found = server(server.client.xrevrange, stream, count=max(last, 1))
    at, entries = found[0][0] if found else b"0", found[:last][::-1]
    while True:
        for _, fields in entries:
            yield _data([*chain.from_iterable(fields.items())])
        at = entries[-1][0] if entries else at
        answer = server(server.client.xread, {stream: at}, count=LOOKED_AT, block=1000)
        entries = answer[0][1] if answer else []


def _beside(place: Place) -> str:
    return place.url._replace(path=f"{place.url.path}:dead").geturl()


SCHEME = Scheme(
    "redis://host:6379/stream",
    ("db",),
    ("db",),
    source=_source,
    sink=_sink,
    dead=_sink,
    groups=_groups,
    beside=_beside,
    tail=_tail,
    named=True,
)
