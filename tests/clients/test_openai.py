"""OpenAI's client: vectors, the list of models, and its own errors."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from serving import Server, overloaded, refused, serving

import cauce

TEXTS = ["Hola, ¿cómo estás?", "great", "no sé 😀 " * 40]
BEGIN = "import json, sys, openai; client = openai.OpenAI(base_url=sys.argv[1] + '/v1', api_key='none', max_retries=0)\n"
CAUGHT = """
try:
    {call}
except openai.APIStatusError as error:
    found.append([type(error).__name__, error.status_code, error.code, error.param, error.type, error.message])
"""

Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def server(encoder_folders: dict[str, Path]) -> Iterator[Server]:
    with serving(f"vectors={encoder_folders['vectors']}", f"labels={encoder_folders['onnx']}") as server:
        yield server


@pytest.fixture
def ask(client: Callable[[str], Ask], server: Server) -> Ask:
    """`ask(script, *arguments)`: the script has a `client` of this server."""
    openai = client("openai")
    return lambda script, *arguments: openai(BEGIN + script, server.url, *arguments)


@pytest.fixture(scope="module")
def expected(encoder_folders: dict[str, Path]) -> Any:
    """The model's own vectors, of the length 1."""
    vectors = np.array(cauce.load(encoder_folders["vectors"]).embed(TEXTS).to_pylist(), np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("form", ["", ", encoding_format='float'"])
def test_vectors(ask: Ask, expected: Any, form: str) -> None:
    script = f"found = client.embeddings.create(model='vectors', input={TEXTS!r}{form}); print(found.model_dump_json())"
    found = ask(script)
    assert found["model"] == "vectors"
    assert [one["index"] for one in found["data"]] == [0, 1, 2]
    assert np.array([one["embedding"] for one in found["data"]]) == pytest.approx(expected, abs=1e-6)
    assert found["usage"]["prompt_tokens"] == found["usage"]["total_tokens"] > 24  # the last text fills the model's 24


def test_base64_is_little_endian_float32(server: Server, expected: Any) -> None:
    body = {"model": "vectors", "input": TEXTS[1], "encoding_format": "base64", "user": "me"}
    packed = server.post("/v1/embeddings", body).json["data"][0]["embedding"]
    assert np.frombuffer(base64.b64decode(packed), "<f4") == pytest.approx(expected[1], abs=1e-6)


def test_one_text_and_fewer_dimensions(ask: Ask, expected: Any) -> None:
    script = "found = client.embeddings.create(model='vectors', input='great', dimensions=8); print(found.model_dump_json())"
    [found] = ask(script)["data"]
    first = expected[1, :8]
    assert found["embedding"] == pytest.approx(first / np.linalg.norm(first), abs=1e-6)


def test_the_list_of_models(ask: Ask) -> None:
    script = """
    from openai.types import Model
    shown = [Model.model_validate(one.model_dump(), strict=True) for one in client.models.list()]
    shown.append(client.models.retrieve("labels"))
    print(json.dumps([[one.id, one.object, one.owned_by] for one in shown]))"""
    assert ask("if True:" + script) == [[name, "model", "cauce"] for name in ("vectors", "labels", "labels")]


def test_errors_are_those_of_the_client(ask: Ask) -> None:
    calls = {
        "model='nobody', input='a'": ["NotFoundError", 404, "unknown_model", None],
        "model='vectors', input=['a', ' ']": ["UnprocessableEntityError", 422, "empty_text", "input"],
        "model='vectors', input=[[1, 2]]": ["UnprocessableEntityError", 422, "input", "input"],
        "model='vectors', input=[]": ["UnprocessableEntityError", 422, "input", None],
        "model='vectors', input='a', dimensions=500": ["UnprocessableEntityError", 422, "input", None],
        "model='vectors', input='a', dimensions=0": ["UnprocessableEntityError", 422, "input", None],
    }
    found = ask(
        "found = []\n"
        + "".join(CAUGHT.format(call=f"client.embeddings.create({call})") for call in calls)
        + "print(json.dumps(found))"
    )
    assert [one[:4] for one in found] == list(calls.values())
    assert "row 2" in found[1][5]
    assert all(kind == "invalid_request_error" and message for _, _, _, _, kind, message in found)


def test_the_client_waits_as_long_as_an_overloaded_server_says(client: Callable[[str], Ask]) -> None:
    """With one more try it takes the second that the server names."""
    script = (
        BEGIN.replace("max_retries=0", "max_retries=1")
        + "import time; found, start = [], time.monotonic()"
        + CAUGHT.format(call="client.post('/classify', body={'input': 'a'}, cast_to=object)")
        + "print(json.dumps([*found[0], time.monotonic() - start]))"
    )
    with overloaded() as server:
        before = refused(server)
        name, status, code, _, kind, _, seconds = client("openai")(script, server.url)
        tries = refused(server) - before
    assert (name, status, code, kind) == ("RateLimitError", 429, "overloaded", "rate_limit_error")
    assert seconds >= 1
    assert tries == 2


@pytest.mark.parametrize("path", ["/classify", "/v1/classify"])
def test_classify(server: Server, encoder_folders: dict[str, Path], path: str) -> None:
    """As vLLM and SGLang answer; OpenAI's client has no method for it."""
    found = server.post(path, {"model": "labels", "input": TEXTS}).json
    answers = cauce.load(encoder_folders["onnx"]).predict(TEXTS)
    assert [one["label"] for one in found["data"]] == [one.label for one in answers]
    assert np.array([one["probs"] for one in found["data"]]) == pytest.approx(answers.scores, abs=1e-5)
    assert [(one["index"], one["num_classes"]) for one in found["data"]] == [(0, 3), (1, 3), (2, 3)]
    assert found["model"] == "labels"
    assert found["id"].startswith("classify-")
    assert found["usage"]["prompt_tokens"] > 24


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        (b"{bad", 400, "wrong_body", None),
        (b"[]", 400, "wrong_body", None),
        ({"model": "labels"}, 422, "input", "input"),
        ({"model": 7, "input": "a"}, 422, "input", "model"),
        ({"model": "labels", "input": ["a", None]}, 422, "missing_input", "input"),
        ({"model": "labels", "input": [1, 2]}, 422, "input", "input"),
        ({"model": "labels", "input": ["a", ""]}, 422, "empty_text", "input"),
        ({"model": "vectors", "input": "a"}, 422, "input", None),
    ],
)
def test_bad_input_is_told_in_the_shape_of_this_protocol(
    server: Server, body: Any, status: int, code: str, param: str | None
) -> None:
    found = server.post("/v1/classify", body)
    assert (found.status, found.json["error"]["code"], found.json["error"]["param"]) == (status, code, param)
    assert found.json["error"]["message"]


def test_a_model_of_several_columns_is_refused(task_folders: dict[str, Path]) -> None:
    with serving(str(task_folders["mixed"])) as server:
        found = server.post("/v1/classify", {"input": "a"})
    assert (found.status, found.json["error"]["param"]) == (422, "model")
