"""Triton's client, unmodified."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from serving import serving

import cauce

START = """
import json, sys
import numpy as np
import tritonclient.http as triton

client = triton.InferenceServerClient(sys.argv[1].removeprefix("http://"))

def tensor(name, values, binary=True):
    array = np.array(values)
    if array.dtype.kind == "U":
        array = array.astype(object)
    made = triton.InferInput(name, list(array.shape), triton.np_to_triton_dtype(array.dtype))
    made.set_data_from_numpy(array, binary_data=binary)
    return made

def listed(array):
    return [one.decode() if isinstance(one, bytes) else one for one in array.ravel().tolist()]
"""

ASK = """
kind, model = sys.argv[2], sys.argv[3]
asked = tensor("text", [["me encanta, llegó antes"], ["horrible, no funciona"]], binary="in" in kind)
outputs = None if "all" in kind else [
    triton.InferRequestedOutput(name, binary_data="out" in kind) for name in ("label", "probabilities")]
packing = {"request_compression_algorithm": "gzip", "response_compression_algorithm": "gzip"} if "gzip" in kind else {}
found = client.infer(model, [asked], outputs=outputs, request_id="7", **packing)
print(json.dumps({
    "id": found.get_response()["id"],
    "label": listed(found.as_numpy("label")),
    "shape": list(found.as_numpy("probabilities").shape),
    "probabilities": listed(found.as_numpy("probabilities")),
}))
"""

LOOK = """
def refused(ask):
    try:
        ask()
    except triton.InferenceServerException as error:
        return [error.status(), error.message()]

model = sys.argv[2]
print(json.dumps({
    "live": client.is_server_live(), "ready": client.is_server_ready(),
    "model": client.is_model_ready(model), "nobody": client.is_model_ready("nobody"),
    "server": client.get_server_metadata(), "metadata": client.get_model_metadata(model),
    "config": client.get_model_config(model), "index": client.get_model_repository_index(),
    "unknown": refused(lambda: client.infer("nobody", [tensor("text", ["a"])])),
    "empty": refused(lambda: client.infer(model, [tensor("text", [" "])])),
    "unload": refused(lambda: client.unload_model(model)),
    "stats": client.get_inference_statistics(model)["model_stats"][0],
}))
"""

CLASSES = """
asked = triton.InferRequestedOutput("probabilities", class_count=2)
found = client.infer(sys.argv[2], [tensor("text", ["banana", "xyz"])], outputs=[asked])
print(json.dumps(found.as_numpy("probabilities").astype(str).tolist()))
"""

LARGE = """
many = tensor("text", ["banana"] * 3000)
found = client.infer("echo", [many], request_compression_algorithm="gzip", response_compression_algorithm=sys.argv[2])
print(json.dumps([len(found.as_numpy("label")), listed(found.as_numpy("label"))[-1]]))
"""

TABLE = """
rows = {"title": ["bueno taza"], "body": ["llegó pronto"], "color": ["rojo"]}
asked = [tensor(name, values) for name, values in rows.items()]
asked += [tensor("size", np.array([2.5], np.float32)), tensor("paid", np.array([True]))]
found = client.infer("mixed", asked)
print(json.dumps([listed(found.as_numpy("label")), listed(found.as_numpy("probabilities"))]))
"""

Client = Callable[[str], Callable[..., Any]]


@pytest.mark.parametrize("kind", ["json", "in", "out", "in out", "in all", "in all gzip"])
def test_texts_are_answered_in_json_and_in_bytes(client: Client, model_folder: Path, kind: str) -> None:
    expected = cauce.load(model_folder).predict(["me encanta, llegó antes", "horrible, no funciona"])
    with serving(f"los míos={model_folder}") as server:
        found = client("triton")(START + ASK, server.url, kind, "los míos")
    assert found["id"] == "7"
    assert found["label"] == [one.label for one in expected]
    assert found["shape"] == list(expected.scores.shape)
    assert found["probabilities"] == pytest.approx(expected.scores.ravel().tolist(), abs=1e-6)


def test_the_server_and_its_models_are_described_and_errors_are_read(client: Client) -> None:
    with serving("echo") as server:
        found = client("triton")(START + LOOK, server.url, "echo")
    assert [found[key] for key in ("live", "ready", "model", "nobody")] == [True, True, True, False]
    assert "binary_tensor_data" in found["server"]["extensions"]
    assert found["metadata"]["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
    assert found["config"]["max_batch_size"] == 0
    assert found["index"][0]["state"] == "READY"
    assert found["unknown"][0] == "404"
    assert found["unknown"][1].startswith("unknown_model: ")
    assert found["empty"] == ["422", "empty_text: the text is empty or only white space"]
    assert found["unload"][1].startswith("input: ")
    assert found["stats"]["inference_stats"]["fail"]["count"] == 1


def test_classes_are_named(client: Client) -> None:
    with serving("echo") as server:
        found = client("triton")(START + CLASSES, server.url, "echo")
    assert found == [["0.982014:1:many_a", "0.017986:0:few_a"], ["0.731059:0:few_a", "0.268941:1:many_a"]]


@pytest.mark.parametrize("packing", ["gzip", "deflate"])
def test_packed_replies_are_read(client: Client, packing: str) -> None:
    with serving("echo") as server:
        assert client("triton")(START + LARGE, server.url, packing) == [3000, "many_a"]


def test_a_table_is_one_tensor_a_column(client: Client, task_folders: dict[str, Path]) -> None:
    row = {"title": "bueno taza", "body": "llegó pronto", "color": "rojo", "size": 2.5, "paid": True}
    expected = cauce.load(task_folders["mixed"]).predict([row])
    with serving(f"mixed={task_folders['mixed']}") as server:
        label, probabilities = client("triton")(START + TABLE, server.url)
    assert label == [expected[0].label]
    assert probabilities == pytest.approx(expected.scores[0].tolist(), abs=1e-6)
