"""What is written to a topic of Kafka, as it comes, in no group: nobody gets a message less for it."""

from __future__ import annotations

from collections.abc import Iterator

from confluent_kafka import Consumer, Message, TopicPartition

from cauce.stream.kafka_cluster import READER, cluster_of
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
    reader: Consumer = cluster.client(Consumer, {**READER, "group.id": "cauce"})
    try:
        left, begin = 0, list[TopicPartition]()
        for partition in cluster.partitions(topic):
            first, end = cluster.span(reader, topic, partition)
            begin.append(TopicPartition(topic, partition, max(first, end - last)))
            left += end - begin[-1].offset
        reader.assign(begin)
        before = list[Message]()
        while left > 0 and (found := _taken(reader)):
            before += found
            left -= len(found)
        before.sort(key=lambda one: one.timestamp()[1])
        for one in before[max(0, len(before) - last) :]:
            yield one.value() or b""
        while True:
            for one in _taken(reader):
                yield one.value() or b""
            cluster.check(topic)
    finally:
        reader.close()


def _taken(reader: Consumer) -> list[Message]:
    """What is there, once there is something."""
    found = reader.consume(1, NAP)
    return [one for one in [*found, *(reader.consume(AT_ONCE, 0) if found else ())] if one.error() is None]
