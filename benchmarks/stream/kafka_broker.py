"""Kafka's protocol from librdkafka's own brokers for tests, in a process of its own: says where they are, until stdin ends.

It keeps about 5 MB of a partition. Its speed is not that of a real Kafka; both sides of a comparison meet the same.
"""

from __future__ import annotations

import sys

from confluent_kafka import Producer


def main() -> None:
    """Start them, and wait."""
    config = {"bootstrap.servers": "-", "test.mock.num.brokers": 1, "log_level": 0}
    owner = Producer(config)  # they live as long as it does
    brokers = owner.list_topics(timeout=10).brokers.values()
    sys.stdout.write(",".join(f"{one.host}:{one.port}" for one in brokers) + "\n")
    sys.stdout.flush()
    sys.stdin.read()
    owner.close()


if __name__ == "__main__":
    main()
