"""`nats://`: JetStream. A group is a durable consumer, from which workers pull; a stream drops results that it knows.

A worker that is alive keeps saying that it works on what it holds; what nobody said so of for `takeover` seconds belongs
to a dead one, and the server gives it to another.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from nats.aio.msg import Msg

from cauce.errors import BrokerGone, CauceError, InputError
from cauce.stream.brokers.nats_client import ID, START, Address, Client, Connection, Sent, status
from cauce.stream.brokers.nats_stream import (
    FORM,
    SECOND,
    covers,
    groups_of,
    join,
    messages_of,
    stream_of,
    subject_of,
)
from cauce.stream.contract import AtOnce
from cauce.stream.deliveries import SUSPECT, Deliveries, together
from cauce.stream.letter import shorter
from cauce.stream.records import Records
from cauce.stream.schemes import Group, Opening, Place, Scheme

TYPICAL = 1 << 16  # bytes that a message is thought to have before one was seen
LATE = 3.0  # seconds after which a pull that got no answer asked a group that is not there
AHEAD = 4 << 20  # bytes that are sent while the server has not answered what came before them
NAP = 0.25  # seconds between two looks for a message
BESIDE = 1 << 15  # bytes that a result has beside its message: a key and an answer, of hundreds of labels
SIZE_OF_HEAD = len(f"NATS/1.0\r\n{ID}: \r\n\r\n") + 32  # a key has 32 digits


class NatsSource:
    """Reads the messages of a subject as one of a group. A group that is new begins at the stream's first message."""

    ended = False

    def __init__(self, place: Place, opening: Opening) -> None:
        self._subject, self._named = subject_of(place, written=False), place.options.get("stream", "")
        self._settings = opening.settings
        self._pulls, self._answers = _client(place, opening), _client(place, opening)
        self._together = together(opening.settings.max_attempts - 1)  # some that come along may have been given out once more
        self._closed = threading.Event()
        self._stream = self._pulls(self._join)
        self._typical = float(TYPICAL)
        self._held = dict[str, str]()  # where an answer goes, by place
        self._given = deque[tuple[float, list[str]]]()  # when it was last said that these are worked on
        self._thread = threading.Thread(target=self._touch, name=f"touch {self._subject}", daemon=True)
        self._thread.start()

    def fetch(self, most: int, room: int, wait: float) -> Deliveries | None:
        """The first that comes, and what is there besides: it says how often it was given out, so how many may come with it.

        Those that come again come before others. Whoever fetches them may die of one, and all that was fetched with it has been
        given out once more then.
        """
        first: dict[str, Any] = {"expires": max(int(wait * SECOND), 1)} if wait > 0 else {"no_wait": True}
        frames = self._pulls(lambda one: self._pull(one, {"batch": 1, **first}, room, wait))
        if not frames:
            return None
        times, count = int(_facts(frames[0])[0]), max(1, min(most, int(room / self._typical)))
        more = {1: count, SUSPECT: min(count, self._together)}.get(times, 1) - 1
        if more:
            ask = {"batch": more, "no_wait": True}
            frames += self._pulls(lambda one: self._pull(one, ask, room, 0.0))
        return self._deliveries(frames)

    def acknowledge(self, places: Sequence[str]) -> None:
        """The server answers to the last one, once it has taken them all."""
        replies = [reply for place in places if (reply := self._held.get(place))]
        if replies:
            self._answers(lambda one: _acknowledge(one, replies))
        for place in places:
            self._held.pop(place, None)

    def close(self) -> None:
        """Hang up; what is not acknowledged is given to others after `takeover` seconds."""
        self._closed.set()
        self._thread.join()
        self._pulls.close()
        self._answers.close()

    def _join(self, connection: Connection) -> str:
        config = stream_of(connection, self._subject, self._named, self._settings)
        join(connection, config, self._subject, self._settings)
        return str(config["name"])

    def _pull(self, connection: Connection, ask: dict[str, Any], room: int, wait: float) -> list[Msg]:
        """Ask for messages: the server gives as many as were asked for, or ends with a status."""
        ask["max_bytes"] = room + connection.max_payload  # what a message is thought to have may be far off
        inbox, came = f"{connection.inbox}.{secrets.token_hex(4)}", 0
        name = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._settings.group}"

        def enough(message: Msg) -> bool:
            nonlocal came
            came += bool(message.reply)
            return came == ask["batch"] or bool(message.subject == inbox and status(message))

        found = connection.exchange([Sent(name, orjson.dumps(ask), inbox)], enough, wait + LATE)
        last = found[-1] if found else None
        deleted = last is not None and last.subject == inbox and (status(last) == 503 or "Deleted" in str(last.headers))
        if last is None or deleted:
            self._closed.wait(wait)
            self._stream = self._join(connection)  # the stream was deleted, or its group: it begins anew
        return [one for one in found if one.reply]

    def _deliveries(self, frames: list[Msg]) -> Deliveries:
        """The messages, from here on held. Where an answer goes says all about them.

        A stream that was deleted and made again counts from 1 again: a sequence and its time are a place.
        """
        parts = [_facts(one) for one in frames]
        places = [f"{one[1]}-{one[3]}" for one in parts]
        self._held.update(zip(places, (one.reply for one in frames), strict=True))
        self._given.append((time.monotonic(), places))
        found = Deliveries.of(
            f"nats:{self._stream}",
            pa.array([one.data for one in frames], pa.large_binary()),
            places,
            attempts=[int(one[0]) for one in parts],
            received=[int(one[3]) / SECOND for one in parts],
        )
        seen = found.size / len(found)
        self._typical = max(seen, (self._typical + seen) / 2, 1.0)
        return found

    def _touch(self) -> None:
        """Say again and again that what is held is being worked on."""
        pause = self._settings.takeover / 4
        while not self._closed.wait(pause):
            long_ago, replies = time.monotonic() - pause, list[str]()
            while self._given and self._given[0][0] <= long_ago:
                held = {place: reply for place in self._given.popleft()[1] if (reply := self._held.get(place))}
                replies += held.values()
                if held:
                    self._given.append((time.monotonic(), list(held)))
            if replies:
                working = [Sent(reply, b"+WPI") for reply in replies]
                with suppress(CauceError):  # the worker's own threads wait for the server, and say so
                    self._answers.once(partial(Connection.exchange, messages=working, enough=None))


class NatsSink(AtOnce):
    """Publishes to a subject; the stream that takes it drops a key that it knows.

    Args:
        letters: what is written are dead letters: one that is too long for the stream is shortened.

    """

    def __init__(self, place: Place, opening: Opening, *, letters: bool = False) -> None:
        self._subject, self._named = subject_of(place, written=True), place.options.get("stream", "")
        self._settings, self._letters = opening.settings, letters
        self._client = _client(place, opening)
        self._most = self._client(self._join)

    def write(self, records: Records) -> None:
        """Publish, and wait until the server has them all."""
        lines, most = records.lines, self._most
        if self._letters and _longest(lines) > most:
            lines = pa.array([shorter(line, most) for line in lines.to_pylist()], pa.large_binary())
        if (longest := _longest(lines)) > most:
            raise InputError(
                f"a result of {longest} bytes is longer than the {most} that {self._subject} takes",
                hint="lower --max-message-bytes, or raise max_payload of the server and max_msg_size of the stream",
            )
        self._client(lambda one: self._publish(one, records.keys.to_pylist(), lines.to_pylist()))

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    def _join(self, connection: Connection) -> int:
        """Bytes of the longest line that is taken; the stream is made where there is none."""
        config = stream_of(connection, self._subject, self._named, self._settings)
        if not any(covers(one, self._subject) for one in config.get("subjects") or ()):
            raise InputError(
                f"the stream {config['name']} does not take {self._subject}", hint="add the subject: nats stream edit"
            )
        if config.get("no_ack"):
            raise InputError(f"the stream {config['name']} does not say what it took", hint="set its no_ack to false")
        sizes = (connection.max_payload, config.get("max_msg_size", -1))
        most, limit = min(one for one in sizes if one > 0) - SIZE_OF_HEAD, self._settings.max_message_bytes
        if not self._letters and most < limit + BESIDE:
            raise InputError(
                f"{self._subject} takes {most} bytes at a time: less than a message of {limit} with its answer",
                hint=f"--max-message-bytes {max(most - BESIDE, 1)}, or raise max_payload of the server",
            )
        return int(most)

    def _publish(self, connection: Connection, keys: list[str], lines: list[bytes]) -> None:
        for start, stop in _slices(lines):
            left, inbox = stop - start, f"{connection.inbox}.{secrets.token_hex(4)}"

            def enough(message: Msg, inbox: str = inbox) -> bool:
                nonlocal left
                left -= message.subject == inbox
                return not left

            pairs = zip(keys[start:stop], lines[start:stop], strict=True)
            found = connection.exchange([Sent(self._subject, line, inbox, key) for key, line in pairs], enough)
            for message in found:
                if status(message):  # nobody took it: the stream was deleted, or its server is not ready
                    self._join(connection)
                    raise BrokerGone(f"no stream of the NATS at {connection.name} took {self._subject}", hint="try again")
                if b'"error":' in message.data:
                    connection.check(orjson.loads(message.data))
            if left:
                raise BrokerGone(f"the NATS at {connection.name} does not answer", hint=START)


def _facts(message: Msg) -> list[str]:
    """How often a message was given out, its sequence in the stream and in the group, its nanoseconds, and what else there is.

    All of it stands where an answer goes: $JS.ACK.[domain.account.]stream.consumer.attempts.sequence.….nanoseconds.…
    """
    words = message.reply.split(".")
    return words[4 if len(words) == 9 else 6 :]


def _longest(lines: pa.LargeBinaryArray) -> int:
    return int(pc.max(pc.binary_length(lines)).as_py() or 0)


def _acknowledge(connection: Connection, replies: list[str]) -> None:
    """The server answers to the last, once it has taken them all."""
    inbox = f"{connection.inbox}.{secrets.token_hex(4)}"
    done = [*(Sent(reply) for reply in replies[:-1]), Sent(replies[-1], reply=inbox)]
    found = connection.exchange(done, lambda message: message.subject == inbox)
    if not found or found[-1].subject != inbox:
        raise BrokerGone(f"the NATS at {connection.name} does not answer", hint=START)


def _slices(lines: list[bytes]) -> Iterator[tuple[int, int]]:
    """Rows that have about `AHEAD` bytes together."""
    start, size = 0, 0
    for row, line in enumerate(lines):
        size += len(line)
        if size >= AHEAD or row == len(lines) - 1:
            yield start, row + 1
            start, size = row + 1, 0


def _client(place: Place, opening: Opening) -> Client:
    return Client(Address(place.url, tls="tls" in place.options), opening.patience)


def _groups(place: Place, opening: Opening) -> list[Group]:
    subject, client = subject_of(place, written=False), _client(place, opening)
    try:
        return client(lambda one: groups_of(one, subject, place.options.get("stream", "")))
    finally:
        client.close()


def _tail(place: Place, opening: Opening, last: int) -> Iterator[bytes]:
    """In no group. A stream that is not there yet is waited for."""
    subject, named = subject_of(place, written=False), place.options.get("stream", "")
    client, at = _client(place, opening), -last
    try:
        while True:
            at, found = client(partial(messages_of, subject=subject, name=named, at=at))
            yield from found
            if not found:
                time.sleep(NAP)
    finally:
        client.close()


def _beside(place: Place) -> str:
    """The subject with `.dead` behind it; of many subjects, one that is none of them: their letters would be read again."""
    subject = subject_of(place, written=False)
    plain = subject.split("*")[0].split(">")[0].rstrip(".")
    beside = f"{subject}.dead" if plain == subject else f"{plain}-dead"
    if not plain or covers(subject, beside):
        raise InputError(f"dead letters beside {subject} would be read as messages", hint="say where they go with --dead")
    return place.url._replace(path=f"/{beside}", query="tls" if "tls" in place.options else "").geturl()


SCHEME = Scheme(
    FORM,
    ("stream", "tls"),
    ("stream", "tls"),
    source=NatsSource,
    sink=NatsSink,
    dead=lambda place, opening: NatsSink(place, opening, letters=True),
    groups=_groups,
    beside=_beside,
    tail=_tail,
)
