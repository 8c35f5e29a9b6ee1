"""What Prometheus reads, of a real server that was asked a known few things."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from serving import Server, serving

Page = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(scope="module")
def page(folders: dict[str, Path]) -> Iterator[Page]:
    """The page after four requests."""
    with serving("echo", f"tags={folders['tags']}", f"vectors={folders['vectors']}") as server:
        server.post("/v1/predict", {"rows": ["banana", "aaaa", "xyz", ""]})
        server.post("/v1/predict", {"text": "banana"})
        server.post("/v1/predict", {"nothing": 1})
        server.post("/v1/embed", {"rows": ["one", "one two", "one two three"] * 5, "model": "vectors"})
        yield read(server)


def read(server: Server) -> Page:
    text = server.get("/metrics").body.decode()
    return {
        (sample.name, frozenset((name, value) for name, value in sample.labels.items() if name != "version")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def found(page: Page, name: str, **labels: str) -> float:
    return page[name, frozenset(labels.items())]


def test_rows_are_counted_by_label_and_by_what_was_wrong(page: Page) -> None:
    assert found(page, "cauce_rows_total", model="echo") == 5
    assert found(page, "cauce_labels_total", model="echo", label="many_a") == 3
    assert found(page, "cauce_labels_total", model="echo", label="few_a") == 1
    assert found(page, "cauce_row_errors_total", model="echo") == 1
    assert found(page, "cauce_best_score_count", model="echo") == 4


def test_requests_are_counted_by_address_and_status_and_those_answered_are_timed(page: Page) -> None:
    assert found(page, "cauce_requests_total", path="/v1/predict", status="200") == 2
    assert found(page, "cauce_requests_total", path="/v1/predict", status="422") == 1
    assert found(page, "cauce_rejected_total", code="unknown_name") == 1
    assert found(page, "cauce_request_seconds_count", path="/v1/predict") == 2
    assert found(page, "cauce_request_seconds_bucket", path="/v1/predict", le="30.0") == 2
    assert 0 < found(page, "cauce_request_seconds_sum", path="/v1/predict") < 60


def test_a_histogram_only_grows_from_bucket_to_bucket(page: Page) -> None:
    buckets = sorted(
        (float(dict(labels)["le"]), value)
        for (name, labels), value in page.items()
        if name == "cauce_best_score_bucket" and ("model", "echo") in labels
    )
    assert [value for _, value in buckets] == sorted(value for _, value in buckets)
    assert buckets[-1] == (float("inf"), 4)


def test_tokens_are_told_with_and_without_what_fills_texts_up(page: Page) -> None:
    tokens, padded = (found(page, f"cauce_{kind}_total", model="vectors") for kind in ("tokens", "padded_tokens"))
    assert 0 < tokens < padded
    assert found(page, "cauce_tokenize_seconds_sum", model="vectors") > 0


def test_several_labels_of_a_row_are_each_counted(folders: dict[str, Path]) -> None:
    with serving(f"tags={folders['tags']}") as server:
        rows = [{"title": "camisa nueva", "body": f"{size} libros", "color": "red"} for size in range(9)]
        answers = server.post("/v1/predict", {"rows": rows}).json["predictions"]
        counted = {
            dict(labels)["label"]: value for (name, labels), value in read(server).items() if name == "cauce_labels_total"
        }
        given = [label for one in answers for label in one["labels"]]
        assert {label: value for label, value in counted.items() if value} == {label: given.count(label) for label in given}
