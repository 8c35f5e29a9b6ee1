"""The brokers of the benchmark: filled, and looked at from outside."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import nats
import redis
from confluent_kafka import Consumer, Producer, TopicPartition

HERE = Path(__file__).parent


class Redis:
    """The Redis that is here."""

    name, raw, scored = "Redis", "bench:raw", "bench:scored"
    address = "redis://localhost/{}"

    def __init__(self) -> None:
        self.client = redis.Redis()

    def loop(self, count: int, *model: str) -> list[str]:
        """The command of the plain loop."""
        return [str(HERE / "redis_loop.py"), self.raw, self.scored, str(count), *model]

    def fill(self, messages: Iterator[dict[str, str]]) -> None:
        """Add messages."""
        together = self.client.pipeline(transaction=False)
        for one in messages:
            together.xadd(self.raw, {"data": json.dumps(one)})
            if len(together) == 1000:
                together.execute()
        together.execute()

    def done(self) -> int:
        """How many results there are."""
        return int(self.client.xlen(self.scored))

    def clear(self) -> None:
        """Delete all."""
        self.client.delete(self.raw, self.scored, f"{self.raw}:dead")
        keys = list(self.client.scan_iter(f"{self.scored}:seen:*", count=10_000))
        for start in range(0, len(keys), 10_000):
            self.client.unlink(*keys[start : start + 10_000])

    def close(self) -> None:
        """Leave nothing."""
        self.clear()


class Nats:
    """The NATS that is here."""

    name, raw, scored = "NATS", "bench-raw", "bench-scored"
    address = "nats://127.0.0.1/{}"

    def loop(self, count: int) -> list[str]:
        """The command of the plain loop."""
        return [str(HERE / "nats_loop.py"), self.raw, self.scored, str(count)]

    def fill(self, messages: Iterator[dict[str, str]]) -> None:
        """Add messages."""

        async def do(stream: Any) -> None:
            await stream.add_stream(name=self.raw, subjects=[self.raw])
            await asyncio.gather(*[await stream.publish_async(self.raw, json.dumps(one).encode()) for one in messages])

        self._do(do)

    def done(self) -> int:
        """How many results there are."""

        async def do(stream: Any) -> int:
            with suppress(nats.js.errors.NotFoundError):
                return int((await stream.stream_info(self.scored)).state.messages)
            return 0

        return int(self._do(do))

    def clear(self) -> None:
        """Delete all."""

        async def do(stream: Any) -> None:
            for name in (self.raw, self.scored, f"{self.raw}_dead"):
                with suppress(nats.js.errors.NotFoundError):
                    await stream.delete_stream(name)

        self._do(do)

    def close(self) -> None:
        """Leave nothing."""
        self.clear()

    def _do(self, work: Any) -> Any:
        async def run() -> Any:
            client = await nats.connect("nats://127.0.0.1:4222")
            try:
                return await work(client.jetstream(publish_async_max_pending=100_000))
            finally:
                await client.close()

        return asyncio.run(run())


class Kafka:
    """librdkafka's brokers for tests, new for each run: they keep little."""

    name, raw, scored = "Kafka (brokers for tests)", "raw", "scored"

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._start()

    def _start(self) -> None:
        broker = [sys.executable, str(HERE / "kafka_broker.py")]
        self._process = subprocess.Popen(broker, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.hosts = self._process.stdout.readline().strip()
        self.address = f"kafka://{self.hosts}/{{}}"
        self._reader = Consumer({"bootstrap.servers": self.hosts, "group.id": "bench", "log_level": 0})

    def loop(self, count: int) -> list[str]:
        """The command of the plain loop."""
        return [str(HERE / "kafka_loop.py"), self.hosts, self.raw, self.scored, str(count)]

    def fill(self, messages: Iterator[dict[str, str]]) -> None:
        """Add messages."""
        writer = Producer({"bootstrap.servers": self.hosts, "log_level": 0})
        writer.list_topics(self.scored, timeout=10)  # that makes it
        for one in messages:
            writer.produce(self.raw, json.dumps(one).encode(), one["id"])
        writer.flush()
        writer.close()

    def done(self) -> int:
        """How many results there are."""
        partitions = self._reader.list_topics(self.scored, timeout=10).topics[self.scored].partitions
        return sum(self._reader.get_watermark_offsets(TopicPartition(self.scored, one), timeout=10)[1] for one in partitions)

    def clear(self) -> None:
        """Begin anew."""
        self.close()
        self._start()

    def close(self) -> None:
        """Leave nothing."""
        self._reader.close()
        assert self._process is not None
        self._process.kill()
        self._process.communicate()
        time.sleep(0.1)
