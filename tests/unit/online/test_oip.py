"""The Open Inference Protocol over a real connection, and its tensors by themselves."""

from __future__ import annotations

import gzip
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from serving import Answer, Server, serving

import cauce
from cauce.online.protocols import tensors

INFER = "/v2/models/echo/infer"
LENGTH = "inference-header-content-length"
SURE = settings(deadline=None, max_examples=60)


def packed(texts: list[str]) -> bytes:
    """BYTES as the protocol's description has it."""
    raw = [text.encode() for text in texts]
    return b"".join(struct.pack("<I", len(one)) + one for one in raw)


def asked(texts: list[Any], **more: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "text", "shape": [len(texts)], "datatype": "BYTES", "data": texts}], **more}


def binary(texts: list[str], **more: Any) -> tuple[bytes, int]:
    """A request with bytes after its JSON, and the length of the JSON."""
    tail = packed(texts)
    tensor = {"name": "text", "shape": [len(texts), 1], "datatype": "BYTES", "parameters": {"binary_data_size": len(tail)}}
    head = json.dumps({"inputs": [tensor], **more}).encode()
    return head + tail, len(head)


def outputs(found: Answer) -> dict[str, list[Any]]:
    """The values of each output, of a reply in JSON."""
    assert found.status == 200, found.body
    return {one["name"]: one["data"] for one in found.json["outputs"]}


@SURE
@given(st.lists(st.text()))
def test_any_texts_come_through_as_they_are(texts: list[str]) -> None:
    body, length = binary(texts)
    head, tail = tensors.split(body, str(length))
    assert tensors.columns(head, tail) == {"text": texts}


@SURE
@given(st.lists(st.text()))
def test_any_texts_go_out_as_they_are(texts: list[str]) -> None:
    body, length = tensors.write({}, [(tensors.Tensor("text", "BYTES", np.array(texts, object)), True)])
    head, tail = tensors.split(body, str(length))
    assert tensors.columns({"inputs": head["outputs"]}, tail) == {"text": texts}


@pytest.mark.parametrize("datatype", tensors.NUMBERS)
def test_numbers_and_booleans_of_each_type_come_through(datatype: str) -> None:
    values = np.array([0, 1, 1, 0]).astype(tensors.NUMBERS[datatype])
    body, length = tensors.write({}, [(tensors.Tensor("x", datatype, values), True)])
    head, tail = tensors.split(body, str(length))
    assert tensors.columns({"inputs": head["outputs"]}, tail) == {"x": values.tolist()}


@SURE
@given(st.data())
def test_a_length_that_lies_is_refused_and_hurts_nobody(echo: Server, data: st.DataObject) -> None:
    body, length = binary(["good", "héllo", ""])
    kind = data.draw(st.sampled_from(["cut", "header", "size", "element", "more"]))
    if kind == "cut":
        body = body[: data.draw(st.integers(0, len(body) - 1))]
    elif kind == "header":
        length = data.draw(st.integers(-9, 2 * len(body)).filter(lambda one: one not in (0, length)))
    elif kind == "size":
        size = data.draw(st.sampled_from([-1, 0, 21, 23, 2**40, 2.5, "22", None, True, [22]]))
        head = body[:length].replace(b'"binary_data_size": 22', b'"binary_data_size": ' + json.dumps(size).encode())
        body, length = head + body[length:], len(head)
    elif kind == "element":
        body = body[:length] + struct.pack("<I", data.draw(st.integers(5, 2**32 - 1))) + body[length + 4 :]
    else:
        body += data.draw(st.binary(min_size=1, max_size=9))
    found = echo.ask("POST", INFER, body, {LENGTH: str(length)})
    assert found.status in (400, 422), found.body
    assert list(found.json) == ["error"]
    assert isinstance(found.json["error"], str)


@SURE
@given(body=st.binary(max_size=64), length=st.one_of(st.none(), st.text("0123456789-+_ x", min_size=1, max_size=9)))
def test_any_bytes_get_an_answer_or_an_error(echo: Server, body: bytes, length: str | None) -> None:
    found = echo.ask("POST", INFER, body, {LENGTH: length} if length else {})
    assert found.status < 500
    assert found.status == 200 or isinstance(found.json["error"], str)


def test_json_in_json_out(echo: Server) -> None:
    found = echo.ask("POST", INFER, asked(["banana", "xyz"], id="7"))
    expected = cauce.load("echo").predict(["banana", "xyz"])
    assert (found.json["id"], found.json["model_name"]) == ("7", "echo")
    assert found.json["model_version"] == expected.version
    values = outputs(found)
    assert values["label"] == ["many_a", "few_a"]
    assert values["probabilities"] == pytest.approx(expected.scores.ravel().tolist())
    assert values["score"] == pytest.approx([one.score for one in expected])
    assert "id" not in echo.ask("POST", INFER, asked(["banana"])).json


def test_bytes_in_bytes_out(echo: Server) -> None:
    body, length = binary(["banana", "xyz"], parameters={"binary_data_output": True})
    found = echo.ask("POST", INFER, body, {LENGTH: str(length)})
    start = int(found.headers[LENGTH])
    told = {one["name"]: one for one in json.loads(found.body[:start])["outputs"]}
    assert found.headers["content-type"] == "application/octet-stream"
    assert found.body[start:].startswith(packed(["many_a", "few_a"]))
    assert [one["parameters"]["binary_data_size"] for one in told.values()] == [19, 8, 16, 8]
    assert "data" not in told["label"]


def test_outputs_are_chosen_one_by_one(echo: Server) -> None:
    wanted = [{"name": "score", "parameters": {"binary_data": True}}, {"name": "label"}]
    found = echo.ask("POST", INFER, asked(["banana"], outputs=wanted))
    start = int(found.headers[LENGTH])
    score, label = json.loads(found.body[:start])["outputs"]
    assert (score["name"], label["data"]) == ("score", ["many_a"])
    assert struct.unpack("<f", found.body[start:]) == pytest.approx((cauce.load("echo").predict("banana")[0].score,))


def test_classes_are_value_place_and_label(echo: Server) -> None:
    wanted = [{"name": "probabilities", "parameters": {"classification": 1}}]
    found = echo.ask("POST", INFER, asked(["banana", "", "xyz"], outputs=wanted)).json["outputs"][0]
    assert (found["datatype"], found["shape"]) == ("BYTES", [3, 1])
    assert found["data"] == ["0.982014:1:many_a", "", "0.731059:0:few_a"]


def test_a_raw_request_is_one_text(echo: Server) -> None:
    found = echo.ask("POST", INFER, "plátano".encode(), {LENGTH: "0"})
    assert found.body[int(found.headers[LENGTH]) :].startswith(packed(["many_a"]))


def test_a_row_that_has_no_answer_leaves_its_neighbors_theirs(echo: Server) -> None:
    values = outputs(echo.ask("POST", INFER, asked(["banana", "", None, "xyz"])))
    assert values["label"] == ["many_a", "", "", "few_a"]
    assert values["error"] == ["", "empty_text", "missing_input", ""]
    assert values["score"][1] is None


def test_bytes_that_are_no_text_leave_their_neighbors_theirs(echo: Server) -> None:
    tail = struct.pack("<I", 2) + b"\xff\xfe" + packed(["banana"])
    tensor = {"name": "text", "shape": [2], "datatype": "BYTES", "parameters": {"binary_data_size": len(tail)}}
    head = json.dumps({"inputs": [tensor]}).encode()
    values = outputs(echo.ask("POST", INFER, head + tail, {LENGTH: str(len(head))}))
    assert (values["label"], values["error"]) == (["", "many_a"], ["invalid_utf8", ""])


def test_large_replies_are_packed_for_those_who_read_that(echo: Server) -> None:
    body = asked(["banana"] * 800)
    plain, packed_ = echo.ask("POST", INFER, body), echo.ask("POST", INFER, body, {"accept-encoding": "gzip"})
    assert packed_.headers["content-encoding"] == "gzip"
    assert outputs(plain) == {one["name"]: one["data"] for one in json.loads(gzip.decompress(packed_.body))["outputs"]}
    assert len(packed_.body) < len(plain.body) / 5


def test_metadata_say_what_is_read_and_given(echo: Server) -> None:
    told = echo.get("/v2/models/echo").json
    given_ = echo.ask("POST", INFER, asked(["banana"])).json["outputs"]
    assert [(one["name"], one["datatype"], len(one["shape"])) for one in told["outputs"]] == [
        (one["name"], one["datatype"], len(one["shape"])) for one in given_
    ]
    assert told["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
    version = told["versions"][0]
    assert echo.get(f"/v2/models/echo/versions/{version}").json == told
    assert echo.get(f"/v2/models/echo/versions/{version[:8]}/ready").status == 200
    assert {"binary_tensor_data", "classification"} <= set(echo.get("/v2").json["extensions"])
    config = echo.get("/v2/models/echo/config").json
    assert json.loads(config["parameters"]["labels"]["string_value"]) == ["few_a", "many_a"]
    assert echo.post("/v2/repository/index", b"").json[0]["state"] == "READY"


def test_statistics_count_rows_and_failures() -> None:
    with serving("echo") as server:
        server.ask("POST", INFER, asked(["banana", "xyz"]))
        server.ask("POST", INFER, asked([""]))
        (told,) = server.get("/v2/models/echo/stats").json["model_stats"]
        assert (told["inference_count"], told["inference_stats"]["success"]["count"]) == (2, 1)
        assert told["inference_stats"]["fail"]["count"] == 1
        assert told == server.get("/v2/models/stats").json["model_stats"][0]


def test_names_are_quoted_in_the_address() -> None:
    with serving("50%25 de más=echo") as server:
        quoted = "50%2525%20de%20m%C3%A1s"
        assert server.get(f"/v2/models/{quoted}").json["name"] == "50%25 de más"
        assert server.ask("POST", f"/v2/models/{quoted}/infer", asked(["banana"])).json["model_name"] == "50%25 de más"


TEXT = {"name": "text", "shape": [1], "datatype": "BYTES"}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{bad", 400, "wrong_body"),
        (b"[]", 400, "wrong_body"),
        (b"", 400, "wrong_body"),
        ({}, 422, "input"),
        ({"inputs": []}, 422, "input"),
        ({"inputs": [7]}, 422, "input"),
        ({"inputs": [TEXT]}, 422, "input"),
        ({"inputs": [{**TEXT, "data": ["a", "b"]}]}, 422, "input"),
        ({"inputs": [{**TEXT, "data": [["a"]]}]}, 422, "input"),
        ({"inputs": [{**TEXT, "data": ["a"], "shape": [-1]}]}, 422, "input"),
        ({"inputs": [{**TEXT, "data": ["a"], "shape": []}]}, 422, "input"),
        ({"inputs": [{**TEXT, "data": ["a"], "shape": "1"}]}, 422, "input"),
        ({"inputs": [{**TEXT, "data": ["a", "b"], "shape": [1, 2]}]}, 422, "input"),
        ({"inputs": [{**TEXT, "data": [], "shape": [0]}]}, 422, "input"),
        ({"inputs": [{**TEXT, "data": ["a"]}] * 2}, 422, "input"),
        ({"inputs": [{**TEXT, "data": ["a"], "parameters": 7}]}, 422, "input"),
        ({"inputs": [{**TEXT, "data": ["a"]}, {**TEXT, "name": "more", "data": ["a"]}]}, 422, "unknown_name"),
        ({"inputs": [{**TEXT, "data": [7]}]}, 422, "wrong_type"),
        ({"inputs": [{**TEXT, "data": [None]}]}, 422, "missing_input"),
        ({"inputs": [{**TEXT, "data": [""]}]}, 422, "empty_text"),
        (asked(["a"], outputs=[{"name": "labe"}]), 422, "unknown_name"),
        (asked(["a"], outputs=[7]), 422, "input"),
        (asked(["a"], outputs=[{"name": "label", "parameters": {"classification": 1}}]), 422, "input"),
        (asked(["a"], outputs=[{"name": "probabilities", "parameters": {"classification": 0}}]), 422, "input"),
        (asked(["a" * 60_000], parameters={"truncate": False}), 413, "text_too_long"),
        (b" " * 11_000_000, 413, "body_too_large"),
    ],
)
def test_bad_input_has_a_stable_code(echo: Server, body: object, status: int, code: str) -> None:
    found = echo.ask("POST", INFER, body)
    assert found.status == status, found.body
    assert list(found.json) == ["error"]
    assert found.json["error"].startswith(f"{code}: ")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/models/nobody", 404),
        ("GET", "/v2/models/nobody/ready", 404),
        ("GET", "/v2/models/nobody/stats", 404),
        ("GET", "/v2/models/echo/versions/ffff", 404),
        ("POST", "/v2/models/nobody/infer", 404),
        ("GET", "/v2/nothing", 404),
        ("GET", INFER, 405),
        ("POST", "/v2/repository/models/echo/unload", 422),
    ],
)
def test_every_error_below_v2_is_a_text(echo: Server, method: str, path: str, status: int) -> None:
    found = echo.ask(method, path, asked(["a"]) if method == "POST" else None)
    assert found.status == status
    assert isinstance(found.json["error"], str)


def test_a_table_is_one_tensor_a_column(task_folders: dict[str, Path]) -> None:
    rows = [
        {"title": "bueno camisa 1", "body": "llegó pronto", "color": "rojo", "size": 2.5, "paid": True},
        {"title": "malo taza 2", "body": "llegó tarde", "color": "azul", "size": float("nan"), "paid": False},
    ]
    types = {"title": "BYTES", "body": "BYTES", "color": "BYTES", "size": "FP32", "paid": "BOOL"}
    inputs, tail = [], b""
    for name, datatype in types.items():
        values = [row[name] for row in rows]
        raw = packed(values) if datatype == "BYTES" else np.array(values, tensors.NUMBERS[datatype]).tobytes()
        size = {"binary_data_size": len(raw)}
        inputs.append({"name": name, "shape": [2], "datatype": datatype, "parameters": size})
        tail += raw
    head = json.dumps({"inputs": inputs}).encode()
    expected = cauce.load(task_folders["mixed"]).predict(rows)
    with serving(f"mixed={task_folders['mixed']}") as server:
        found = server.ask("POST", "/v2/models/mixed/infer", head + tail, {LENGTH: str(len(head))})
        assert outputs(found)["label"] == [one.label for one in expected]
        assert outputs(found)["probabilities"] == pytest.approx(expected.scores.ravel().tolist())
        told = [(one["name"], one["datatype"]) for one in server.get("/v2/models/mixed").json["inputs"]]
        assert told == [*((name, "FP64" if name == "size" else datatype) for name, datatype in types.items())]
        wrong = server.ask("POST", "/v2/models/mixed/infer", {"inputs": [{**TEXT, "name": "titel", "data": ["a"]}]})
        assert 'did you mean "title"?' in wrong.json["error"]


def test_several_labels_a_number_and_vectors(task_folders: dict[str, Path], encoder_folders: dict[str, Path]) -> None:
    several, number, vectors = task_folders["multilabel"], task_folders["regression"], encoder_folders["vectors"]
    with serving(f"tags={several}", f"price={number}", f"vectors={vectors}") as server:
        order = {"body": "llegó tarde, taza", "title": "roto", "color": "verde"}
        columns = [{**TEXT, "name": name, "data": [value]} for name, value in order.items()]
        expected = cauce.load(several).predict([order])
        found = outputs(server.ask("POST", "/v2/models/tags/infer", {"inputs": columns}))
        assert found["labels"] == expected.given[0].tolist()
        assert any(found["labels"])

        columns = [{**TEXT, "name": "title", "data": ["bueno taza"]}]
        found = outputs(server.ask("POST", "/v2/models/price/infer", {"inputs": columns}))
        assert found["score"] == pytest.approx([cauce.load(number).predict([{"title": "bueno taza"}])[0].score])
        assert "label" not in found

        answer = server.ask("POST", "/v2/models/vectors/infer", asked(["one word", "", "two words"]))
        (vector,) = answer.json["outputs"]
        made = cauce.load(vectors).embed(["one word", "two words"]).to_pylist()
        width = len(made[0])
        assert (vector["name"], vector["datatype"], vector["shape"]) == ("embedding", "FP32", [3, width])
        assert vector["data"][:width] + vector["data"][2 * width :] == pytest.approx(made[0] + made[1], abs=1e-5)
        assert vector["data"][width : 2 * width] == [None] * width
        assert server.get("/v2/models/vectors").json["outputs"][0]["shape"] == [-1, width]
        assert server.ask("POST", "/v2/models/vectors/infer", asked([""])).json["error"].startswith("empty_text: ")
