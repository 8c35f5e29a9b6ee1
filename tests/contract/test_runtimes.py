"""One contract over every runtime: rows in, logits out, whatever the batch, from many threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import cauce
from cauce.model.model import echo_model
from cauce.runtimes.base import RUNTIMES
from cauce.runtimes.echo import Echo

TEXTS = ["hola", "¡Qué maravilla! 😍", "banana " * 300, "a", "man\u0303ana ΣΑΣ", "нет", "no está nada mal", "ok"] * 40


@pytest.fixture(params=["linear", "onnx", "openvino", "echo", "echo in small batches", "echo alone"])
def model(request: pytest.FixtureRequest, model_folder: Path) -> cauce.Model:
    if request.param in ("onnx", "openvino"):
        return cauce.load(request.getfixturevalue("encoder_folders")[request.param])
    if request.param == "linear":
        return cauce.load(model_folder)
    options = {"echo": Echo(), "echo in small batches": Echo(batch_cost=500), "echo alone": Echo(batching="single")}
    return echo_model(options[request.param])


def batch(texts: list[str], kind: pa.DataType | None = None) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(texts, kind)], ["text"])


def test_every_runtime_that_is_listed_is_tested(model_folder: Path) -> None:
    assert set(RUNTIMES) == {"linear", "echo", "onnx", "openvino"}


def test_encoded_rows_know_their_cost_and_can_be_taken(model: cauce.Model) -> None:
    encoded = model.runtime.encode(batch(TEXTS))
    assert encoded.cost.shape == encoded.truncated.shape == (len(TEXTS),)
    assert encoded.cost.dtype == np.int32
    assert encoded.cost[2] > encoded.cost[3] > 0
    picked = np.array([5, 0, 2])
    assert np.array_equal(encoded.take(picked).cost, encoded.cost[picked])
    assert np.allclose(model.runtime.forward(encoded.take(picked)), model.runtime.forward(encoded)[picked], atol=1e-5)


def test_logits_are_float32_one_row_each(model: cauce.Model) -> None:
    logits = model.runtime.forward(model.runtime.encode(batch(TEXTS)))
    assert logits.shape == (len(TEXTS), len(model.labels))
    assert logits.dtype == np.float32


def test_an_answer_does_not_depend_on_its_neighbours(model: cauce.Model) -> None:
    whole = model.predict(TEXTS).scores
    order = np.random.default_rng(0).permutation(len(TEXTS))
    assert np.abs(model.predict([TEXTS[i] for i in order]).scores - whole[order]).max() <= 1e-6
    assert np.abs(np.concatenate([model.predict(text).scores for text in TEXTS[:24]]) - whole[:24]).max() <= 1e-6


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())], ids=str
)
def test_every_kind_of_arrow_text_is_read_sliced_too(model: cauce.Model, kind: pa.DataType) -> None:
    plain = pa.array(TEXTS)
    column = plain.cast(kind) if not pa.types.is_dictionary(kind) else plain.dictionary_encode()
    rows = pa.RecordBatch.from_arrays([column], ["text"]).slice(3, 17)
    assert np.allclose(model.predict(rows).scores, model.predict(TEXTS[3:20]).scores, atol=1e-6)


def test_no_rows_give_no_answers(model: cauce.Model) -> None:
    assert len(model.predict([])) == 0
    assert model.predict_arrow(batch([])).num_rows == 0


def test_threads_share_a_model(model: cauce.Model) -> None:
    alone = model.predict(TEXTS).scores
    with ThreadPoolExecutor(8) as pool:
        assert all(np.array_equal(scores, alone) for scores in pool.map(lambda _: model.predict(TEXTS).scores, range(24)))


def test_warm_up_changes_nothing(model: cauce.Model) -> None:
    model.warm_up()
    assert len(model.predict(["hola"])) == 1
