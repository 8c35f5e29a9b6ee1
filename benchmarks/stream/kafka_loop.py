"""The plain loop on Kafka: read, pass on, commit, two thousand at a time. `kafka_loop.py HOSTS RAW SCORED COUNT`."""

from __future__ import annotations

import json
import sys

from confluent_kafka import Consumer, Producer


def main() -> None:
    """Pass messages on."""
    hosts, raw, scored, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    config = {"bootstrap.servers": hosts, "group.id": "loop", "auto.offset.reset": "earliest", "enable.auto.commit": False}
    reader, writer = Consumer(config), Producer({"bootstrap.servers": hosts, "enable.idempotence": True})
    reader.subscribe([raw])
    done = 0
    while done < count:
        messages = reader.consume(2000, 0.05)
        for one in messages:
            writer.produce(scored, json.dumps(json.loads(one.value())).encode(), one.key())
        writer.flush()
        if messages:
            reader.commit(asynchronous=False)
        done += len(messages)
    reader.close()


if __name__ == "__main__":
    main()
