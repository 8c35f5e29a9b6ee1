"""`cauce report`, run as a person runs it: the page of a training, of new rows, beside another model, and the card."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., subprocess.CompletedProcess[bytes]]

# Each section of the card after a training and a report on new rows, and what must stand in it.
CARD = {
    "What it is": r"gives each row one label.*`linear`.*`text` \(text\).*`negative`, `neutral`, `positive`",
    "Data": r"`old\.csv`: 500 rows in all \(training \d+, dev \d+, test \d+\).*`[0-9a-f]{64}`"
    r".*Spanish \d+%.*`neutral` \d+.*doctor",
    "Intended use": r"same languages \((Spanish, English|English, Spanish)\)",
    "Not intended use": r"Decisions about a person.*figures below",
    "Figures": r"Of every 100 texts, .* about \d+ right \(between \d+ and \d+\)\..*Measured on 260 texts of new\.csv\."
    r".*\| accuracy.*\| 0\.\d{3} \| 0\.\d{3} \| 0\.\d{3} \| 0\.\d{3} \|.*ECE",
    "Label by label": r"`negative` \| \d+ \| 0\.\d{3}.*0\.\d{3} – 0\.\d{3}",
    "Limits": r"texts (in|of) .*\d+% – \d+%.*Weakest labels.*50,000 characters",
    "Languages that it does not know": r"Asked \d+ everyday sentences in French.*middle score of 0\.\d\d.*0\.\d\d",
    "Privacy": r"`golden\.jsonl` holds up to 24 rows.*up to 20 texts.*hashed n-grams",
    "Training": r"`linear`.*seed \| 0.*took \| [\d.]+ s.*cauce [\d.]+, python 3.*`C` \| `[\d.]+`",
    "Version": r"Version `[0-9a-f]{64}`.*cauce doctor.*messages@[0-9a-f]{12}.*`weights\.safetensors` \| `[0-9a-f]{64}`",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, messages: Path, cauce_command: Command) -> Path:
    """Old rows, new rows, two models of the old ones."""
    place = tmp_path_factory.mktemp("somebody")
    with messages.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for name, part in (("old", rows[:500]), ("new", rows[500:])):
        with (place / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, ["text", "label"], extrasaction="ignore")
            writer.writeheader()
            writer.writerows(part)
    for out, seed in (("model", 0), ("other", 1)):
        done = cauce_command("train", place / "old.csv", "--out", place / out, "--name", "messages", "--seed", seed)
        assert done.returncode == 0, done.stderr.decode()
    return place


def test_a_training_leaves_report_and_card_in_both_languages(place: Path, cauce_command: Command) -> None:
    listed = json.loads((place / "model/evidence/hashes.json").read_text("utf-8"))
    left = {"report.html", "report.es.html", "CARD.md", "CARD.es.md", "report.json"}
    assert {f"evidence/{name}" for name in left} <= set(listed)
    for path in (place / "model/evidence").iterdir():
        assert str(place) not in path.read_text("utf-8"), f"{path.name} names a folder of somebody's machine"
        assert place.name not in path.read_text("utf-8")
    page = place / "model/evidence/report.html"
    whole = page.read_bytes()
    page.write_bytes(whole.replace(b"about", b"abput", 1))
    try:
        assert cauce_command("predict", place / "model", "hola").returncode == 3
    finally:
        page.write_bytes(whole)


def test_the_card_of_a_training_and_new_rows_is_complete(place: Path, cauce_command: Command) -> None:
    done = cauce_command("report", place / "model", place / "new.csv", "--lang", "en", "--out", place / "CARD.md")
    assert done.returncode == 0, done.stderr.decode()
    title, *sections = (place / "CARD.md").read_text("utf-8").split("\n## ")
    assert title.strip() == "# Model card: messages"
    found = {head: body for head, _, body in (section.partition("\n") for section in sections)}
    assert list(found) == list(CARD)
    for head, pattern in CARD.items():
        assert re.search(pattern, found[head], re.DOTALL), (head, found[head])
    assert not re.search(r"\{|\bNone\b|\bnan\b", "".join(body for head, body in found.items() if head != "Training"))


def test_without_data_it_is_what_the_training_measured(place: Path, cauce_command: Command) -> None:
    done = cauce_command("report", place / "model", "--lang", "es", "--out", place / "again.html")
    assert done.returncode == 0, done.stderr.decode()
    assert (place / "again.html").read_bytes() == (place / "model/evidence/report.es.html").read_bytes()
    assert re.search(r"De cada 100 textos, acierta unos \d+ \(entre \d+ y \d+\)", done.stderr.decode())


def test_the_language_is_that_of_the_system(place: Path, cauce_command: Command) -> None:
    environment = {**{key: value for key, value in os.environ.items() if not key.startswith("LC_")}, "LANG": "es_PE.UTF-8"}
    done = cauce_command("report", place / "model", "--out", place / "system.html", env=environment)
    assert done.returncode == 0, done.stderr.decode()
    assert '<html lang="es">' in (place / "system.html").read_text("utf-8")


def test_beside_another_model_the_difference_is_told_in_words(place: Path, cauce_command: Command) -> None:
    arguments = ("report", place / "model", place / "new.csv", "--against", place / "other", "--out", place / "both.html")
    done = cauce_command(*arguments, "--lang", "en")
    assert done.returncode == 0, done.stderr.decode()
    text = (place / "both.html").read_text("utf-8")
    assert re.search(r"(is better|No difference is shown): −?[\d.]+ points( more right)?, between", text)
    assert re.search(r"Right here and wrong there: \d+ rows", text)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--out", "page.pdf"), "page.pdf is of a kind that is not written"),
        (("--lang", "fr"), 'no report in the language "fr"'),
        (("--out", "there.html"), "there.html exists already"),
        (("--against", "other"), "no rows to ask both models"),
        (("gone.csv",), "gone.csv"),
        (("new.csv", "--against", "gone"), "there is no model folder gone"),
        (("new.csv", "--time", "when"), "when"),
        (("--out", "new.csv/report.html"), "cannot write"),
    ],
)
def test_what_cannot_be_done_is_told(arguments: tuple[str, ...], said: str, place: Path, cauce_command: Command) -> None:
    (place / "there.html").write_text("mine", "utf-8")
    done = cauce_command("report", "model", *arguments, cwd=place)
    assert done.returncode == 2, done.stderr.decode()
    assert said in done.stderr.decode()
    assert (place / "there.html").read_text("utf-8") == "mine"
    assert not (place / "report.html").exists()


def test_models_of_other_labels_are_not_compared(place: Path, cauce_command: Command) -> None:
    text = (place / "old.csv").read_text("utf-8").replace(",neutral", ",meh")
    (place / "meh.csv").write_text(text, "utf-8")
    assert cauce_command("train", place / "meh.csv", "--out", place / "meh").returncode == 0
    done = cauce_command("report", place / "model", place / "new.csv", "--against", place / "meh", "--out", place / "no.html")
    assert done.returncode == 2
    assert "other labels (meh, negative, positive)" in done.stderr.decode()


def test_new_rows_are_measured_beside_the_version_that_serves(
    place: Path, tmp_path: Path, cauce_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAUCE_HOME", str(tmp_path / "home"))
    made = ("report", place / "model", place / "new.csv", "--lang", "en", "--replace", "--out")
    assert cauce_command(*made, tmp_path / "alone.html").returncode == 0
    other = json.loads((place / "other/cauce.json").read_text("utf-8"))["version"][:12]
    assert cauce_command("models", "register", "messages", place / "other").returncode == 0
    assert cauce_command("models", "promote", f"messages@{other}", "--reason", "first").returncode == 0
    done = cauce_command(*made, tmp_path / "beside.html")
    assert done.returncode == 0, done.stderr.decode()
    assert "beside the version that serves" in done.stderr.decode()
    pages = [(tmp_path / name).read_text("utf-8") for name in ("alone.html", "beside.html")]
    assert [other in page for page in pages] == [False, True]
