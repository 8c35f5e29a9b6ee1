"""The LSTM recipe, on nets of a few numbers: what it learns, where its vectors come from, what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

import cauce
from cauce.data.columns import Columns
from cauce.errors import (
    CauceError,
    EmptyData,
    FileMissing,
    InputError,
    MissingExtra,
    NotComparable,
    TooFewLabels,
    UnknownName,
    UnreadableData,
)
from cauce.recipes import embeddings, loop, lstm
from cauce.recipes.graph import state_dict
from cauce.recipes.lstm import Classifier, Options
from cauce.recipes.train import Run

QUICK = {"epochs": "3", "batch": "8", "size": "8", "width": "8", "rate": "0.03", "dropout": "0.1", "embeddings": "learnt"}
ONE = Columns(label=("label",), ignore=("tags", "value"))
SEVERAL = Columns(label=("tags",), label_delimiter=";", ignore=("label", "value"))
NUMBER = Columns(label=("value",), task="regression", ignore=("label", "tags"))


def trained(data: Path, out: Path, columns: Columns = ONE, **options: str) -> Run:
    return cauce.train(data, recipe="lstm", out=out, columns=columns, options={**QUICK, **options})


@pytest.fixture(scope="module")
def run(wordy: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return trained(wordy, tmp_path_factory.mktemp("lstm") / "model")


def vectors_of(path: Path, width: int = 6) -> Path:
    rng = np.random.default_rng(0)
    words = ("bueno", "genial", "malo", "Roto", "app", "otra")
    path.write_text("".join(f"{word} {' '.join(f'{x:.3f}' for x in rng.standard_normal(width))}\n" for word in words))
    return path


def test_it_learns_and_answers_from_its_folder_as_it_was_measured(run: Run) -> None:
    assert run.report.metrics["macro_f1"].value > 0.9
    again = cauce.load(run.folder)
    assert again.predict(["genial bueno 7"])[0].label == "g"
    assert json.loads((run.folder / "cauce.json").read_text())["limits"]["max_tokens"] == 128
    assert {one.name for one in run.folder.iterdir()} >= {"model.onnx", "weights.safetensors", "tokenizer.json"}


def test_the_same_seed_gives_the_same_version_for_any_number_of_threads(
    run: Run, wordy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "threads", lambda: 3)
    assert trained(wordy, tmp_path / "again").model.version == run.model.version


def test_an_answer_does_not_depend_on_its_neighbors(run: Run) -> None:
    texts = ["roto", "nunca tarde " * 40, "", "🤷", "genial bueno app app 12", "zzz"]
    together = run.model.predict(texts).scores
    alone = np.concatenate([run.model.predict([text]).scores for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-6)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("layers", [1, 2])
def test_padding_changes_no_answer(cell: str, layers: int, *, bidirectional: bool) -> None:
    torch.manual_seed(0)
    options = Options.model_validate({"cell": cell, "layers": layers, "bidirectional": bidirectional, "width": 5})
    net = Classifier(np.random.default_rng(0).standard_normal((9, 4)).astype(np.float32), 1, 3, options).eval()
    ids = torch.tensor([[3, 4, 5, 0, 0, 0], [6, 7, 8, 3, 4, 5]])
    mask = (ids > 0).long()
    logits, pooled, hidden = net(ids, mask)
    alone = net(ids[:1, :3], mask[:1, :3])
    assert logits.shape == (2, 3)
    for found, expected in zip((logits[:1], pooled[:1], hidden[:1, :3]), alone, strict=True):
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def test_several_labels_and_a_number_are_learnt_too(wordy: Path, tmp_path: Path) -> None:
    several = trained(wordy, tmp_path / "tags", SEVERAL)
    assert "app" in (several.model.predict(["roto malo app app"])[0].labels or ())
    number = trained(wordy, tmp_path / "value", NUMBER, epochs="6", dropout="0")
    assert number.model.predict(["bueno genial"])[0].score == pytest.approx(1000, abs=200)
    assert number.model.predict(["nunca tarde"])[0].score == pytest.approx(2000, abs=200)


@pytest.mark.parametrize("source", ["cbow", "skip-gram", "file", "encoder"])
def test_vectors_may_come_from_elsewhere(source: str, wordy: Path, tiny_base: Path, tmp_path: Path) -> None:
    if source in ("cbow", "skip-gram"):
        pytest.importorskip("gensim")
    place = {"file": str(vectors_of(tmp_path / "six.txt")), "encoder": str(tiny_base)}.get(source, source)
    run = trained(wordy, tmp_path / "model", embeddings=place, epochs="2")
    assert run.report.metrics["macro_f1"].value > 0.8
    assert any("six.txt has" in note for note in run.notes) == (source == "file")


@pytest.mark.parametrize("frozen", [True, False])
def test_frozen_vectors_stay_as_they_come(wordy: Path, tmp_path: Path, *, frozen: bool) -> None:
    path = vectors_of(tmp_path / "six.txt")
    first = embeddings.embeddings(str(path), pa.array(["bueno"]), width=8, vocabulary=100, seed=0).table[2]
    run = trained(wordy, tmp_path / "model", embeddings=str(path), frozen=str(frozen), epochs="1")
    table = state_dict(run.folder)["vectors.weight"].numpy()
    assert any(np.allclose(first, row) for row in table) == frozen


def test_tokens_made_from_the_texts_are_the_same_in_every_process() -> None:
    """Python's and the library's hashes differ from process to process."""
    code = (
        "import hashlib, pyarrow as pa; from cauce.recipes.embeddings import embeddings;"
        "texts = pa.array([f'alpha beta{n % 7} gamma{n % 5}s ñandú {n}' for n in range(200)]);"
        "print(hashlib.sha256(embeddings('learnt', texts, width=4, vocabulary=200, seed=0).tokenizer).hexdigest())"
    )
    found = {subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(2)}
    assert len(found) == 1


def test_words_of_the_file_that_training_never_saw_keep_their_vectors(tmp_path: Path) -> None:
    start = embeddings.embeddings(str(vectors_of(tmp_path / "v.txt")), pa.array(["bueno"]), width=8, vocabulary=100, seed=0)
    known = json.loads(start.tokenizer)["model"]["vocab"]
    assert {"bueno", "roto", "otra"} <= set(known)
    assert start.table.shape == (len(known), 6)


def test_a_teacher_teaches_in_whatever_order_its_labels_are(run: Run, wordy: Path, tmp_path: Path) -> None:
    more = tmp_path / "more.txt"
    more.write_text("genial app\nroto nunca\ntarde tarde\n" * 10, encoding="utf-8")
    taught = trained(wordy, tmp_path / "taught", teacher=str(run.folder), unlabelled=str(more), soft="1.0")
    assert taught.report.metrics["macro_f1"].value > 0.9
    assert any("the teacher labeled 30 texts" in note for note in taught.notes)
    told = json.loads((taught.folder / "cauce.json").read_text())["recipe"]["parameters"]
    assert told["teacher"] == run.model.version
    assert len(told["unlabelled"]) == 64


def test_a_teacher_of_a_number_and_of_another_task(wordy: Path, tmp_path: Path) -> None:
    number = trained(wordy, tmp_path / "value", NUMBER, epochs="6", dropout="0")
    taught = trained(wordy, tmp_path / "taught-value", NUMBER, teacher=str(number.folder), soft="1.0", epochs="6", dropout="0")
    assert taught.model.predict(["nunca tarde"])[0].score == pytest.approx(2000, abs=300)
    with pytest.raises(NotComparable, match="a model of regression, the data are of multilabel"):
        trained(wordy, tmp_path / "none", SEVERAL, teacher=str(number.folder))


def test_a_teacher_of_several_labels(wordy: Path, tmp_path: Path) -> None:
    several = trained(wordy, tmp_path / "tags", SEVERAL)
    taught = trained(wordy, tmp_path / "taught-tags", SEVERAL, teacher=str(several.folder), soft="1.0")
    assert "app" in (taught.model.predict(["roto malo app app"])[0].labels or ())


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        ({"embeddings": "glove.txt"}, FileMissing, "no file glove.txt"),
        ({"embeddings": "{room}/half.txt"}, UnreadableData, "ends within a line"),
        ({"embeddings": "{room}/width.txt"}, UnreadableData, "2 numbers, where"),
        ({"embeddings": "{room}/chinese.txt"}, EmptyData, "no vector of any word"),
        ({"unlabelled": "{room}/empty.txt"}, InputError, "need a teacher"),
        ({"unlabelled": "{room}/empty.txt", "teacher": "{room}"}, EmptyData, "no texts"),
        ({"teacher": "{room}/nothing"}, CauceError, "nothing"),
        ({"teacher": "{linear}"}, NotComparable, "the teacher has the labels"),
        ({"cell": "rnn"}, InputError, "cell"),
        ({"widht": "8"}, UnknownName, "widht"),
        ({"device": "cuda"}, InputError, 'no device "cuda"'),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_trained(
    options: dict[str, str],
    kind: type[CauceError],
    said: str,
    wordy: Path,
    model_folder: Path,
    tmp_path: Path,
) -> None:
    (tmp_path / "half.txt").write_text("bueno 1 2 3\nmalo 1")
    (tmp_path / "width.txt").write_text("bueno 1 2 3\nmalo 1 2\nroto 1 2 3\n")
    (tmp_path / "chinese.txt").write_text("好 1 2 3\n", encoding="utf-8")
    (tmp_path / "empty.txt").write_text("\n\n")
    places = {"room": tmp_path, "linear": model_folder}
    with pytest.raises(kind, match=said) as caught:
        trained(wordy, tmp_path / "model", **{name: value.format(**places) for name, value in options.items()})
    assert caught.value.hint or caught.value.where
    assert not (tmp_path / "model").exists()


def test_more_labels_than_rows(tmp_path: Path) -> None:
    for name, start in (("train", 0), ("dev", 0)):
        rows = [f"texto {i},{';'.join(f't{10 * i + k}' for k in range(10))}" for i in range(start, start + 6)]
        (tmp_path / f"{name}.csv").write_text("text,tags\n" + "\n".join(rows), encoding="utf-8")
    with pytest.raises(TooFewLabels, match="60 labels for 6 rows"):
        cauce.train(
            tmp_path / "train.csv",
            dev=tmp_path / "dev.csv",
            recipe="lstm",
            out=tmp_path / "model",
            columns=Columns(label=("tags",), label_delimiter=";"),
            options=dict(QUICK),
        )


def test_a_table_without_one_text_is_refused(orders: Path, tmp_path: Path) -> None:
    columns = Columns(text=("title", "body"), label=("kept",), ignore=("tags", "price", "color", "size", "paid"))
    with pytest.raises(InputError, match="reads one column of texts"):
        trained(orders, tmp_path / "model", columns)


@pytest.mark.parametrize(("source", "package", "extra"), [("cbow", "gensim", "word2vec"), ("minilm", "gt_all", "minilm")])
def test_a_missing_extra_names_its_pip_line(
    source: str, package: str, extra: str, wordy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib

    real = importlib.import_module

    def absent(name: str, *arguments: Any) -> Any:
        if name.startswith(package):
            raise ModuleNotFoundError(name=name)
        return real(name, *arguments)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(MissingExtra) as caught:
        trained(wordy, tmp_path / "model", embeddings=source)
    assert f"cauce[{extra}]" in caught.value.hint


def test_the_presets_are_options_that_there_are() -> None:
    for preset in Options.PRESETS.values():
        assert set(preset) <= set(Options.model_fields)
    assert lstm.RUNTIME == "onnx"
