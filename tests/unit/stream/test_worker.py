"""The worker between its ends: swaps of the model, redelivered messages, keys."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

import cauce
from cauce.model.model import Model, echo_model
from cauce.settings import Stream
from cauce.stream.brokers.memory import MemorySink, MemorySource, Topic
from cauce.stream.places import joined
from cauce.stream.sinks.parts import JsonLines, Parts
from cauce.stream.worker import Counts, Worker


def topic_of(count: int, attempts: int = 1) -> Topic:
    topic = Topic()
    for n in range(count):
        topic.put(json.dumps({"id": n, "text": f"número {n}"}).encode())
    topic.waiting.extend([(data, place, attempts - 1) for data, place, _ in [topic.waiting.popleft() for _ in range(count)]])
    return topic


def worked(
    topic: Topic, models: list[Model], sink: MemorySink, *, rescore: bool = False
) -> tuple[Counts, MemorySink, list[str]]:
    """Batches of ten, one for each of the models, the last for the rest."""
    source, dead, told = MemorySource(topic, ends=True), MemorySink(), list[str]()
    model = iter(models)
    last = models[-1]
    worker = Worker(
        lambda: next(model, last),
        source,
        sink,
        joined(source, sink, dead),
        Stream(max_batch=10),
        rescore=rescore,
        tell=told.append,
    )
    return worker.run(threading.Event()), dead, told


def test_a_model_is_swapped_between_two_batches(model_folder: Path) -> None:
    echo, other, sink = echo_model(), cauce.load(model_folder), MemorySink()
    counts, _, told = worked(topic_of(50), [echo, other, other, echo], sink)
    assert (counts.read, counts.out, counts.swaps) == (50, 50, 2)
    assert [one["version"] for one in sink.documents[::10]] == [one.version for one in (echo, other, other, echo, echo)]
    assert [other.version[:12] in line for line in told] == [True, True]


def test_another_version_s_answer_is_another_result_only_where_that_was_asked_for(model_folder: Path) -> None:
    for rescore, expected in ((False, 10), (True, 20)):
        sink = MemorySink()
        worked(topic_of(10), [echo_model()], sink, rescore=rescore)
        worked(topic_of(10), [cauce.load(model_folder)], sink, rescore=rescore)
        assert len(sink.documents) == expected


def test_a_message_that_came_too_often_is_dead() -> None:
    counts, dead, _ = worked(topic_of(3, attempts=6), [echo_model()], MemorySink())
    assert counts.dead == {"too_many_attempts": 3}
    assert [one["attempts"] for one in dead.documents] == [6, 6, 6]


@pytest.mark.parametrize(
    ("attempts", "most", "expected"),
    [
        pytest.param(2, 5, [1, 4], id="the second time in company"),  # the first message is fetched by itself
        pytest.param(3, 5, [1] * 5, id="the third time alone"),
        pytest.param(2, 2, [1] * 5, id="alone if there is no third time"),
    ],
)
def test_who_is_answered_with_one_that_came_again(attempts: int, most: int, expected: list[int]) -> None:
    sink, handled = MemorySink(), list[int]()
    again = MemorySource(topic_of(5, attempts=attempts), ends=True)
    worker = Worker(echo_model, again, sink, joined(again, sink, MemorySink()), Stream(max_attempts=most))
    worker.watch.append(lambda one: handled.append(len(one.deliveries)))
    worker.run(threading.Event())
    assert handled == expected
    assert len(sink.documents) == 5


@pytest.mark.parametrize(("attempts", "left"), [(2, ["1", "2"]), (3, ["2"])])
def test_what_came_before_one_that_may_have_killed_a_worker_is_safe(attempts: int, left: list[str], tmp_path: Path) -> None:
    topic = topic_of(3, attempts=attempts)  # the first is fetched by itself
    answering = iter([echo_model()] * (attempts - 1))

    def current() -> Model:
        for model in answering:
            return model
        raise MemoryError("the worker dies")

    source, sink = MemorySource(topic, ends=True), Parts(tmp_path, JsonLines, "jsonl", 60.0, 1000)
    with pytest.raises(MemoryError):
        Worker(current, source, sink, joined(source, sink, MemorySink()), Stream()).run(threading.Event())
    source.close()
    sink.close()
    assert [place for _, place, _ in topic.waiting] == left
