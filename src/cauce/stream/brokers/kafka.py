"""`kafka://`: topics with consumer groups. Offsets are committed after the output, so nothing is lost.

A result may be in a topic twice after a crash, or when partitions change hands: a topic knows no keys. Both have the same key,
in the header `key`, and a worker that starts leaves out what is at the topic's end already.

Nothing may fork once there is a client: its threads would be missing in the child.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress

import orjson
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from cauce.errors import BrokerGone
from cauce.stream.brokers.kafka_cluster import ASKED, LOG, OPTIONS, READER, Cluster, cluster_of
from cauce.stream.brokers.kafka_sink import KafkaLetters, KafkaSink
from cauce.stream.brokers.kafka_tail import tail
from cauce.stream.brokers.offsets import Offsets
from cauce.stream.deliveries import Deliveries
from cauce.stream.schemes import Group, Opening, Place, Scheme

LULL = 2.0  # seconds without a fetch after which a source says by itself that it is there
JOINS = 10.0  # seconds that a new worker waits for its part, so that no messages means that there are none
ABSENT = 300.0  # seconds after which a process that runs, but says nothing, is put out of the group

# A commit meets these while partitions change hands. What stays here is committed with the next messages, or in a pause.
MOVING = (
    KafkaError.REBALANCE_IN_PROGRESS, KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError._ASSIGNMENT_LOST,
)  # fmt: skip
PASSING = (KafkaError._PARTITION_EOF, KafkaError._MAX_POLL_EXCEEDED)  # not wrong, or mended by the next call


class KafkaSource:
    """Reads a topic as one of a group. A group that is new begins at the topic's first message.

    Kafka counts no deliveries: each message is given out as if for the first time, but for the first one of a partition that
    another worker had. It may have been given out before, so the worker looks which results are there.

    Args:
        takeover: seconds after which the partitions of a dead worker go to others.
        room: bytes that are fetched ahead.
        absent: seconds after which a process that runs, but says nothing, is put out of the group.

    """

    ended = False

    def __init__(self, cluster: Cluster, topic: str, group: str, takeover: float, room: int, *, absent: float = ABSENT) -> None:
        self._cluster, self._topic = cluster, topic
        cluster.partitions(topic)
        session = int(takeover * 1000)
        config = {
            "group.id": group,
            "partition.assignment.strategy": "cooperative-sticky",
            **READER,
            "session.timeout.ms": session,
            "heartbeat.interval.ms": max(session // 3, 1),
            "max.poll.interval.ms": max(int(absent * 1000), session),
            "queued.max.messages.kbytes": max(room // 1024, 1),
            "fetch.queue.backoff.ms": 20,  # a second, if not set: who reads faster than that would wait
        }
        self._consumer: Consumer = cluster.client(Consumer, config)
        self._left: list[Message] = []  # there was no room for these, or nobody asked
        self._offsets = Offsets()
        self._polls, self._lock = threading.Lock(), threading.Lock()  # of who polls, and of `_offsets`
        self._asked, self._paused, self._closed = time.monotonic(), False, threading.Event()
        self._joined, self._new = False, set[int]()  # partitions that somebody else may have read just before
        self._consumer.subscribe([topic], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)
        while not self._joined and time.monotonic() < self._asked + JOINS:
            self._poll(1, 0.1)
        self._thread = threading.Thread(target=self._stay, name=f"stay {topic}", daemon=True)
        self._thread.start()

    def fetch(self, most: int, room: int, wait: float) -> Deliveries | None:
        """The next messages."""
        with self._polls:
            if self._closed.is_set():
                return None
            if self._paused:
                self._consumer.resume(self._consumer.assignment())
            if not self._left:
                self._poll(1, wait)  # for more than one it would wait until all are there
            if self._left:
                self._poll(most - len(self._left), 0)
            self._asked = time.monotonic()
            given = self._given(most, room)
            self._paused = given is None  # a partition that was paused when it was lost comes back paused
        if given is None:
            self._cluster.check(self._topic)
            self._commit()
        return given

    def acknowledge(self, places: Sequence[str]) -> None:
        """Commit up to where all is acknowledged."""
        with self._lock:
            self._offsets.finish(places)
        self._commit()

    def close(self) -> None:
        """Leave the group."""
        self._closed.set()
        self._thread.join()
        with self._polls:
            self._consumer.close()

    def _poll(self, most: int, wait: float) -> None:
        """Take messages over from the library. Partitions may change hands meanwhile."""
        if most > 0:
            found = self._consumer.consume(most, wait)
            self._left += found

    def _given(self, most: int, room: int) -> Deliveries | None:
        """The first messages that are left; for the others there is no room."""
        data, taken, times, attempts, now = list[bytes](), list[tuple[int, int]](), list[float](), list[int](), time.time()
        count, own = 0, self._offsets.partitions
        for one in self._left:
            if len(data) == most or (data and room <= 0):
                break
            count += 1
            if (error := one.error()) is not None:
                self._fail(error)
            elif (partition := one.partition()) in own:
                value = one.value()
                data.append(_tombstone(one.key()) if value is None else value)
                room -= len(data[-1])
                taken.append((partition, one.offset()))  # type: ignore[arg-type]
                at = one.timestamp()[1]
                times.append(at / 1000 if at > 0 else now)
                attempts.append(1 + (partition in self._new))
                self._new.discard(partition)
        del self._left[:count]
        if not data:
            return None
        with self._lock:
            places = self._offsets.give(taken)
        return Deliveries.of(f"kafka:{self._topic}", data, places, attempts=attempts, received=times)

    def _fail(self, error: KafkaError) -> None:
        """Raise what does not mend itself."""
        if error.code() in PASSING:
            return
        found = self._cluster.error(error, self._topic)
        if not isinstance(found, BrokerGone):
            raise found
        LOG.warning("%s", found)

    def _commit(self) -> None:
        if self._offsets.due() and not self._closed.is_set():
            self._cluster(self._commit_once)

    def _commit_once(self) -> None:
        with self._lock:  # of two commits the later must not arrive first
            asked = [TopicPartition(self._topic, partition, offset) for partition, offset in self._offsets.due().items()]
            try:
                answers = self._consumer.commit(offsets=asked, asynchronous=False) if asked else []
            except KafkaException as error:
                if error.args[0].code() not in MOVING:
                    raise
                return
            for one in answers:
                if one.error is None:
                    self._offsets.keep(one.partition, one.offset)

    def _assigned(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        if self._joined:
            self._new |= {one.partition for one in partitions}
        self._joined = True
        with self._lock:
            self._offsets.begin(one.partition for one in partitions)

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        with suppress(KafkaException):  # what is not committed is given out again
            self._commit_once()
        self._lost(consumer, partitions)

    def _lost(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        gone = {one.partition for one in partitions}
        self._left = [one for one in self._left if one.partition() not in gone]
        with self._lock:
            self._offsets.drop(gone)

    def _stay(self) -> None:
        """Answer the group while nobody fetches, because the model takes its time. Meanwhile nothing is fetched ahead."""
        while not self._closed.wait(LULL / 4):
            with self._polls, suppress(KafkaException):
                if time.monotonic() - self._asked >= LULL:
                    self._consumer.pause(self._consumer.assignment())
                    self._paused = True
                    self._poll(1, 0)


def _tombstone(key: bytes | None) -> bytes:
    """The message of a record without a value: with a key it says that what the key names is gone."""
    with suppress(UnicodeDecodeError):
        if key:
            return orjson.dumps({"id": key.decode(), "op": "delete"})
    return b""


def _source(place: Place, opening: Opening) -> KafkaSource:
    settings = opening.settings
    return KafkaSource(cluster_of(place, opening), place.path, settings.group, settings.takeover, settings.max_bytes)


def _sink(place: Place, opening: Opening) -> KafkaSink:
    return KafkaSink(cluster_of(place, opening), place.path, opening.settings.max_bytes)


def _dead(place: Place, opening: Opening) -> KafkaLetters:
    return KafkaLetters(cluster_of(place, opening), place.path, opening.settings.max_bytes)


def _groups(place: Place, opening: Opening) -> list[Group]:
    """The group of the settings. What it holds counts as waiting: brokers do not know about it."""
    cluster, topic, name = cluster_of(place, opening), place.path, opening.settings.group
    partitions = [TopicPartition(topic, one) for one in cluster.partitions(topic)]
    reader: Consumer = cluster.client(Consumer, {**READER, "group.id": name})
    try:
        waiting, heads = 0, list[TopicPartition]()
        for one in cluster(lambda: reader.committed(partitions, timeout=ASKED)):
            first, end = cluster.span(reader, topic, one.partition)
            at = max(first, one.offset)  # below 0 where nothing was committed
            if at < end:
                waiting += end - at
                heads.append(TopicPartition(topic, one.partition, at))
        reader.assign(heads)
        return [Group(name, waiting, _oldest(reader, len(heads)), workers=cluster.workers(name))]
    finally:
        reader.close()


def _oldest(reader: Consumer, partitions: int) -> float | None:
    """Age in seconds of the oldest message among the first of each partition."""
    first, until = dict[int | None, int](), time.monotonic() + ASKED
    while len(first) < partitions and time.monotonic() < until:
        for one in reader.consume(1, 0.1) + reader.consume(10_000, 0):
            if one.error() is None:
                first.setdefault(one.partition(), one.timestamp()[1])
    return round(time.time() - min(first.values()) / 1000, 3) if first else None


def _beside(place: Place) -> str:
    return place.url._replace(path=f"{place.url.path}.dead").geturl()


SCHEME = Scheme(
    "kafka://host:9092/topic",
    OPTIONS,
    OPTIONS,
    source=_source,
    sink=_sink,
    dead=_dead,
    groups=_groups,
    beside=_beside,
    tail=tail,
)
