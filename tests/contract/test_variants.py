"""Variants of real networks: int8 in onnxruntime one row a call, another engine over the model's own files."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import cauce
from cauce.batch.run import run
from cauce.errors import FileGone, GoldenFailed, NotAModel
from cauce.model import folder, gates, golden, variants
from cauce.model.files import describe
from cauce.model.gates import Gates
from cauce.model.variant import Variant, parse

TEXTS = [*golden.HARD_TEXTS, *("hola " * n + "adiós" for n in range(40))]

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture(scope="module")
def quantized(write_encoder: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny encoder with int8 weights (`int8`), and in OpenVINO without a file of its own (`openvino`)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library's own
        import onnx
        from onnxruntime.quantization import quantize_dynamic

        room = tmp_path_factory.mktemp("quantized")
        model = write_encoder(room / "model")
        (room / "int8").mkdir()
        (room / "openvino").mkdir()
        graph = onnx.load(model / "model.onnx")
        del graph.graph.value_info[:]  # shapes of before the exporter turned a product around: the quantizer trips over them
        quantize_dynamic(graph, room / "int8" / "model.onnx", per_channel=True)
    version = folder.read(model).version
    int8 = Variant(name="int8", version=version, runtime="onnx", batching="single", precision="int8")
    variants.add(model, int8, room / "int8")
    other = Variant(name="openvino", version=version, runtime="openvino", batching="free", precision="fp32")
    variants.add(model, other, room / "openvino")
    return model


@pytest.fixture
def model(quantized: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(quantized, tmp_path / "model"))


def scores(model: cauce.Model, texts: list[str]) -> npt.NDArray[np.float32]:
    return model.predict(texts).scores


@pytest.mark.parametrize("variant", ["fp32", "int8", "openvino"])
def test_an_answer_does_not_depend_on_its_neighbors(variant: str, quantized: Path) -> None:
    model = cauce.load(quantized, variant)
    whole = scores(model, TEXTS)
    order = np.random.default_rng(0).permutation(len(TEXTS))
    assert np.abs(scores(model, [TEXTS[i] for i in order]) - whole[order]).max() <= 1e-6
    assert np.abs(np.concatenate([scores(model, [text]) for text in TEXTS]) - whole).max() <= 1e-6


def test_int8_is_another_computation_of_the_same_model(quantized: Path) -> None:
    fp32, int8, other = (cauce.load(quantized, name) for name in ("fp32", "int8", "openvino"))
    assert fp32.version == int8.version == other.version
    off = np.abs(scores(fp32, TEXTS) - scores(int8, TEXTS)).max()
    assert 1e-4 < off < 0.5
    assert np.abs(scores(fp32, TEXTS) - scores(other, TEXTS)).max() < 1e-4
    assert (int8.runtime.batching, int8.precision) == ("single", "int8")


def test_a_variant_reads_what_it_lacks_from_the_model(model: Path) -> None:
    assert set(variants.read(model, "openvino").files) == {"golden.jsonl"}
    (model / "tokenizer.json").unlink()
    with pytest.raises(FileGone, match=r"tokenizer\.json is missing"):
        cauce.load(model, "int8")


def test_a_processor_that_computes_int8_wrongly_is_found_by_the_golden_rows(
    model: Path, measured: Callable[..., Gates]
) -> None:
    """The files are right, and the answers are not those of the machine that made them."""
    place = model / "variants" / "int8"
    lines = [json.loads(line) for line in (place / "golden.jsonl").read_text("utf-8").split("\n") if line]
    turned = [{**line, "scores": [float(k == np.argmin(line["scores"])) for k in range(3)]} for line in lines]
    (place / "golden.jsonl").write_text("".join(json.dumps(line) + "\n" for line in turned), "utf-8")
    made = variants.read(model, "openvino")
    own = describe(place, ["model.onnx", "golden.jsonl"])
    sealed = made.model_copy(
        update={"name": "int8", "runtime": "onnx", "batching": "single", "precision": "int8", "files": own}
    )
    (place / "variant.json").write_bytes(sealed.render())
    with pytest.raises(GoldenFailed, match="golden row 1 differs: its label is"):
        cauce.load(model, "int8")
    gates.record(measured(model, int8={"gain": 3.0}, openvino={"gain": 1.3}))
    with pytest.warns(UserWarning, match="the variant int8 does not serve: golden row 1"):
        assert cauce.load(model).variant == "openvino"
    gates.record(measured(model, int8={"gain": 3.0}, openvino={"passed": False}))
    with pytest.warns(UserWarning, match="the variant int8 does not serve: golden row 1"):
        assert cauce.load(model).variant == "fp32"


def test_a_graph_that_the_engine_cannot_open_does_not_stop_the_model(model: Path, measured: Callable[..., Gates]) -> None:
    place = model / "variants" / "int8"
    (place / "model.onnx").write_bytes(b"not a graph")
    fields = parse((place / "variant.json").read_bytes(), "variant.json", "")
    own = describe(place, ["model.onnx", "golden.jsonl"])
    (place / "variant.json").write_bytes(fields.model_copy(update={"files": own}).render())
    gates.record(measured(model, int8={}, openvino={"passed": False}))
    with pytest.raises(NotAModel, match="cannot be opened"):
        cauce.load(model, "int8")
    with pytest.warns(UserWarning, match="the variant int8 does not serve: model.onnx cannot be opened"):
        assert cauce.load(model).variant == "fp32"


def test_batch_and_python_answer_the_same_from_int8(quantized: Path, tmp_path: Path) -> None:
    model = cauce.load(quantized, "int8")
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS), "utf-8")
    run(model, [str(tmp_path / "in.jsonl")], str(tmp_path / "out"), max_error_rate=1)
    lines = [line for part in sorted((tmp_path / "out").glob("part-*")) for line in part.read_text("utf-8").split("\n") if line]
    answers = [json.loads(line) for line in lines]
    wanted = [answer for answer in model.predict(TEXTS) if answer.error is None]
    assert {answer["variant"] for answer in answers} == {"int8"}
    for answer, one in zip(answers, wanted, strict=True):
        assert answer["label"] == one.label
        assert abs(answer["score"] - one.score) <= 1e-6
