"""The description of the addresses is right: what it allows is answered, what it does not is refused, answers fit it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance
from serving import Server, serving

from cauce.online.app import PROTOCOLS
from cauce.online.plane import Plane
from cauce.online.protocols import huggingface, kserve, mlflow, native, oip, openai, tei, torchserve
from cauce.online.routes import Route, Table
from cauce.online.served import Served

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
TEXTS, ORDERS = "/v1/predict", "/v1/models/orders/predict"
OF_OTHERS = (huggingface, tei, oip, kserve, torchserve, mlflow)  # their makers describe them


@pytest.fixture(scope="module")
def server(
    task_folders: dict[str, Path], write_encoder: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A model of one text, one of several columns, and one of vectors."""
    vectors = write_encoder(tmp_path_factory.mktemp("vectors") / "model", task="embedding")
    with serving(f"texts={task_folders['one text']}", f"orders={task_folders['mixed']}", f"vectors={vectors}") as server:
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


@pytest.mark.parametrize("path", ["/v1/embeddings", "/classify"])
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_what_openais_clients_send_is_answered_or_refused_in_their_shape(
    server: Server, path: str, mode: GenerationMode
) -> None:
    """A request that names no model asks the first, which has labels and no vectors."""
    found = asked(server, path, mode, 25)
    assert found.keys() <= {200, 400, 404, 422}, found
    assert all("error" in told for status, answers in found.items() if status != 200 for _, told in answers)
    assert (mode, path) != (GenerationMode.POSITIVE, "/classify") or 200 in found


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_rows_of_several_columns_are_answered_or_told_what_is_wrong(server: Server, mode: GenerationMode) -> None:
    """Their values are read as those of a file are: "12" is a number."""
    found = asked(server, ORDERS, mode, 30)
    assert found.keys() <= {200, 400, 404, 422}, found
    assert mode is GenerationMode.NEGATIVE or 200 in found


def test_the_examples_of_the_description_work(server: Server) -> None:
    told = server.get("/openapi.json").json
    assert told["openapi"].startswith("3.1")
    schema = schemathesis.openapi.from_dict(told)
    for path, address in told["paths"].items():
        body = address["post"]["requestBody"]["content"]["application/json"]["example"]
        case = schema[path]["POST"].Case(body=body, media_type="application/json")
        assert case.call_and_validate(base_url=server.url, checks=CHECKS).status_code == 200


def routes(*protocols: ModuleType) -> list[Route]:
    """Their addresses, which are the same whatever is served."""

    async def made() -> list[Route]:
        served = Served("echo")
        served.load()
        plane = Plane([served])
        try:
            return [route for protocol in protocols for route in protocol.routes(plane)]
        finally:
            await plane.close()

    return asyncio.run(made())


def test_every_address_is_described_but_those_of_others_protocols(server: Server) -> None:
    paths = server.get("/openapi.json").json["paths"]
    described = [(method.upper(), path) for path, known in paths.items() for method in known]
    ours = Table(routes(native, openai))
    assert all((found := ours.find(*one)) and found[0].method == one[0] for one in described)
    missing = {
        (route.method, route.path)
        for route in routes(*PROTOCOLS)
        if not any(method == route.method and Table([route]).find(method, path) for method, path in described)
    }
    assert missing == {(route.method, route.path) for route in routes(*OF_OTHERS)} | {("GET", "/")}  # which leads to /docs
