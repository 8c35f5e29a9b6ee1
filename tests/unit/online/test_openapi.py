"""The description of the addresses is right: what it allows is answered, what it does not is refused, answers fit it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance
from serving import Server, serving

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
TEXTS, ORDERS = "/v1/predict", "/v1/models/orders/predict"


@pytest.fixture(scope="module")
def server(task_folders: dict[str, Path]) -> Iterator[Server]:
    """A model of one text, and one of several columns."""
    with serving(f"texts={task_folders['one text']}", f"orders={task_folders['mixed']}") as server:
        yield server


def asked(server: Server, path: str, mode: GenerationMode, examples: int) -> dict[int, list[tuple[Any, Any]]]:
    """The bodies that were sent and those that came back, by status."""
    operation = schemathesis.openapi.from_url(f"{server.url}/openapi.json")[path]["POST"]
    found: dict[int, list[tuple[Any, Any]]] = {}

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def ask(data: Any) -> None:
        case = data.draw(operation.as_strategy(generation_mode=mode))
        answer = case.call_and_validate(checks=CHECKS)
        found.setdefault(answer.status_code, []).append((case.body, answer.json()))

    ask()
    return found


def test_what_the_description_allows_is_answered(server: Server) -> None:
    found = asked(server, TEXTS, GenerationMode.POSITIVE, 40)
    blank = [told["code"] for _, told in found.pop(422, [])]  # white space to us, and none to JSON Schema
    assert set(blank) <= {"empty_text", "invalid_utf8"}
    assert found.keys() <= {200, 404}, found  # no such model or version is served
    assert 200 in found


def test_what_the_description_forbids_is_refused_or_is_an_error_of_its_row(server: Server) -> None:
    found = asked(server, TEXTS, GenerationMode.NEGATIVE, 40)
    for body, told in found.pop(200, []):
        assert any("error" in one for one in told["predictions"]), body
    assert all(400 <= status < 500 for status in found), found


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_rows_of_several_columns_are_answered_or_told_what_is_wrong(server: Server, mode: GenerationMode) -> None:
    """Their values are read as those of a file are: "12" is a number."""
    found = asked(server, ORDERS, mode, 30)
    assert found.keys() <= {200, 400, 404, 422}, found
    assert mode is GenerationMode.NEGATIVE or 200 in found


def test_the_examples_of_the_description_work(server: Server) -> None:
    told = server.get("/openapi.json").json
    assert told["openapi"].startswith("3.1")
    for path, address in told["paths"].items():
        body = address["post"]["requestBody"]["content"]["application/json"]["example"]
        assert server.post(path, body).status == 200
