"""How fast a transformer is served, beside transformers.pipeline and beside a loop by hand over the same engine, in one run.

The packaged MiniLM with a head of 3 labels (random: speed does not ask what it says), over the test tweets of
tweeteval/sentiment. The loop by hand sorts by length, fills calls up to the runtime's own budget, and gives each thread its
calls, tokenizing included: what somebody would write who has only this to do. The runs of all take turns; medians of 5.
One text: `Model.predict` beside the bare call of a session with tokens ready, of the faster of one thread and all, in turns.
The peak is the fastest product of matrices of 1024 x 1024 on as many threads, of PyTorch, NumPy and onnxruntime.
`load` is the machine's load average: above its count of processors, rates are too low.
`--variant NAME --model FOLDER` measures a variant of a model that is there. Writes benchmarks/results/runtime.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from machine import machine

import cauce
from cauce.model import folder, golden
from cauce.model.files import describe
from cauce.model.manifest import Calibration, Data, Input, Limits, Manifest, Recipe
from cauce.model.model import Model
from cauce.recipes import encoder, transformer
from cauce.recipes.fitted import Fitted
from cauce.runtimes.base import open_runtime
from cauce.runtimes.tokens import TokenRuntime
from cauce.text.threads import run_sliced, threads

DATA = Path(__file__).parent.parent.parent / "shared" / "data" / "tweeteval" / "sentiment" / "test_text.txt"
RESULT = Path(__file__).parent / "results" / "runtime.json"
LABELS = ("negative", "neutral", "positive")
RUNS, ROWS, PEER_ROWS, SINGLES, PEER_BATCH, MAX_TOKENS, SIDE = 5, 4000, 1000, 300, 32, 128, 1024


def write(room: Path) -> Path:
    """The packaged MiniLM with a random head: the model folder, and the classifier for the peer in `peer`."""
    import torch

    torch.manual_seed(0)
    base = encoder.resolve(encoder.MINILM)
    net = transformer.Classifier(encoder.classifier(base, len(LABELS), "classification"))
    out, peer = room / "model", room / "peer"
    out.mkdir()
    net.model.save_pretrained(peer)
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        if (base / name).exists():
            (peer / name).write_bytes((base / name).read_bytes())
    described = encoder.described(net.model)
    fitted = Fitted(None, {}, net, encoder.tokenizer(base), MAX_TOKENS, [], config=described)  # type: ignore[arg-type]
    files = fitted.save(out)
    manifest = Manifest(
        name="minilm",
        task="classification",
        labels=LABELS,
        inputs=(Input(name="text", type="text"),),
        normalizer=None,
        limits=Limits(max_tokens=MAX_TOKENS),
        calibration=Calibration(),
        runtime="onnx",
        variant="fp32",
        recipe=Recipe(name="transformer", parameters={}, seed=0),
        data=Data(sha256="", rows=0),
        files=describe(out, files),
    )
    (out / folder.MANIFEST).write_bytes(manifest.render())
    golden.write(Model(manifest, open_runtime("onnx", out, "fp32")), out / folder.GOLDEN, [{"text": "hello"}])
    sealed = manifest.model_copy(update={"files": describe(out, [*files, folder.GOLDEN])})
    (out / folder.MANIFEST).write_bytes(sealed.render())
    return out


def by_hand(runtime: TokenRuntime, texts: list[str]) -> None:
    """The loop that somebody would write over this engine: tokenize, sort, fill calls, run them side by side."""
    tokenizer, session = runtime._tokenizer._engine, runtime._session
    rows = [one.ids for one in tokenizer.encode_batch_fast(texts)]
    order = sorted(range(len(rows)), key=lambda row: -len(rows[row]))
    calls: list[list[int]] = []
    for row in order:
        full = runtime.batching == "single" or (calls and (len(calls[-1]) + 1) * len(rows[calls[-1][0]]) > runtime.batch_cost)
        if not calls or full:
            calls.append([])
        calls[-1].append(row)
    out: list[Any] = [None] * len(rows)

    def work(start: int, end: int) -> None:
        for call in calls[start:end]:
            ids = np.zeros((len(call), len(rows[call[0]])), np.int64)
            mask = np.zeros_like(ids)
            for place, row in enumerate(call):
                ids[place, : len(rows[row])] = rows[row]
                mask[place, : len(rows[row])] = 1
            for row, found in zip(call, session.run(ids, mask, "logits"), strict=True):
                out[row] = found

    run_sliced(work, len(calls), 1)


def pipeline(peer: Path) -> Callable[[list[str]], Any]:
    """transformers.pipeline on the CPU with as many threads, batches of 32 in the order of arrival."""
    import torch
    import transformers

    torch.set_num_threads(threads())
    transformers.utils.logging.set_verbosity_error()
    asked = transformers.pipeline("text-classification", model=str(peer), tokenizer=str(peer), device="cpu", top_k=None)
    return lambda texts: asked(texts, batch_size=PEER_BATCH, truncation=True, max_length=MAX_TOKENS)


def in_turns(works: dict[str, tuple[int, Callable[[], Any]]]) -> dict[str, dict[str, float]]:
    """Texts a second of each work, given how many texts it takes."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(RUNS + 1):
        for name, (rows, work) in works.items():
            start = time.perf_counter()
            work()
            if turn:  # the first one warms
                taken[name].append(rows / (time.perf_counter() - start))
    return {
        name: {"median": round(statistics.median(found), 1), "min": round(min(found), 1), "max": round(max(found), 1)}
        for name, found in taken.items()
    }


def one_text(model: Model, texts: list[str]) -> dict[str, float]:
    """Milliseconds of one text: `Model.predict`, and the bare session call with its tokens ready."""
    runtime = model.runtime
    assert isinstance(runtime, TokenRuntime)
    sessions = {"bare, one thread": runtime._session}
    if threads() > 1:
        sessions["bare, all threads"] = runtime._wide or runtime._connect(threads())
    taken: dict[str, list[float]] = {name: [] for name in ("predict", *sessions)}
    for text in texts[:SINGLES]:
        ids, mask = runtime.encode(pa.RecordBatch.from_arrays([pa.array([text])], ["text"])).padded()
        calls: dict[str, Callable[[], Any]] = {"predict": lambda text=text: model.predict(text)}
        for name, session in sessions.items():
            calls[name] = lambda session=session, ids=ids, mask=mask: session.run(ids, mask, "logits")
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            taken[name].append(1e3 * (time.perf_counter() - start))
    found = {f"{name}, p50 ms": round(statistics.median(one), 3) for name, one in taken.items()}
    found["predict, p95 ms"] = round(float(np.percentile(taken["predict"], 95)), 3)
    bare = min(statistics.median(taken[name]) for name in sessions)
    return {**found, "ratio to the faster bare call": round(statistics.median(taken["predict"]) / bare, 3)}


def peak() -> dict[str, float]:
    """GFLOP/s of a product of matrices of float32 on all threads, by who computes it: what this processor was seen to reach."""
    import onnxruntime
    import torch
    from onnx import TensorProto, helper

    torch.set_num_threads(threads())
    named = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [SIDE, SIDE]) for name in "abc"]
    graph = helper.make_graph([helper.make_node("MatMul", ["a", "b"], ["c"])], "product", named[:2], named[2:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads()
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    array = np.random.default_rng(0).random((SIDE, SIDE), np.float32)
    tensor = torch.from_numpy(array)
    products: dict[str, Callable[[], Any]] = {
        "torch": lambda: tensor @ tensor,
        "numpy": lambda: array @ array,
        "onnxruntime": lambda: session.run(None, {"a": array, "b": array}),
    }
    taken: dict[str, list[float]] = {name: [] for name in products}
    for _ in range(30):
        for name, product in products.items():
            start = time.perf_counter()
            product()
            taken[name].append(time.perf_counter() - start)
    return {name: round(2 * SIDE**3 / min(found) / 1e9, 1) for name, found in taken.items()}


def flops(config: dict[str, Any]) -> float:
    """Of one token in a forward pass: twice the weights of the layers; attention's own share is left out."""
    width, inner = config["hidden_size"], config["intermediate_size"]
    return float(2 * config["num_hidden_layers"] * (4 * width * width + 2 * width * inner))


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path)
    parser.add_argument("--variant", default="fp32")
    parser.add_argument("--rows", type=int, default=ROWS)
    asked = parser.parse_args()
    if not DATA.exists():
        sys.stdout.write("the real data are not here: nothing measured\n")
        return
    texts = [line for line in DATA.read_text("utf-8").split("\n") if line.strip()][: asked.rows]
    load = os.getloadavg()
    with tempfile.TemporaryDirectory() as name:
        own = write(Path(name))
        place = asked.model or own
        model = cauce.load(place, asked.variant)
        runtime = model.runtime
        assert isinstance(runtime, TokenRuntime)
        model.warm_up()
        peer = pipeline(Path(name) / "peer")
        few = texts[: min(PEER_ROWS, len(texts))]
        rates = in_turns(
            {
                "cauce": (len(texts), lambda: model.predict(texts)),
                "by hand": (len(texts), lambda: by_hand(runtime, texts)),
                "transformers.pipeline": (len(few), lambda: peer(few)),
            }
        )
        alone = one_text(model, texts)
        tokens = float(runtime.encode(pa.RecordBatch.from_arrays([pa.array(texts)], ["text"])).cost.mean())
        per_text = tokens * flops(json.loads((place / encoder.CONFIG).read_bytes()))
        most = peak()
    result = {
        "variant": model.variant,
        "runtime": type(runtime._session).__module__.rpartition(".")[2],
        "texts": len(texts),
        "tokens_a_text": round(tokens, 1),
        "batch_cost": runtime.batch_cost,
        "texts_per_second": rates,
        "ratio_to_pipeline": round(rates["cauce"]["median"] / rates["transformers.pipeline"]["median"], 2),
        "ratio_to_by_hand": round(rates["cauce"]["median"] / rates["by hand"]["median"], 3),
        "one_text": alone,
        "gemm_gflops": most,
        "share_of_gemm_peak": round(rates["cauce"]["median"] * per_text / max(most.values()) / 1e9, 3),
        "runs": RUNS,
        "load": {"before": [round(x, 2) for x in load], "after": [round(x, 2) for x in os.getloadavg()]},
        "threads": threads(),
        **machine("numpy", "onnxruntime", "openvino", "tokenizers", "torch", "transformers"),
    }
    before = json.loads(RESULT.read_text("utf-8")) if RESULT.exists() else {}
    RESULT.write_text(json.dumps(before | {model.variant: result}, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
