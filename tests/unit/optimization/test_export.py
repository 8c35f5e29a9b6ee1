"""A model for other programs: each form answers as the model does."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

import cauce
from cauce.errors import InputError, OutputExists, UnknownName
from cauce.model import folder
from cauce.model.golden import HARD_TEXTS
from cauce.model.manifest import Calibration
from cauce.optimization.export import export
from cauce.optimization.importing import take_in
from cauce.optimization.reading import with_normalizer
from cauce.recipes.build import seal
from cauce.text.normalize import Normalizer

TEXTS = [
    "Hola, ¡qué horror! https://a.b",
    "@ana me encanta",
    "the parcel came late and broken",
    "😍\u200b😍",
    "x",
    "nada " * 60,
]
LABELS = ("bad", "good")


@pytest.fixture(scope="module")
def model(hugging_face: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model as a training leaves it: with a normalizer and a temperature."""
    room = tmp_path_factory.mktemp("trained") / "model"
    take_in(hugging_face("roberta", *LABELS), out=room)
    manifest = cauce.load(room).manifest.model_copy(
        update={"normalizer": Normalizer(lowercase=False, repeats=0), "calibration": Calibration(temperature=1.7)}
    )
    files = [name for name in manifest.files if name != folder.GOLDEN]
    seal(room, manifest, files, [{"text": text} for text in HARD_TEXTS])
    return room


def scores(logits: np.ndarray, told: dict[str, Any]) -> np.ndarray:
    """As a program would make them of `labels.json`."""
    assert told["scores"] == "softmax"
    powers = np.exp(logits / told["temperature"])
    return powers / powers.sum(axis=1, keepdims=True)


def feeds(out: Path) -> list[dict[str, np.ndarray]]:
    """Ids and mask of each text, made with what was exported alone."""
    tokenizer = Tokenizer.from_file(str(out / "tokenizer.json"))
    tokenizer.enable_truncation(json.loads((out / "labels.json").read_bytes())["max_tokens"])
    ids = [np.array([tokenizer.encode(text).ids]) for text in TEXTS]
    return [{"input_ids": one, "attention_mask": np.ones_like(one)} for one in ids]


def test_one_onnx_file_answers_alone(model: Path, tmp_path: Path) -> None:
    import onnxruntime

    done = export(model, to="onnx", out=tmp_path / "out")
    assert done.files == ("labels.json", "model.onnx", "tokenizer.json")
    session = onnxruntime.InferenceSession((tmp_path / "out/model.onnx").read_bytes())  # no folder: nothing beside it
    logits = np.concatenate([session.run(["logits"], one)[0] for one in feeds(tmp_path / "out")])
    told = json.loads((tmp_path / "out/labels.json").read_bytes())
    assert tuple(told["labels"]) == LABELS
    np.testing.assert_allclose(scores(logits, told), cauce.load(model).predict(TEXTS).scores, atol=1e-5)


def test_the_files_of_openvino_answer_alone(model: Path, tmp_path: Path) -> None:
    import openvino

    done = export(model, to="openvino", out=tmp_path / "out")
    assert done.files == ("labels.json", "model.bin", "model.xml", "tokenizer.json")
    network = openvino.Core().compile_model(tmp_path / "out/model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    logits = np.concatenate([network(one)["logits"] for one in feeds(tmp_path / "out")])
    told = json.loads((tmp_path / "out/labels.json").read_bytes())
    np.testing.assert_allclose(scores(logits, told), cauce.load(model).predict(TEXTS).scores, atol=1e-5)


def test_a_folder_of_transformers_answers_the_same_and_comes_back(model: Path, tmp_path: Path) -> None:
    import transformers

    done = export(model, to="hf", out=tmp_path / "out")
    assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} <= set(done.files)
    assert done.notes == ()
    wanted = cauce.load(model).predict(TEXTS).scores
    net = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "out")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    ask = transformers.pipeline("text-classification", model=net, tokenizer=tokenizer, device="cpu", top_k=None)
    found = [{one["label"]: one["score"] for one in answer} for answer in ask(TEXTS, truncation=True, batch_size=3)]
    np.testing.assert_allclose([[one[label] for label in LABELS] for one in found], wanted, atol=1e-5)
    back = take_in(tmp_path / "out", out=tmp_path / "back")
    np.testing.assert_allclose(back.model.predict(TEXTS).scores, wanted, atol=1e-5)


def test_an_encoder_comes_back_with_its_pooling(hugging_face: Callable[..., Path], tmp_path: Path) -> None:
    first = take_in(hugging_face("bert"), out=tmp_path / "model")
    assert "the mean of its tokens" in first.notes[0]
    export(tmp_path / "model", to="hf", out=tmp_path / "out")
    back = take_in(tmp_path / "out", out=tmp_path / "back")
    assert (back.model.task, back.notes) == ("embedding", ())
    vectors = [np.array(one.model.embed(TEXTS).to_pylist()) for one in (first, back)]
    np.testing.assert_allclose(*vectors, atol=1e-6)


@pytest.mark.parametrize("normalizer", [Normalizer(lowercase=False, repeats=0), Normalizer(lowercase=False, urls=False), None])
def test_the_exported_tokenizer_normalizes_as_the_model_does(normalizer: Normalizer | None, model: Path) -> None:
    raw = (model / "tokenizer.json").read_bytes()
    made, notes = with_normalizer(raw, normalizer)
    assert notes == ()
    plain, exported = Tokenizer.from_buffer(raw), Tokenizer.from_buffer(made)
    odd = [
        "@http://x.y",
        "a@b http://x/@y",
        "WWW.x www.x",
        "e\u0301\u200b@e\u0301",
        " \t a\x1d\u3000b ",
        "aaaa!!!!9999 ²²²²",
        "",
    ]
    for text in (*HARD_TEXTS, *odd):
        assert exported.encode(text).tokens == plain.encode(normalizer.reference(text) if normalizer else text).tokens, text


def test_what_a_tokenizer_cannot_do_is_said(model: Path) -> None:
    _, notes = with_normalizer((model / "tokenizer.json").read_bytes(), Normalizer(html=True, spelling=True))
    assert "strip HTML" in notes[0]
    assert "correct the spelling" in notes[1]


def test_what_cannot_be_exported_is_refused_with_what_can(model: Path, model_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="linear is no network, and cannot be exported to onnx") as refused:
        export(model_folder, to="onnx", out=tmp_path / "out")
    assert "mlflow" in refused.value.hint
    with pytest.raises(UnknownName, match="no format") as unknown:
        export(model, to="onxn", out=tmp_path / "out")
    assert '"onnx"' in unknown.value.hint
    with pytest.raises(UnknownName, match='no variant "int4"'):
        export(model, to="onnx", out=tmp_path / "out", variant="int4")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").write_text("mine")
    with pytest.raises(OutputExists):
        export(model, to="onnx", out=tmp_path / "full")
    assert not (tmp_path / "out").exists()
