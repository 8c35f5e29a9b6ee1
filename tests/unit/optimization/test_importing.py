"""Folders of transformers taken in as they are: the same labels and scores, or a refusal that says why."""

import json
import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import cauce
from cauce.errors import InputError, NotAnEncoder, StorageFull, UnknownName
from cauce.optimization.importing import Taken, take_in
from cauce.recipes import graph

TEXTS = [
    "Hola, ¡qué horror!",
    "me encanta",
    "the parcel came late and broken",
    "😍😍",
    "x",
    "nada " * 12,
    "no está nada mal " * 40,
]
KINDS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "bert": (("bad", "good", "so-so"), {}),
    "distilbert": (("love", "anger"), {"problem_type": "multi_label_classification"}),
    "roberta": (("stars",), {}),
}
TASKS = {"bert": "classification", "distilbert": "multilabel", "roberta": "regression"}

Make = Callable[..., Path]


@pytest.fixture(scope="module")
def imports(hugging_face: Make, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, Taken]]:
    """A folder of each kind, and what was made of it."""
    made: dict[str, tuple[Path, Taken]] = {}

    def find(kind: str) -> tuple[Path, Taken]:
        if kind not in made:
            labels, fields = KINDS[kind]
            source = hugging_face(kind, *labels, **fields)
            made[kind] = source, take_in(source, out=tmp_path_factory.mktemp("imported") / "model")
        return made[kind]

    return find


def pipeline(folder: Path, **options: Any) -> np.ndarray:
    """The scores of transformers, (n, labels), in the order of the labels."""
    import transformers

    told = json.loads((folder / "config.json").read_bytes())
    ask = transformers.pipeline("text-classification", model=str(folder), device="cpu", top_k=None, **options)
    answers = ask(TEXTS, truncation=True)
    by_label = [{one["label"]: one["score"] for one in answer} for answer in answers]
    return np.array([[scores[told["id2label"][str(k)]] for k in range(len(scores))] for scores in by_label])


@pytest.mark.parametrize("kind", KINDS)
def test_an_imported_classifier_scores_as_the_pipeline_does(kind: str, imports: Callable[[str], tuple[Path, Taken]]) -> None:
    source, taken = imports(kind)
    model = cauce.load(taken.folder)
    assert (model.task, model.labels, model.name) == (TASKS[kind], KINDS[kind][0], source.name)
    assert model.manifest.limits.max_tokens == 40
    assert model.manifest.normalizer is None
    answers = model.predict(TEXTS)
    wanted = pipeline(source, **({"function_to_apply": "none"} if kind == "roberta" else {}))
    np.testing.assert_allclose(answers.scores, wanted, atol=1e-5)
    assert np.std(answers.scores, axis=0).min() > 1e-3  # not all alike
    assert [answer.truncated for answer in answers] == [False] * 6 + [True]
    proof = json.loads((taken.folder / "evidence/parity.json").read_bytes())
    assert proof["worst"] <= 1e-4
    assert {"batch 1, length 1", "batch 7, length 2", "batch 7, length 40", "an empty text", "texts of emoji"} <= proof[
        "cases"
    ].keys()
    if kind == "roberta":
        assert "--task multilabel" in taken.notes[0]  # one label, and no problem_type
    else:
        assert taken.notes == ()


def test_an_import_has_the_same_version_wherever_its_folder_lies(
    imports: Callable[[str], tuple[Path, Taken]], tmp_path: Path
) -> None:
    source, taken = imports("bert")
    shutil.copytree(source, tmp_path / "elsewhere" / source.name)
    again = take_in(tmp_path / "elsewhere" / source.name, out=tmp_path / "model")
    assert again.model.version == taken.model.version


OTHERS = ("albert", "camembert", "deberta-v2", "electra", "modernbert", "mpnet", "xlm-roberta")


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.prove
def test_every_other_architecture_scores_as_the_pipeline_does(kind: str, hugging_face: Make, tmp_path: Path) -> None:
    source = hugging_face(kind, "bad", "good")
    take_in(source, out=tmp_path / "model")
    np.testing.assert_allclose(cauce.load(tmp_path / "model").predict(TEXTS).scores, pipeline(source), atol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", pytest.param("cls", marks=pytest.mark.prove)])
def test_an_imported_encoder_gives_the_vectors_of_sentence_transformers(
    pooling: str, hugging_face: Make, tmp_path: Path
) -> None:
    library = pytest.importorskip("sentence_transformers")
    source = tmp_path / "encoder"
    shutil.copytree(hugging_face("bert"), source)
    normalized = pooling == "mean"
    kinds = ["Transformer", "Pooling", *(["Normalize"] if normalized else [])]
    paths = ["", "1_Pooling", "2_Normalize"]
    modules = [
        {"idx": n, "name": str(n), "path": paths[n], "type": f"sentence_transformers.models.{one}"}
        for n, one in enumerate(kinds)
    ]
    for path in paths[1 : len(kinds)]:
        (source / path).mkdir()
    (source / "modules.json").write_text(json.dumps(modules))
    modes = {
        "word_embedding_dimension": 16,
        "pooling_mode_cls_token": pooling == "cls",
        "pooling_mode_mean_tokens": pooling == "mean",
    }
    (source / "1_Pooling/config.json").write_text(json.dumps(modes))
    (source / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 30, "do_lower_case": False}))
    taken = take_in(source, out=tmp_path / "model")
    assert (taken.model.task, taken.model.labels, taken.model.manifest.limits.max_tokens) == ("embedding", (), 30)
    vectors = np.array(cauce.load(tmp_path / "model").embed(TEXTS).to_pylist())
    np.testing.assert_allclose(vectors, library.SentenceTransformer(str(source), device="cpu").encode(TEXTS), atol=1e-5)


def change(path: Path, **fields: Any) -> None:
    told = json.loads(path.read_bytes()) | fields
    path.write_text(json.dumps({key: value for key, value in told.items() if value is not None}))


@pytest.mark.parametrize(
    ("fields", "message", "hint"),
    [
        ({"architectures": ["BertForTokenClassification"]}, "BertForTokenClassification, which does not classify", "embedding"),
        ({"id2label": None, "label2id": None}, "names no labels", "id2label"),
        ({"id2label": {"0": "same", "1": "same", "2": "x"}}, "not one name for each output", "id2label"),
        ({"problem_type": "ranking"}, "the problem_type is 'ranking'", "regression"),
        ({"problem_type": "regression"}, "a regression of 3 numbers", "one number"),
    ],
)
def test_a_head_that_cauce_has_no_task_for_is_refused(
    fields: dict[str, Any], message: str, hint: str, hugging_face: Make, tmp_path: Path
) -> None:
    shutil.copytree(hugging_face("bert", "bad", "good", "so-so"), tmp_path / "source")
    change(tmp_path / "source/config.json", **fields)
    with pytest.raises(NotAnEncoder, match=message) as refused:
        take_in(tmp_path / "source", out=tmp_path / "model")
    assert hint in refused.value.hint
    assert not (tmp_path / "model").exists()


def test_what_cannot_be_asked_for_is_refused_before_any_work(hugging_face: Make, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match='no task "sentiment"'):
        take_in(hugging_face("bert"), out=tmp_path / "model", task="sentiment")
    with pytest.raises(InputError, match="has no figures on labeled rows"):
        take_in(hugging_face("bert"), out=tmp_path / "model", data="dev.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing_behind(hugging_face: Make, tmp_path: Path) -> None:
    """A limit of a file's size stands for the disk."""
    source, (soft, hard) = hugging_face("bert", "bad", "good", "so-so"), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(StorageFull, match="no space left to write"):
            take_in(source, out=tmp_path / "model")
        with pytest.raises(OSError, match="too large"):
            graph.save({"a": torch.zeros(1000)}, tmp_path / "weights.safetensors")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    (tmp_path / "weights.safetensors").unlink(missing_ok=True)
    assert list(tmp_path.iterdir()) == []


def test_the_commands_say_what_they_made(hugging_face: Make, tmp_path: Path, cauce_command: Callable[..., Any]) -> None:
    """Labels without names of their own are kept, with a note; labeled rows give figures."""
    names = ("LABEL_0", "LABEL_1")
    source, rows = hugging_face("bert", *names), tmp_path / "dev.csv"
    rows.write_text("text,label\n" + "".join(f"{text},{label}\n" for text in ("hola", "me encanta") for label in names))
    done = cauce_command("import", source, "--out", tmp_path / "model", "--data", rows, "--json", timeout=300)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["labels"] == list(names)
    assert told["metrics"]["rows"] == json.loads((tmp_path / "model/evidence/metrics.json").read_bytes())["rows"] == 4
    assert b"no names of their own" in done.stderr
    assert b"warning" not in done.stderr.lower()
    exported = cauce_command("export", tmp_path / "model", "--to", "onnx", "--out", tmp_path / "out", timeout=300)
    assert exported.returncode == 0, exported.stderr
    assert b"labels.json, model.onnx, tokenizer.json" in exported.stderr
