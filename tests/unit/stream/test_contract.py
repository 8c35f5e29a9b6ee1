"""Results first, then their acknowledgement, when it is time."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path

from cauce.model.model import echo_model
from cauce.settings import Stream
from cauce.stream.brokers.memory import MemorySink, MemorySource, Topic
from cauce.stream.places import joined
from cauce.stream.sinks.parts import JsonLines, Parts
from cauce.stream.worker import Worker


def test_a_part_is_not_finished_earlier_because_letters_go_elsewhere_at_once(tmp_path: Path) -> None:
    topic, out = Topic(), tmp_path / "out"
    for n in range(200):
        topic.put(json.dumps({"id": n, "text": "" if n % 10 == 7 else "hola"}).encode())
    source, sink, dead = MemorySource(topic, ends=True), Parts(out, JsonLines, "jsonl", 60.0, 100_000), MemorySink()
    Worker(echo_model, source, sink, joined(source, sink, dead), Stream(max_batch=10)).run(threading.Event())
    assert [len(part.read_bytes().splitlines()) for part in out.glob("part-*")] == [180]
    assert len(dead.documents) == 20


class Told(MemorySource):
    """Says what was acknowledged."""

    def __init__(self, topic: Topic) -> None:
        super().__init__(topic)
        self.done = threading.Event()

    def acknowledge(self, places: Sequence[str]) -> None:
        super().acknowledge(places)
        self.done.set()


def test_letters_alone_are_acknowledged_in_time(tmp_path: Path) -> None:
    topic = Topic()
    topic.put(b"not json")
    source, sink, stop = Told(topic), Parts(tmp_path, JsonLines, "jsonl", 60.0, 100_000), threading.Event()
    worker = Worker(echo_model, source, sink, joined(source, sink, MemorySink()), Stream())
    running = threading.Thread(target=worker.run, args=[stop])
    running.start()
    try:
        assert source.done.wait(10)
    finally:
        stop.set()
        running.join(10)
