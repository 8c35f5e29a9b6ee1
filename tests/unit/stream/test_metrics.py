"""What Prometheus reads of a worker."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.request import urlopen

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from cauce.errors import BadSetting, BrokerGone, InUse
from cauce.model.model import echo_model
from cauce.settings import Stream
from cauce.stream.brokers.memory import MemorySink, MemorySource, Topic
from cauce.stream.metrics import Lag, Metrics, Server, read
from cauce.stream.places import joined
from cauce.stream.schemes import Group
from cauce.stream.worker import Worker


def samples(text: str) -> dict[str, float]:
    """The numbers of a page, by name and labels."""
    found = {}
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            labels = ",".join(one.labels.values())
            found[f"{one.name}{{{labels}}}" if labels else one.name] = one.value
    return found


def worked(topic: Topic) -> Metrics:
    source, sink, dead = MemorySource(topic, ends=True), MemorySink(), MemorySink()
    worker = Worker(echo_model, source, sink, joined(source, sink, dead), Stream(max_batch=100))
    metrics = Metrics(worker.counts)
    worker.watch.append(metrics)
    worker.run(threading.Event())
    return metrics


def test_what_became_of_messages_and_how_long_it_took_is_there() -> None:
    topic, hour_ago = Topic(), (datetime.now(UTC) - timedelta(hours=1, minutes=1)).isoformat()
    for n in range(250):
        topic.put(json.dumps({"id": n, "text": "hola", **({"created_at": hour_ago} if n % 2 else {})}).encode())
    topic.put(b'{"id": 3, "text": "hola"}')
    topic.put(b"no message")
    topic.put(b'{"id": 999, "text": ""}')
    found = samples(generate_latest(worked(topic).registry).decode())
    assert found["cauce_stream_messages_total"] == 253
    assert found["cauce_stream_results_total"] == 250
    assert found["cauce_stream_duplicates_total"] == 1
    assert (found["cauce_stream_dead_total{not_json}"], found["cauce_stream_dead_total{empty_text}"]) == (1, 1)
    assert found["cauce_stream_redelivered_total"] == found["cauce_stream_swaps_total"] == 0
    assert found["cauce_stream_batch_messages_sum"] == 253
    assert found["cauce_stream_batch_messages_count"] == found["cauce_stream_model_seconds_count"] >= 3
    assert found["cauce_stream_received_scored_seconds_count"] == 250
    assert found["cauce_stream_received_scored_seconds_bucket{+Inf}"] == 250
    assert found["cauce_stream_created_scored_seconds_count"] == 125
    assert found["cauce_stream_created_scored_seconds_bucket{3600.0}"] == 0
    assert found["cauce_stream_created_scored_seconds_bucket{21600.0}"] == 125
    echo = echo_model()
    assert found[f"cauce_model_info{{{echo.name},{echo.variant},{echo.version[:12]}}}"] == 1


def lag(groups: Callable[[], list[Group]]) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(Lag(groups, "mine"))
    return registry


def test_how_far_the_group_is_behind_is_there_and_no_other_s() -> None:
    registry = lag(lambda: [Group("other", 99, 9.0), Group("mine", 7, 1.5, held=3)])
    expected = {"cauce_stream_held_messages": 3, "cauce_stream_lag_messages": 7, "cauce_stream_lag_seconds": 1.5}
    assert samples(generate_latest(registry).decode()) == expected


def test_a_broker_that_does_not_answer_holds_no_reader_up_and_leaves_a_gap() -> None:
    answer, asked = threading.Event(), list[float]()

    def look() -> list[Group]:
        asked.append(time.monotonic())
        answer.wait(30)
        raise BrokerGone("gone")

    registry, began = lag(look), time.monotonic()
    assert samples(generate_latest(registry).decode()) == {}
    assert samples(generate_latest(registry).decode()) == {}
    assert time.monotonic() - began < 10
    assert len(asked) == 1  # not once for each reader
    answer.set()


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("9100", ("127.0.0.1", 9100)),
        (":9100", ("127.0.0.1", 9100)),
        ("0.0.0.0:9100", ("0.0.0.0", 9100)),
        ("[::1]:9100", ("::1", 9100)),
    ],
)
def test_a_port_alone_is_of_this_machine_alone(address: str, place: tuple[str, int]) -> None:
    assert read(address) == place


@pytest.mark.parametrize("address", ["here", "host:", "host:x", "70000", "-1", "host:９１", ""])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(BadSetting, match="no place for metrics"):
        read(address)


def test_the_page_is_served_and_a_port_that_is_taken_is_said() -> None:
    metrics = worked(Topic())
    server = Server("0", metrics.registry)
    with urlopen(server.url) as answer:
        assert samples(answer.read().decode())["cauce_stream_messages_total"] == 0
    port = int(server.url.split(":")[2].split("/")[0])
    with pytest.raises(InUse, match="taken"):
        Server(str(port - 1), metrics.registry, number=2)  # the second worker has the next port
    server.close()
