"""The runtimes over tokens: vectors as the network means them, what is refused, one text alone, memory, no telemetry."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
import pytest

import cauce
from cauce.errors import InputError, MissingExtra, NotAModel
from cauce.model.manifest import Input
from cauce.runtimes import tokens as runtime_of_tokens
from cauce.runtimes.base import open_runtime
from cauce.runtimes.tokens import TokenRuntime

RUNTIMES = ("onnx", "openvino")
TEXTS = ["me encanta", "no está nada mal, la verdad", "", "😍", "hola " * 200, "a"]


@pytest.fixture(params=RUNTIMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def runtime(name: str, encoder_folders: dict[str, Path]) -> TokenRuntime:
    opened = open_runtime(name, encoder_folders[name], "fp32")
    assert isinstance(opened, TokenRuntime)
    return opened


@pytest.fixture
def copied(name: str, encoder_folders: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(encoder_folders[name], tmp_path / "model"))


def batch(texts: list[str]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(texts)], ["text"])


def change(folder: Path, **fields: Any) -> None:
    """Write other fields into `cauce.json`; the runtimes leave it to the folder to check the seal."""
    manifest = json.loads((folder / "cauce.json").read_bytes())
    (folder / "cauce.json").write_text(json.dumps(manifest | fields))


def test_a_text_has_the_mean_of_its_tokens_whatever_stands_beside_it(runtime: TokenRuntime) -> None:
    encoded = runtime.encode(batch(TEXTS))
    hidden, pooled = runtime.forward(encoded, "hidden"), runtime.forward(encoded, "pooled")
    assert hidden.shape == (encoded.cost.sum(), runtime.width)
    assert pooled.shape == (len(TEXTS), runtime.width)
    for row, part in enumerate(np.split(hidden, encoded.offsets[1:-1])):
        assert np.allclose(part.mean(axis=0), pooled[row], atol=1e-5)
        alone = encoded.take(np.array([row]))
        assert np.allclose(runtime.forward(alone, "hidden"), part, atol=1e-5)
        assert np.allclose(runtime.forward(alone), runtime.forward(encoded)[row], atol=1e-5)


def test_the_runtimes_answer_alike(encoder_folders: dict[str, Path]) -> None:
    texts = [text for text in TEXTS if text]
    first, second = (cauce.load(encoder_folders[name]).predict(texts) for name in RUNTIMES)
    assert np.abs(first.scores - second.scores).max() < 1e-5
    assert first.scores.std(axis=0).min() > 0.01  # they are scores of these texts
    assert [answer.truncated for answer in first] == [False, False, False, True, False]


def test_without_a_normalizer_the_tokenizer_reads_the_text_as_it_is(name: str, runtime: TokenRuntime, copied: Path) -> None:
    change(copied, normalizer=None)
    plain = open_runtime(name, copied, "fp32")
    shouted, linked = batch(["HOLAAAAA"]), batch(["mira https://example.com/a"])
    for rows in (shouted, linked):
        assert plain.encode(rows).cost[0] > runtime.encode(rows).cost[0]


def test_a_lone_text_is_answered_alike_with_all_threads(runtime: TokenRuntime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime_of_tokens, "threads", lambda: 2)
    monkeypatch.setattr(runtime_of_tokens, "WIDE_GAIN", 0.0)
    encoded = [runtime.encode(batch([text])) for text in TEXTS]
    before = [runtime.forward(one) for one in encoded]
    runtime.warm_up()
    assert runtime._wide is not None
    for one, logits in zip(encoded, before, strict=True):
        assert np.allclose(runtime.forward(one), logits, atol=1e-6)


def test_warm_up_measures_a_size_that_calls_keep_to(runtime: TokenRuntime) -> None:
    runtime.warm_up()
    assert runtime.batch_cost in runtime_of_tokens.SIZES


def test_a_runtime_whose_rows_run_alone_keeps_its_word(name: str, copied: Path) -> None:
    room = copied / "variants" / "alone"
    room.mkdir(parents=True)
    (room / "variant.json").write_text(json.dumps({"batching": "single", "parameters": {}, "precision": "fp32"}))
    assert open_runtime(name, copied, "alone").batching == "single"
    assert open_runtime(name, copied, "fp32").batching == "free"


def test_a_variant_has_its_own_graph_and_the_models_other_files(name: str, copied: Path) -> None:
    room = copied / "variants" / "own"
    room.mkdir(parents=True)
    (room / "variant.json").write_text(json.dumps({"batching": "free", "parameters": {}, "precision": "fp32"}))
    graph = onnx.load(str(copied / "model.onnx"))  # weights inside
    (copied / "model.onnx").unlink()
    onnx.save(graph, str(room / "model.onnx"))
    rows = batch(TEXTS[:2])
    own = open_runtime(name, copied, "own")
    assert own.forward(own.encode(rows)).shape == (2, 3)
    with pytest.raises(NotAModel, match=r"there is no .*model.onnx"):
        open_runtime(name, copied, "fp32")


def edited(folder: Path, edit: Callable[[Any], None]) -> None:
    graph = onnx.load(str(folder / "model.onnx"), load_external_data=False)
    edit(graph.graph)
    (folder / "model.onnx").write_bytes(graph.SerializeToString())


def other_names(graph: Any) -> None:
    for node in graph.node:
        for place, one in enumerate(node.input):
            node.input[place] = "ids" if one == "input_ids" else one
    graph.input[0].name = "ids"


def no_logits(graph: Any) -> None:
    del graph.output[0]


def outside(location: str) -> Callable[[Any], None]:
    def edit(graph: Any) -> None:
        for tensor in graph.initializer:
            for entry in tensor.external_data:
                if entry.key == "location":
                    entry.value = entry.value.replace("weights.safetensors", location)

    return edit


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (other_names, "needed are input_ids, attention_mask"),
        (no_logits, "and logits, pooled, hidden"),
        (outside("../weights.safetensors"), "cannot be opened"),
        (outside("a/../../weights.safetensors"), "cannot be opened"),
        (outside("/dev/zero"), "cannot be opened"),
        (outside("absent.safetensors"), "cannot be opened"),
    ],
    ids=["names", "no logits", "above", "above by a turn", "absolute", "absent"],
)
def test_a_graph_that_does_not_fit_is_refused(name: str, copied: Path, edit: Callable[[Any], None], said: str) -> None:
    shutil.copy(copied / "weights.safetensors", copied.parent)  # it could be read
    edited(copied, edit)
    with pytest.raises(NotAModel, match=said) as caught:
        open_runtime(name, copied, "fp32")
    assert caught.value.hint


@pytest.mark.parametrize("content", [b"", b"no graph", None], ids=["empty", "garbage", "half"])
def test_a_damaged_graph_is_refused(name: str, copied: Path, content: bytes | None) -> None:
    path = copied / "model.onnx"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] if content is None else content)
    with pytest.raises(NotAModel) as caught:
        open_runtime(name, copied, "fp32")
    assert caught.value.hint


def test_half_of_the_weights_are_refused(name: str, copied: Path) -> None:
    path = copied / "weights.safetensors"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(NotAModel, match="cannot be opened"):
        open_runtime(name, copied, "fp32")


def test_labels_inputs_and_vocabulary_have_to_fit_the_graph(name: str, copied: Path) -> None:
    change(copied, labels=["a", "b"])
    with pytest.raises(NotAModel, match=r"logits of the shape \(1, 3\); the model has 2 labels"):
        open_runtime(name, copied, "fp32")
    change(copied, labels=["a", "b", "c"], inputs=[Input(name="n", type="number").model_dump()])
    with pytest.raises(NotAModel, match="columns of number"):
        open_runtime(name, copied, "fp32")
    change(copied, inputs=[Input(name="text", type="text").model_dump()], limits={"max_chars": 100})
    with pytest.raises(NotAModel, match="max_tokens"):
        open_runtime(name, copied, "fp32")
    change(copied, limits={"max_chars": 100, "max_tokens": 24})
    tokenizer = json.loads((copied / "tokenizer.json").read_bytes())
    tokenizer["model"]["vocab"]["onemore"] = len(tokenizer["model"]["vocab"]) + 1000
    (copied / "tokenizer.json").write_text(json.dumps(tokenizer))
    if name == "onnx":  # OpenVINO reads zeros beyond the end of a table, and does not fail
        with pytest.raises(NotAModel, match="the vocabulary's last"):
            open_runtime(name, copied, "fp32")


def test_without_the_engine_the_pip_line_is_named(
    name: str, encoder_folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, {"onnx": "onnxruntime"}.get(name, name), None)
    with pytest.raises(MissingExtra) as caught:
        open_runtime(name, encoder_folders[name], "fp32")
    assert f'pip install "cauce[{name}]"' in caught.value.hint


QUIET = """
import os, socket, subprocess, sys, threading
seen = []
sys.addaudithook(lambda event, given: seen.append(event) if event in WATCHED else None)
WATCHED = {"socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.posix_spawn", "os.fork"}
import cauce
print(cauce.load(sys.argv[1]).predict("hola")[0].label is not None)
for thread in threading.enumerate():
    if thread is not threading.current_thread() and not thread.daemon:
        thread.join(5)
print(seen, [name for name in sys.modules if "telemetry" in name and sys.modules[name] is None or name == "openvino_telemetry"])
"""


def test_nothing_is_sent_to_anybody(name: str, encoder_folders: dict[str, Path]) -> None:
    """The import of openvino alone would, by its package openvino-telemetry."""
    done = subprocess.run(
        [sys.executable, "-c", QUIET, encoder_folders[name]], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split("\n")[:2] == ["True", "[] []"]


MEMORY = """
import random, sys
import cauce
words = "me encanta no está nada mal la verdad hola 😍 sí".split()
chance = random.Random(1)
model = cauce.load(sys.argv[1])
def mib():
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) / 1024
seen = []
for block in range(int(sys.argv[2])):
    model.predict([" ".join(chance.choices(words, k=chance.randint(1, 30))) for _ in range(chance.randint(1, 2000))])
    if block % 5 == 4:
        seen.append(mib())
third = len(seen) // 3
print(sum(seen[-third:]) / third - sum(seen[third:2 * third]) / third)
"""


@pytest.mark.parametrize("blocks", [30, pytest.param(1000, marks=[pytest.mark.prove, pytest.mark.timeout(1200)])])
def test_memory_stays_flat_over_texts_of_every_length(name: str, encoder_folders: dict[str, Path], blocks: int) -> None:
    """1000 blocks are a million texts."""
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, encoder_folders[name], str(blocks)], capture_output=True, check=True, timeout=1200
    )
    assert float(done.stdout) < {"onnx": 8, "openvino": 100}[name]  # MiB; OpenVINO's kernels of each shape come and go


def test_many_threads_share_a_runtime(runtime: TokenRuntime) -> None:
    encoded = [runtime.encode(batch([text] * 3)) for text in TEXTS]
    wanted = [runtime.forward(one) for one in encoded]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            assert all(np.allclose(a, b, atol=1e-6) for a, b in zip(pool.map(runtime.forward, encoded), wanted, strict=True))


def test_a_model_of_vectors_says_what_to_ask_it(encoder_folders: dict[str, Path]) -> None:
    model = cauce.load(encoder_folders["vectors"])
    with pytest.raises(InputError, match="gives vectors, not labels") as caught:
        model.predict("hola")
    assert "embed" in caught.value.hint
