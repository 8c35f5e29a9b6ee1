"""Training: the same data give the same model, its parts are honest, and its folder is what was measured."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import cauce
from cauce.api import abstain
from cauce.data.augment import Augment
from cauce.data.columns import Columns
from cauce.data.dataset import Dataset
from cauce.data.read import read
from cauce.errors import FileGone, InputError, Tampered
from cauce.evaluation import classification
from cauce.model.scores import to_scores
from cauce.recipes import linear
from cauce.recipes.build import RECIPES
from cauce.text.normalize import Normalizer


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory, messages: Path) -> dict[str, Path]:
    """The example messages cut in three, by hand."""
    folder = tmp_path_factory.mktemp("parts")
    with messages.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    out = {}
    for name, part in (("train", rows[:400]), ("dev", rows[400:550]), ("test", rows[550:])):
        out[name] = folder / f"{name}.csv"
        with out[name].open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, ["text", "label"], extrasaction="ignore")
            writer.writeheader()
            writer.writerows(part)
    return out


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_same_data_give_the_same_version_for_any_number_of_threads(
    threads: int, model_folder: Path, messages: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "cauce", "train", str(messages), "--out", str(tmp_path / "model"), "--json"]
    done = subprocess.run(
        command, env={**os.environ, "CAUCE_THREADS": str(threads)}, capture_output=True, timeout=90, check=True
    )
    assert json.loads(done.stdout)["version"] == cauce.load(model_folder).version
    assert (tmp_path / "model" / "weights.safetensors").read_bytes() == (model_folder / "weights.safetensors").read_bytes()


def test_the_saved_model_is_the_one_that_was_measured(parts: dict[str, Path], tmp_path: Path) -> None:
    run = cauce.train(parts["train"], dev=parts["dev"], test=parts["test"], out=tmp_path / "model")
    again = cauce.evaluate(tmp_path / "model", parts["test"])
    assert run.measured_on == "test"
    assert again.metrics == run.report.metrics
    assert json.loads((tmp_path / "model/evidence/metrics.json").read_text())["metrics"] == again.as_dict()["metrics"]
    assert run.rows == {"train": 400, "dev": 150, "test": 210}
    assert run.beats_majority
    assert "dev figures" not in run.verdict


def test_with_dev_alone_nothing_is_held_out_and_it_says_so(parts: dict[str, Path], tmp_path: Path) -> None:
    run = cauce.train(parts["train"], dev=parts["dev"], out=tmp_path / "model")
    assert run.measured_on == "dev"
    assert run.rows == {"train": 400, "dev": 150}
    assert "dev figures" in run.verdict


def test_with_test_alone_dev_is_cut_from_the_training_data(parts: dict[str, Path], tmp_path: Path) -> None:
    run = cauce.train(parts["train"], test=parts["test"], out=tmp_path / "model")
    assert run.rows["train"] + run.rows["dev"] == 400
    assert run.rows["test"] == 210


def test_texts_that_are_in_training_and_test_are_told(parts: dict[str, Path], tmp_path: Path) -> None:
    leak = tmp_path / "leak.csv"
    leak.write_text(
        parts["test"].read_text("utf-8") + "".join(parts["train"].read_text("utf-8").splitlines(True)[1:4]), "utf-8"
    )
    run = cauce.train(parts["train"], dev=parts["dev"], test=leak, out=tmp_path / "model")
    assert any(note.startswith("3 row(s) of test") for note in run.notes)


def test_augmented_rows_are_trained_on_and_the_manifest_says_how(parts: dict[str, Path], tmp_path: Path) -> None:
    augment = Augment.parse("accents,typos:2")
    arguments = {"dev": parts["dev"], "test": parts["test"], "name": "m"}
    run, again = (cauce.train(parts["train"], out=tmp_path / out, augment=augment, **arguments) for out in ("a", "b"))
    plain = cauce.train(parts["train"], out=tmp_path / "plain", **arguments)
    assert run.model.version == again.model.version != plain.model.version
    assert run.model.manifest.recipe.parameters["augment"] == {"copies": {"accents": 1, "typos": 2}, "share": 0.1}
    assert "augment" not in plain.model.manifest.recipe.parameters
    assert run.model.manifest.data == plain.model.manifest.data  # the rows as they were given
    assert run.rows == {"train": 400, "dev": 150, "test": 210}
    assert any(note.startswith("augmented: ") for note in run.notes)
    before, after = ((tmp_path / out / "weights.safetensors").stat().st_size for out in ("plain", "a"))
    assert after > before  # n-grams of the copies


def test_html_and_spelling_are_part_of_the_model(parts: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "model"
    run = cauce.train(parts["train"], dev=parts["dev"], out=out, normalizer=Normalizer(html=True, spelling=True))
    known = json.loads((out / "spelling.json").read_text("utf-8"))
    common = max((word for word in known if len(word) > 7), key=lambda word: known[word])
    fault = common[:-3] + common[-2] + common[-3] + common[-1]
    model = cauce.load(out)
    right, wrong, tagged = model.predict(
        [f"hola {common}", f"hola {fault}", f"<p>hola <b>{common[:4]}</b>{common[4:]}</p>"]
    ).scores
    assert (right == wrong).all()
    assert (right == tagged).all()
    assert "spelling.json" in model.manifest.files
    assert any("every word of your training texts" in note for note in run.notes)
    for text in (f"¡Hola! <i>{fault}</i> &amp; ΣΑΣ @ana", "😍", *read(parts["test"]).texts().to_pylist()[:20]):
        said = model.explain(text)
        logits, _, _ = model.logits(pa.RecordBatch.from_pydict({"text": [text]}))
        assert sum(share for _, share in said.contributions) + said.bias == pytest.approx(said.logit)
        assert logits[0, model.labels.index(said.label)] == pytest.approx(said.logit, abs=1e-4)


def test_typing_faults_of_copies_are_not_learned_as_words(parts: dict[str, Path], tmp_path: Path) -> None:
    for out, augment in (("plain", None), ("augmented", Augment.parse("typos,share=1"))):
        cauce.train(parts["train"], dev=parts["dev"], out=tmp_path / out, normalizer=Normalizer(spelling=True), augment=augment)
    plain, augmented = ((tmp_path / out / "spelling.json").read_bytes() for out in ("plain", "augmented"))
    assert plain == augmented


def test_a_dictionary_that_is_gone_or_changed_refuses_the_folder(parts: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "model"
    cauce.train(parts["train"], dev=parts["dev"], out=out, normalizer=Normalizer(spelling=True))
    whole = (out / "spelling.json").read_bytes()
    (out / "spelling.json").write_bytes(whole.replace(b"1", b"2", 1))
    with pytest.raises(Tampered):
        cauce.load(out)
    (out / "spelling.json").unlink()
    with pytest.raises(FileGone):
        cauce.load(out)


def test_a_model_of_noise_is_not_said_to_be_good(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    words = ["uno", "dos", "tres", "cuatro", "cinco", "seis"]
    lines = [f"{' '.join(random.choice(words, 8))} {i},{random.choice(['a', 'b'])}" for i in range(2000)]
    (tmp_path / "noise.csv").write_text("text,label\n" + "\n".join(lines))
    run = cauce.train(tmp_path / "noise.csv", out=tmp_path / "model")
    assert run.against["majority"].better == "b"  # a macro F1 of about 0.5 against 0.33: that alone says nothing
    assert not run.beats_majority
    assert "NOT shown to be better than answers at random" in run.verdict
    low, high = (getattr(run.report.metrics["accuracy"], end) for end in ("low", "high"))
    assert low < 0.5 < high


def test_a_model_of_the_spanish_half_beats_majority_on_real_spanish_tweets(
    messages: Path, tmp_path: Path, real_data: Callable[[str], Path]
) -> None:
    with messages.open(encoding="utf-8", newline="") as file:
        spanish = [row for row in csv.DictReader(file) if row["language"] == "es"]
    with (tmp_path / "es.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(spanish[0]))
        writer.writeheader()
        writer.writerows(spanish)
    for part in ("text", "labels"):
        name = f"test_{part}.txt"
        (tmp_path / name).write_bytes((real_data("umsab/spanish") / name).read_bytes())
    (tmp_path / "mapping.txt").write_text("0\tnegative\n1\tneutral\n2\tpositive\n")
    run = cauce.train(tmp_path / "es.csv", test=tmp_path / "test_text.txt", out=tmp_path / "model")
    assert run.rows["test"] == 870
    assert run.report.metrics["macro_f1"].low > run.majority.metrics["macro_f1"].high
    assert run.report.metrics["accuracy"].low > run.majority.metrics["accuracy"].value  # the classes are balanced: 1/3


def test_the_real_tweets_of_a_pair_train_a_model(tmp_path: Path, real_data: Callable[[str], Path]) -> None:
    emotion = real_data("tweeteval/emotion")
    run = cauce.train(
        emotion / "train_text.txt", dev=emotion / "val_text.txt", test=emotion / "test_text.txt", out=tmp_path / "model"
    )
    assert run.model.labels == ("anger", "joy", "optimism", "sadness")
    assert run.rows == {"train": 3257, "dev": 374, "test": 1421}
    assert run.report.metrics["macro_f1"].low > 0.55


def test_the_example_data_are_what_their_page_says(messages: Path) -> None:
    with messages.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= 600
    assert len({row["text"].casefold() for row in rows}) == len(rows)
    assert abs(sum(row["language"] == "es" for row in rows) * 2 - len(rows)) < 20
    assert {row["label"] for row in rows} == {"negative", "neutral", "positive"} == set(read(messages).counts())
    assert {row["topic"] for row in rows} == {"product", "delivery", "app", "bank", "restaurant", "transport"}
    assert len({row["country"] for row in rows if row["language"] == "es"}) >= 6


def test_every_training_says_whether_it_beats_the_majority_by_the_paired_test(parts: dict[str, Path], tmp_path: Path) -> None:
    run = cauce.train(parts["train"], dev=parts["dev"], test=parts["test"], out=tmp_path / "model")
    one = run.against["majority"]
    assert set(run.against) == {"majority"}
    assert run.linear is None
    assert (one.metric, one.a, one.b) == (
        "macro_f1",
        run.majority.metrics["macro_f1"].value,
        run.report.metrics["macro_f1"].value,
    )
    assert one.better == "b"
    assert f"better than the most frequent label by {one.by}, beyond chance" in run.verdict
    assert json.loads((tmp_path / "model/evidence/metrics.json").read_text())["against"]["majority"]["better"] == "b"


def test_a_model_that_is_no_better_than_the_majority_is_not_said_to_be(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    words = ["uno", "dos", "tres", "cuatro", "cinco", "seis"]
    lines = [f"{' '.join(random.choice(words, 8))} {i},{random.integers(0, 100)}.5" for i in range(300)]
    (tmp_path / "noise.csv").write_text("text,label\n" + "\n".join(lines))
    run = cauce.train(tmp_path / "noise.csv", out=tmp_path / "model")
    assert not run.beats_majority
    assert "better than the mean" not in run.verdict.replace("NOT shown to be better than the mean", "")


def test_another_recipe_is_measured_against_the_linear_one(
    parts: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Weak:
        """The linear recipe that sees twenty rows only."""

        RUNTIME, VARIANT, NORMALIZER, Options = linear.RUNTIME, linear.VARIANT, linear.NORMALIZER, linear.Options

        @staticmethod
        def train(data: Dataset, *others: Any, **named: Any) -> linear.Fitted:
            return linear.train(data.take(np.arange(20)), *others, **named)

    monkeypatch.setitem(sys.modules, "weak_recipe", Weak)  # type: ignore[arg-type]
    monkeypatch.setitem(RECIPES, "weak", "weak_recipe")
    arguments = {"dev": parts["dev"], "test": parts["test"]}
    strong = cauce.train(parts["train"], out=tmp_path / "strong", **arguments)
    run = cauce.train(parts["train"], out=tmp_path / "weak", recipe="weak", **arguments)
    assert set(run.against) == {"majority", "linear"}
    assert run.linear is not None
    assert run.linear.metrics == strong.report.metrics
    assert run.against["linear"].better == "a"
    assert "WORSE than the linear recipe by " in run.verdict


def test_scores_are_chances_on_dev(parts: dict[str, Path], tmp_path: Path) -> None:
    run = cauce.train(parts["train"], dev=parts["dev"], test=parts["test"], out=tmp_path / "model")
    warm = run.model.manifest.calibration.temperature
    dev = read(parts["dev"])
    truth = dev.truth(run.model.labels)
    losses = []
    for factor in (0.7, 1.0, 1.4):
        logits, _, _ = run.model.logits(dev.rows)
        losses.append(
            classification.report(truth, to_scores("classification", logits, warm * factor), run.model.labels).metrics[
                "log_loss"
            ]
        )
    assert losses[1].value == min(loss.value for loss in losses)


def test_the_thresholds_of_several_labels_are_of_calibrated_scores(messages: Path, tmp_path: Path) -> None:
    with messages.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    several = tmp_path / "several.csv"
    with several.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "tags"])
        writer.writerows([row["text"], f"{row['label']};{row['topic']}"] for row in rows)
    run = cauce.train(several, out=tmp_path / "model", columns=Columns(label=("tags",), label_delimiter=";"))
    calibration = run.model.manifest.calibration
    assert calibration.temperature != 1
    assert len(calibration.thresholds) == 9
    assert run.report.metrics["micro_f1"].value > run.majority.metrics["micro_f1"].value
    assert run.abstention == {}


def test_a_row_under_the_lowest_score_gets_no_label_in_any_form(parts: dict[str, Path], tmp_path: Path) -> None:
    model = cauce.train(parts["train"], dev=parts["dev"], out=tmp_path / "model").model
    texts = [*read(parts["test"]).texts().to_pylist(), ""]
    plain = model.predict(texts)
    limit = float(np.nanmedian(plain.scores.max(axis=1)))
    asked = model.predict(texts, min_score=limit)
    columns = asked.to_arrow().to_pydict()
    for row, (before, after) in enumerate(zip(plain, asked, strict=True)):
        sure = before.score is not None and before.score >= limit
        assert after.label == columns["label"][row] == (before.label if sure else None)
        assert (after.score, after.scores, after.error) == (before.score, before.scores, before.error)
    assert 0 < asked.abstained.sum() < len(texts) - 1
    for wrong in (1.5, -0.1):
        with pytest.raises(InputError, match="lowest score"):
            model.predict(texts, min_score=wrong)


def test_the_score_for_a_wanted_precision_is_kept_with_what_it_gives(parts: dict[str, Path], tmp_path: Path) -> None:
    run = cauce.train(parts["train"], dev=parts["test"], test=parts["dev"], out=tmp_path / "model")
    found = run.abstention[0.8]
    assert found is not None
    assert found == abstain(run.model, parts["dev"], min_score=found.min_score)
    chosen = abstain(run.model, parts["test"], precision=0.8)
    assert chosen is not None
    assert chosen.min_score == found.min_score
    written = json.loads((tmp_path / "model/evidence/metrics.json").read_text())["abstention"]
    assert [one["wanted"] for one in written] == [0.8, 0.9, 0.95, 0.99]
    assert written[0]["min_score"] == found.min_score
    with pytest.raises(InputError, match="not both"):
        abstain(run.model, parts["dev"], precision=0.8, min_score=0.5)
