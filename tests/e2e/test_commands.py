"""The commands, run as a person runs them: from a file to a model, its figures and its answers."""

from __future__ import annotations

import csv
import json
import re
import select
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import cauce

Command = Callable[..., subprocess.CompletedProcess[bytes]]

TEXTS = (
    "me encanta, llegó antes de tiempo",
    "it broke after a day",
    "NOOOO!!! pésimo 😡😡 @tienda https://example.com/x jajaja, pésimo pésimo",
)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def documents(result: subprocess.CompletedProcess[bytes]) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stdout.decode().splitlines()]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, messages: Path, cauce_command: Command) -> tuple[Path, dict]:
    """A model folder that the command has written, and what it printed with --json."""
    out = tmp_path_factory.mktemp("command") / "messages"
    result = cauce_command("train", messages, "--out", out, "--json")
    assert result.returncode == 0, result.stderr.decode()
    return out, json.loads(result.stdout)


@pytest.fixture(scope="module")
def figures(trained: tuple[Path, dict], messages: Path, cauce_command: Command) -> dict:
    """What `evaluate --json` prints of the example messages."""
    (document,) = documents(cauce_command("evaluate", trained[0], messages, "--json"))
    return document


@pytest.fixture(scope="module")
def explained(trained: tuple[Path, dict], cauce_command: Command) -> list[dict]:
    """What `predict --explain --json` prints of three texts."""
    return documents(cauce_command("predict", trained[0], *TEXTS, "--explain", "--json"))


def test_train_says_what_it_made(trained: tuple[Path, dict], messages: Path) -> None:
    out, said = trained
    assert said["folder"] == str(out)
    assert said["version"] == cauce.load(out).version
    assert sum(said["parts"].values()) == len(rows_of(messages))
    assert (said["measured_on"], said["rows"]) == ("test", said["parts"]["test"])
    assert 'text is the column "text"' in said["notes"]
    assert said["metrics"]["macro_f1"]["low"] > said["majority"]["macro_f1"]["high"]
    assert "better than the most frequent label" in said["verdict"]
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_train_talks_to_people_on_stderr_and_names_a_next_command_that_runs(tmp_path: Path, cauce_command: Command) -> None:
    rows = [f"- {word} y nada más {n},{label}\n" for word, label in (("bien", "sí"), ("mal", "no")) for n in range(4)]
    (tmp_path / "opinión.csv").write_text("texto,etiqueta\n" + "".join(rows), encoding="utf-8")
    result = cauce_command("train", "opinión.csv", "--out", "mi modelo", cwd=tmp_path)
    said = result.stderr.decode()
    assert result.returncode == 0, said
    assert "Warning" not in said  # not even with a handful of rows
    assert 'note: text is the column "texto"' in said
    assert result.stdout.decode().splitlines()[1].startswith("accuracy\t")
    assert set(cauce.load(tmp_path / "mi modelo").labels) == {"sí", "no"}
    command, *arguments = shlex.split(said.split("next: ")[1].splitlines()[0])
    following = cauce_command(*arguments, cwd=tmp_path)
    assert (command, following.returncode) == ("cauce", 0), following.stderr.decode()


def test_train_with_replace_puts_the_new_model_in_the_place_of_the_old(
    tmp_path: Path, model_folder: Path, cauce_command: Command
) -> None:
    shutil.copytree(model_folder, tmp_path / "model")
    (tmp_path / "new.csv").write_text("text,label\n" + "".join(f"{word} {n},{word}\n" for word in "cd" for n in range(8)))
    result = cauce_command("train", "new.csv", "--replace", cwd=tmp_path)
    assert result.returncode == 0, result.stderr.decode()
    assert cauce.load(tmp_path / "model").labels == ("c", "d")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "new.csv"]


def test_the_same_data_and_seed_give_the_same_version_for_any_number_of_threads(
    trained: tuple[Path, dict], tmp_path: Path, messages: Path, cauce_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAUCE_THREADS", "1")
    again = cauce_command("train", messages, "--out", tmp_path / "again", "--name", "messages", "--json")
    assert json.loads(again.stdout)["version"] == trained[1]["version"]


def test_evaluate_prints_every_figure_with_its_interval(trained: tuple[Path, dict], figures: dict) -> None:
    assert set(figures["metrics"]) >= {"accuracy", "macro_f1", "macro_recall", "log_loss", "ece", "per_class"}
    for name, figure in figures["metrics"].items():
        for part in [figure] if name != "per_class" else [f for by_name in figure.values() for f in by_name.values()]:
            assert set(part) == {"value", "low", "high"}
            assert part["low"] <= part["value"] <= part["high"]
    assert set(figures["metrics"]["per_class"]) == {"negative", "neutral", "positive"}
    assert set(figures["metrics"]["per_class"]["positive"]) >= {"precision", "recall", "f1"}
    assert figures["rows"] == sum(trained[1]["parts"].values())
    assert figures["model"] == {"name": "messages", "version": trained[1]["version"], "variant": "linear"}


def test_evaluate_counts_what_predict_answers(
    trained: tuple[Path, dict], figures: dict, messages: Path, cauce_command: Command
) -> None:
    rows = rows_of(messages)
    lines = [json.dumps({"text": row["text"], "truth": row["label"]}, ensure_ascii=False) for row in rows]
    answers = documents(cauce_command("predict", trained[0], "-", input="\n".join(lines).encode()))
    assert [(answer["text"], answer["truth"]) for answer in answers] == [(row["text"], row["label"]) for row in rows]
    right = sum(answer["label"] == answer["truth"] for answer in answers)
    assert figures["metrics"]["accuracy"]["value"] == pytest.approx(right / len(rows))


def test_evaluate_finds_the_text_under_another_name(trained: tuple[Path, dict], tmp_path: Path, cauce_command: Command) -> None:
    (tmp_path / "a.csv").write_text("opinión;etiqueta\nme encanta;positive\nhorrible;negative\n", encoding="utf-8")
    result = cauce_command("evaluate", trained[0], "a.csv", cwd=tmp_path)
    assert result.returncode == 0, result.stderr.decode()
    assert re.search(r"^accuracy\t[01]\.\d{3} \[[01]\.\d{3}, [01]\.\d{3}\]$", result.stdout.decode(), re.MULTILINE)
    assert "Warning" not in result.stderr.decode()


def test_predict_prints_the_labels_best_first(trained: tuple[Path, dict], cauce_command: Command) -> None:
    header, *lines = cauce_command("predict", trained[0], TEXTS[0]).stdout.decode().splitlines()
    assert header == "label\tscore"
    assert lines[0].startswith("positive\t")
    scores = [float(line.split("\t")[1]) for line in lines]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) == pytest.approx(1, abs=0.002)


def test_predict_of_several_texts_answers_each_in_order(trained: tuple[Path, dict], explained: list[dict]) -> None:
    assert [answer["text"] for answer in explained] == list(TEXTS)
    for answer, right in zip(explained, cauce.load(trained[0]).predict(list(TEXTS)), strict=True):
        assert (answer["label"], answer["error"]) == (right.label, None)
        assert answer["scores"] == pytest.approx(right.scores, abs=1e-6)
        assert answer["model_version"] == trained[1]["version"]


def test_predict_of_several_texts_names_each_for_people(trained: tuple[Path, dict], cauce_command: Command) -> None:
    result = cauce_command("predict", trained[0], *TEXTS, "--explain")
    assert all(text in result.stderr.decode() for text in TEXTS)
    assert "why positive" in result.stderr.decode()
    assert "\nencanta,\t+" in result.stdout.decode()


@pytest.mark.parametrize(("k", "shown"), [(2, 2), (9, 3)])
def test_top_k_shows_the_best_labels_only(k: int, shown: int, trained: tuple[Path, dict], cauce_command: Command) -> None:
    (answer,) = documents(cauce_command("predict", trained[0], TEXTS[0], "--json", "--top-k", str(k)))
    assert len(answer["scores"]) == shown
    assert next(iter(answer["scores"])) == answer["label"] == "positive"


def test_top_k_of_none_is_a_usage_error(cauce_command: Command) -> None:
    result = cauce_command("predict", "echo", "hola", "--top-k", "0")
    assert result.returncode == 2
    assert b"--top-k" in result.stderr


def test_explain_adds_up_to_the_logit_that_gives_the_score(trained: tuple[Path, dict], explained: list[dict]) -> None:
    model = cauce.load(trained[0])
    logits, _, _ = model.logits(pa.record_batch({"text": list(TEXTS)}))
    for answer, row in zip(explained, logits.astype(float), strict=True):
        reasons = answer["explain"]
        added = sum(part["adds"] for part in reasons["contributions"]) + reasons["bias"]
        assert added == pytest.approx(reasons["logit"], abs=1e-4)
        place = model.labels.index(answer["label"])
        assert (reasons["label"], reasons["logit"]) == (answer["label"], pytest.approx(row[place], abs=1e-4))
        powers = np.exp((row - row.max()) / model.manifest.calibration.temperature)
        assert answer["scores"] == pytest.approx(dict(zip(model.labels, powers / powers.sum(), strict=True)), abs=1e-5)


def test_explain_names_the_words_that_count(explained: list[dict]) -> None:
    adds = {part["word"]: part["adds"] for part in explained[0]["explain"]["contributions"]}
    assert set(adds) == {"me", "encanta,", "llegó", "antes", "de", "tiempo"}
    assert max(adds, key=adds.__getitem__) == "encanta,"


@pytest.mark.parametrize("options", [[], ["--explain", "--json"]], ids=["plain", "explain"])
def test_an_empty_text_fails_the_command_but_no_neighbor(
    options: list[str], trained: tuple[Path, dict], cauce_command: Command
) -> None:
    result = cauce_command("predict", trained[0], "", "me encanta", *options)
    assert result.returncode == 2
    assert b"empty_text" in result.stdout + result.stderr
    assert b"positive" in result.stdout
    assert b"Traceback" not in result.stderr


def test_a_stream_is_answered_line_by_line_before_the_pipe_is_closed(trained: tuple[Path, dict]) -> None:
    command = [sys.executable, "-m", "cauce", "predict", str(trained[0]), "-", "--top-k", "1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        guard = threading.Timer(60, process.kill)
        guard.start()
        for line, kept in (("me encanta", {"text": "me encanta"}), ('{"id": 7, "text": "qué asco"}', {"id": 7})):
            process.stdin.write(f"{line}\n".encode())
            process.stdin.flush()
            assert select.select([process.stdout], [], [], 30)[0], "no answer while the pipe is open"
            answer = json.loads(process.stdout.readline())
            assert answer.items() >= kept.items()
            assert list(answer["scores"]) == [answer["label"]]
        process.stdin.write("última línea, sin salto".encode())
        process.stdin.close()
        assert json.loads(process.stdout.readline())["text"] == "última línea, sin salto"
        assert process.stdout.read() == b""
        guard.cancel()
    assert process.returncode == 0


def test_a_stream_keeps_the_rows_fields_beside_the_answers(cauce_command: Command) -> None:
    row = {"label": "mine", "text": "banana", "score": 3}
    (answer,) = documents(cauce_command("predict", "echo", "-", input=json.dumps(row).encode()))
    assert (answer["input_label"], answer["label"]) == ("mine", "many_a")
    assert (answer["input_score"], answer["text"]) == (3, "banana")


def test_an_empty_stream_has_no_answers(cauce_command: Command) -> None:
    result = cauce_command("predict", "echo", "-", input=b"")
    assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")


def test_doctor_tells_of_the_machine_and_of_a_sound_model(trained: tuple[Path, dict], cauce_command: Command) -> None:
    (findings,) = documents(cauce_command("doctor", trained[0], "--json"))
    told = {finding["what"]: finding for finding in findings}
    assert told["cauce"]["state"] == version("cauce")
    assert {"python", "threads", "kernel cache", "kernels", "extra serve", "extra onnx"} <= set(told)
    for what, finding in told.items():
        if what.startswith("extra ") and finding["state"] != "installed":
            assert finding["hint"] == f'pip install "cauce[{what.removeprefix("extra ")}]"'
    assert told["model"]["state"] == f"messages@{trained[1]['version']}"
    assert told["labels"]["state"] == "negative, neutral, positive"
    assert told["hashes and golden rows"]["state"].startswith("right")


def test_doctor_without_a_model_prints_a_table(cauce_command: Command) -> None:
    result = cauce_command("doctor")
    lines = result.stdout.decode().splitlines()
    assert (result.returncode, lines[0], result.stderr) == (0, "what\tstate\thint", b"")
    assert lines[1].split("\t")[:2] == ["cauce", version("cauce")]


def test_every_command_shows_examples_of_itself(cauce_command: Command) -> None:
    top = cauce_command("--help").stdout.decode()
    commands = re.findall(r"^  (\w[\w-]*) ", top.split("Commands:")[1].split("\n\n")[0], re.MULTILINE)
    assert {"train", "evaluate", "predict", "doctor"} <= set(commands)
    for command in commands:
        result = cauce_command(command, "--help")
        assert result.returncode == 0
        examples = result.stdout.decode().partition("Examples:")[2]
        assert re.search(rf"^ +cauce {command}\b", examples, re.MULTILINE), command


def test_version(cauce_command: Command) -> None:
    result = cauce_command("--version")
    assert (result.returncode, result.stdout.decode()) == (0, f"cauce {version('cauce')}\n")


def test_a_model_of_a_number_from_two_columns_is_measured_and_asked(tmp_path: Path, cauce_command: Command) -> None:
    lines = [f"llegó tarde {n * n},{('web', 'app')[n % 2]},{n % 2 + n % 7 / 10},x\n" for n in range(60)]
    (tmp_path / "hours.csv").write_text("body,channel,hours,other\n" + "".join(lines), encoding="utf-8")
    named = ("--text", "body", "--category", "channel", "--label", "hours")
    trained = cauce_command("train", "hours.csv", *named, cwd=tmp_path)
    next_command = shlex.split(trained.stderr.decode().rsplit("next: ", 1)[1])
    assert cauce_command(*next_command[1:], cwd=tmp_path).returncode == 0
    measured = cauce_command("evaluate", "model", "hours.csv", "--json", cwd=tmp_path)
    assert json.loads(measured.stdout)["metrics"]["r2"]["value"] > 0.5
    refused = cauce_command("predict", "model", "llegó tarde", cwd=tmp_path)
    assert refused.returncode == 2
    row = refused.stderr.decode().rsplit("give a row: '", 1)[1].split("'")[0]
    assert row == '{"body": …, "channel": …}'
    assert cauce_command("predict", "model", row.replace("…", '"app"'), cwd=tmp_path).returncode == 0
