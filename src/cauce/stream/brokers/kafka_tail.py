"""What is written to a topic of Kafka, as it comes, in no group: nobody gets a message less for it."""

from __future__ import annotations

from collections.abc import Iterator

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from cauce.stream.brokers.kafka_cluster import READER, cluster_of
from cauce.stream.schemes import Opening, Place

AT_ONCE = 500  # messages that are taken over together
NAP = 0.5  # seconds that one is waited for at a time


def tail(place: Place, opening: Opening, last: int) -> Iterator[bytes]:
    """The last messages of all partitions together, the oldest first, then those that come.

    Raises:
        InputError: there is no such topic.
        AccessDenied, BrokerGone

    """
    cluster, topic = cluster_of(place, opening), place.path
    reader: Consumer = cluster.client(Consumer, {**READER, "group.id": "cauce", "enable.partition.eof": True})
    try:
        begin = list[TopicPartition]()
        for partition in cluster.partitions(topic):
            first, end = cluster.span(reader, topic, partition)
            begin.append(TopicPartition(topic, partition, max(first, end - last)))
        reader.assign(begin)
        before, open_ = list[Message](), set[int | None](one.partition for one in begin)
        while open_:  # a broker may take its time, and offsets have gaps: a partition is read when its end was met
            found = _taken(reader)
            for one in found:
                if (error := one.error()) is None:
                    before.append(one)
                elif error.code() == KafkaError._PARTITION_EOF:
                    open_.discard(one.partition())
            if not found:
                cluster.check(topic)
        before.sort(key=lambda one: one.timestamp()[1])
        for one in before[max(0, len(before) - last) :]:
            yield one.value() or b""
        while True:
            for one in _taken(reader):
                if one.error() is None:
                    yield one.value() or b""
            cluster.check(topic)
    finally:
        reader.close()


def _taken(reader: Consumer) -> list[Message]:
    """What is there, once there is something: messages, and errors such as the end of a partition."""
    found = reader.consume(1, NAP)
    return [*found, *(reader.consume(AT_ONCE, 0) if found else ())]
