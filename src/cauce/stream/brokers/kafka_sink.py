"""Results and dead letters into a topic of Kafka's."""

from __future__ import annotations

from collections.abc import Iterable

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from cauce.errors import CauceError
from cauce.stream.brokers.kafka_cluster import ASKED, READER, Cluster
from cauce.stream.dedupe import Recent
from cauce.stream.records import Records
from cauce.stream.results import Results

LAST = 100_000  # records at the end of a topic whose keys are read
CUT = 1000  # characters that are kept of a text in a record that is too large


class KafkaSink:
    """Adds to a topic. All revisions of one thing have one key, its `id`: they lie in one partition, in their order.

    Args:
        room: bytes of a batch; twice as many may be on their way.

    """

    def __init__(self, cluster: Cluster, topic: str, room: int) -> None:
        self._cluster, self._topic = cluster, topic
        cluster.partitions(topic)
        config = {
            "enable.idempotence": True,
            "acks": "all",
            "partitioner": "murmur2_random",  # as other Kafka clients do, so that topics can be joined
            "message.timeout.ms": 0,  # none: `flush` knows how long is waited
            "queue.buffering.max.messages": 1_000_000,
            "queue.buffering.max.kbytes": max(2 * room // 1024, 1),
            "delivery.report.only.error": True,
            "on_delivery": self._delivered,
        }
        self._producer: Producer = cluster.client(Producer, config)
        self._failed: KafkaError | None = None
        self._read: dict[int, int] = {}

    def write(self, records: Records) -> None:
        """Send; waits where too much is on its way."""
        names = pc.coalesce(records.messages.ids, records.keys) if isinstance(records, Results) else records.keys
        for name, key, line in zip(names.to_pylist(), records.keys.to_pylist(), records.lines.to_pylist(), strict=True):
            self._send(name, key, line)

    def due(self) -> bool:
        """Always: nothing is gained by waiting."""
        return True

    def flush(self) -> None:
        """Wait until the brokers have all of it."""
        self._cluster.patience(self._sent)
        if self._failed is not None:
            raise self._cluster.error(self._failed, self._topic)

    def recent(self) -> Iterable[str]:
        """Keys at the topic's end; when asked again, those that came since."""
        return self._cluster.patience(self._read_back)

    def close(self) -> None:
        """Let go of what is on its way."""
        self._producer.purge()
        self._producer.flush(ASKED)

    def _send(self, name: str, key: str, line: bytes) -> None:
        short = False
        while True:
            try:
                return self._producer.produce(self._topic, line, name, headers=[("key", key)])
            except BufferError:
                self._cluster.patience(self._less)
            except KafkaException as error:
                if short or error.args[0].code() != KafkaError.MSG_SIZE_TOO_LARGE:
                    raise self._cluster.error(error.args[0], self._topic) from None
                line, name, short = _shortened(line), key, True

    def _less(self) -> None:
        if not self._producer.poll(ASKED):
            raise self._stuck()

    def _sent(self) -> None:
        left = len(self._producer)
        while left and (still := self._producer.flush(ASKED)) < left:
            left = still
        if left:
            raise self._stuck()

    def _stuck(self) -> CauceError:
        return self._cluster.error(KafkaError(KafkaError._TIMED_OUT), self._topic)

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        """Only called for what failed, and what failed is not sent again by the library."""
        self._failed = self._failed or error

    def _read_back(self) -> list[str]:
        reader: Consumer = self._cluster.client(Consumer, {**READER, "group.id": "cauce", "enable.partition.eof": True})
        try:
            keys, read = list[str](), dict[int, int]()
            behind = self._unread(reader)
            reader.assign(behind)
            open_ = {one.partition for one in behind}
            while open_ and len(keys) < 2 * LAST:  # others go on writing
                first = reader.consume(1, ASKED)
                if not first:
                    raise self._stuck()
                for one in first + reader.consume(LAST, 0):
                    if (error := one.error()) is None:
                        read[one.partition()] = one.offset() + 1  # type: ignore[index, operator]
                        if isinstance(key := dict(one.headers() or {}).get("key"), bytes):
                            keys.append(key.decode(errors="replace"))
                    elif error.code() == KafkaError._PARTITION_EOF:
                        open_.discard(one.partition())
                    else:
                        raise self._cluster.error(error, self._topic)
            self._read |= read
            return keys
        finally:
            reader.close()

    def _unread(self, reader: Consumer) -> list[TopicPartition]:
        """Partitions that have records which were not read, and where to begin."""
        partitions = self._cluster.partitions(self._topic)
        found = []
        for one in partitions:
            first, end = self._cluster.span(reader, self._topic, one)
            start = max(first, end - LAST // len(partitions), self._read.get(one, 0))
            if start < end:
                found.append(TopicPartition(self._topic, one, start))
        return found


class KafkaLetters(KafkaSink):
    """Dead letters: no worker asks for their keys, so it is looked here which are at the topic's end already."""

    _known: Recent | None = None

    def write(self, records: Records) -> None:
        """Send those that are not there."""
        if self._known is None:
            self._known = Recent()
            self._known.add(self.recent())
        keys = records.keys.to_pylist()
        rows = pa.array([row for row, key in enumerate(keys) if key not in self._known], pa.int64())
        super().write(Records(records.keys.take(rows), records.lines.take(rows)))
        self._known.add(keys)


def _shortened(line: bytes) -> bytes:
    """A record without what made it too large: long texts are cut, other long values left out. It says so: `cut`."""
    document = {}
    for name, value in orjson.loads(line).items():
        if isinstance(value, str):
            document[name] = value[:CUT]
        elif len(orjson.dumps(value)) <= CUT:
            document[name] = value
    return orjson.dumps(document | {"cut": True})
