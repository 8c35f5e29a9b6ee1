"""The Hugging Face Inference API, asked by the clients that people have: huggingface_hub of three ages, and huggingface.js."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from serving import Server, serving

import cauce

TEXTS = ["me encanta, llegó antes de tiempo 😍", "it broke after a day"]
HUBS = ["hub", pytest.param("prove/hub-0.36", marks=pytest.mark.prove), pytest.param("prove/hub-0.23", marks=pytest.mark.prove)]
JS = Path(__file__).parents[2] / ".venv" / "clients" / "js"

Client = Callable[[str], Callable[..., Any]]


@pytest.fixture(scope="module")
def vectors_folder(write_encoder: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("vectors") / "model", task="embedding")


@pytest.fixture(scope="module")
def server(model_folder: Path, vectors_folder: Path) -> Iterator[Server]:
    with serving(f"mood={model_folder}", f"vectors={vectors_folder}") as one:
        yield one


@pytest.mark.parametrize("hub", HUBS)
def test_the_hub_classifies_with_our_scores(client: Client, server: Server, model_folder: Path, hub: str) -> None:
    script = """
import json, sys
from huggingface_hub import InferenceClient
client, named = InferenceClient(sys.argv[1], token="hf_secret"), InferenceClient(sys.argv[1] + "/models/mood")
found = [one.text_classification(text) for text in sys.argv[2:] for one in (client, named)]
print(json.dumps([[[one.label, one.score] for one in each] for each in found]))
"""
    found = client(hub)(script, server.url, *TEXTS)
    expected = [list(one.scores.items()) for one in cauce.load(model_folder).predict(TEXTS) for _ in range(2)]
    for told, known in zip(found, expected, strict=True):
        assert [label for label, _ in told] == [label for label, _ in known]
        assert [score for _, score in told] == pytest.approx([score for _, score in known], abs=1e-6)
    assert "hf_secret" not in "".join(server.said)


@pytest.mark.parametrize("hub", HUBS[:2])  # older ones have no arguments for these
def test_the_hub_asks_for_the_best_and_for_logits(client: Client, server: Server, hub: str) -> None:
    script = """
import json, sys
from huggingface_hub import InferenceClient
client = InferenceClient(sys.argv[1])
best = client.text_classification(sys.argv[2], function_to_apply="softmax", top_k=1)
logits = client.text_classification(sys.argv[2], function_to_apply="none")
print(json.dumps([[[one.label, one.score] for one in each] for each in (best, logits)]))
"""
    best, logits = client(hub)(script, server.url, TEXTS[0])
    assert len(best) == 1
    assert best[0][0] == logits[0][0]
    assert best[0][1] == pytest.approx(np.exp(logits[0][1]) / sum(np.exp(score) for _, score in logits), abs=1e-6)


@pytest.mark.parametrize("hub", HUBS)
def test_the_hub_gets_our_vectors(client: Client, server: Server, vectors_folder: Path, hub: str) -> None:
    script = """
import json, sys
from huggingface_hub import InferenceClient
found = InferenceClient(sys.argv[1] + "/models/vectors").feature_extraction(sys.argv[2])
print(json.dumps([str(found.dtype), found.tolist()]))
"""
    kind, found = client(hub)(script, server.url, TEXTS[1])
    assert kind == "float32"
    np.testing.assert_allclose(found, cauce.load(vectors_folder).embed(TEXTS[1]).to_pylist(), atol=1e-5)


@pytest.mark.parametrize("hub", HUBS)
def test_the_hub_shows_what_is_wrong(client: Client, server: Server, hub: str) -> None:
    script = """
import json, sys
from huggingface_hub import InferenceClient
said = []
for path, text in (("", ""), ("/models/nobody", "a")):
    try:
        InferenceClient(sys.argv[1] + path).text_classification(text)
    except Exception as error:
        said.append(str(error))
print(json.dumps(said))
"""
    empty, unknown = client(hub)(script, server.url)
    assert "the text is empty" in empty
    assert 'no model "nobody" is served' in unknown
    assert "Request ID" in unknown


@pytest.mark.prove
def test_the_client_in_javascript_gets_scores_and_vectors(server: Server, model_folder: Path, vectors_folder: Path) -> None:
    if not (JS / ".ready").exists():
        reason = "huggingface.js is not installed: make .venv/clients/js/.ready"
        if os.environ.get("CAUCE_REQUIRE_ALL"):
            pytest.fail(reason)
        pytest.skip(reason)
    script = """
import { InferenceClient } from "@huggingface/inference";
const [url, text] = process.argv.slice(1);
const scores = await new InferenceClient("", { endpointUrl: url }).textClassification({ inputs: text });
const vectors = await new InferenceClient("", { endpointUrl: url + "/models/vectors" }).featureExtraction({ inputs: text });
console.log(JSON.stringify([scores, vectors]));
"""
    node = shutil.which("node")
    assert node is not None
    done = subprocess.run(
        [node, "--input-type=module", "--eval", script, server.url, TEXTS[1]],
        cwd=JS,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    scores, vectors = json.loads(done.stdout)
    expected = cauce.load(model_folder).predict(TEXTS[1])[0].scores
    assert {one["label"]: one["score"] for one in scores} == pytest.approx(expected, abs=1e-6)
    np.testing.assert_allclose(vectors, cauce.load(vectors_folder).embed(TEXTS[1]).to_pylist(), atol=1e-5)
