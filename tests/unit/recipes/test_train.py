"""Training: the same data give the same model, its parts are honest, and its folder is what was measured."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import cauce
from cauce.data.read import read


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


def test_a_model_of_noise_is_not_said_to_be_good(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    words = ["uno", "dos", "tres", "cuatro", "cinco", "seis"]
    lines = [f"{' '.join(random.choice(words, 8))} {i},{random.choice(['a', 'b'])}" for i in range(400)]
    (tmp_path / "noise.csv").write_text("text,label\n" + "\n".join(lines))
    run = cauce.train(tmp_path / "noise.csv", out=tmp_path / "model")
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
