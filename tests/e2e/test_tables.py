"""Tables, several labels a row and numbers, by the real command: train, evaluate, predict, explain, and what goes wrong."""

from __future__ import annotations

import csv
import json
import shlex
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cauce
from cauce.recipes.linear import MOST_LABELS

Command = Callable[..., subprocess.CompletedProcess[bytes]]

TASKS: dict[str, tuple[list[str], dict[str, Any], list[str]]] = {
    "several labels in a cell": (
        ["--text", "title", "--text", "body", "--label", "tags", "--label-delimiter", ";"],
        {"title": "roto", "body": "llegó tarde"},
        ["--label", "tags", "--label-delimiter", ";"],
    ),
    "several label columns": (
        ["--text", "title", "--text", "body", "--label", "late", "--label", "broken"],
        {"title": "roto", "body": "llegó tarde"},
        ["--label", "late", "--label", "broken"],
    ),
    "a number": (
        ["--label", "price", "--task", "regression", "--ignore", "tags", "--ignore", "title", "--ignore", "body"],
        {"color": "rojo", "size": 1.5, "paid": True, "kept": True, "late": False, "broken": False},
        ["--label", "price"],
    ),
    "every type": (
        [
            "--text",
            "title",
            "--text",
            "body",
            "--category",
            "color",
            "--number",
            "size",
            "--boolean",
            "paid",
            "--label",
            "kept",
        ],
        {"title": "genial", "body": "llegó pronto", "color": "rojo", "size": 1.5, "paid": "sí"},
        ["--label", "kept"],
    ),
}
HEADLINES = {"several labels in a cell": 0.6, "several label columns": 0.6, "a number": 0.6, "every type": 0.9}


def documents(result: subprocess.CompletedProcess[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.decode().splitlines()]


def refused(result: subprocess.CompletedProcess[bytes]) -> str:
    said = result.stderr.decode()
    assert result.returncode == 2, said
    assert (said.count("error:"), said.count("hint:"), "Traceback" in said, "fault of Cauce" in said) == (1, 1, False, False), (
        said
    )
    assert result.stdout == b""
    return said


def write(path: Path, header: str, *rows: str) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, orders: Path) -> Path:
    """The orders with a 0/1 column for two of the tags too."""
    path = tmp_path_factory.mktemp("shop") / "shop.csv"
    with orders.open(encoding="utf-8", newline="") as source, path.open("w", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(source))
        writer = csv.DictWriter(file, [*rows[0], "late", "broken"])
        writer.writeheader()
        writer.writerows([{**row, **{tag: int(tag in row["tags"]) for tag in ("late", "broken")}} for row in rows])
    return path


@pytest.fixture(scope="module", params=TASKS)
def trained(
    request: pytest.FixtureRequest, shop: Path, tmp_path_factory: pytest.TempPathFactory, cauce_command: Command
) -> tuple[str, Path, subprocess.CompletedProcess[bytes]]:
    out = tmp_path_factory.mktemp("task") / "model"
    result = cauce_command("train", shop, *TASKS[request.param][0], "--out", out)
    assert result.returncode == 0, result.stderr.decode()
    return request.param, out, result


def test_train_measures_it_and_its_next_command_runs(
    trained: tuple[str, Path, subprocess.CompletedProcess[bytes]], cauce_command: Command
) -> None:
    name, out, result = trained
    figures = json.loads((out / "evidence" / "metrics.json").read_text())
    assert figures["metrics"][figures["headline"]]["value"] > HEADLINES[name]
    said = result.stderr.decode()
    assert "Warning" not in said
    assert "beyond chance" in said
    command, *arguments = shlex.split(said.split("next: ")[1].splitlines()[0])
    following = cauce_command(*arguments)
    assert (command, following.returncode) == ("cauce", 0), following.stderr.decode()
    assert "add up to the" in following.stderr.decode()


def test_evaluate_takes_the_columns_in_any_order(
    trained: tuple[str, Path, subprocess.CompletedProcess[bytes]], shop: Path, tmp_path: Path, cauce_command: Command
) -> None:
    name, out, _ = trained
    with shop.open(encoding="utf-8", newline="") as source, (tmp_path / "other.csv").open("w", encoding="utf-8") as file:
        rows = list(csv.DictReader(source))
        writer = csv.DictWriter(file, sorted(rows[0]), delimiter="\t")
        writer.writeheader()
        writer.writerows(rows)
    results = [cauce_command("evaluate", out, path, *TASKS[name][2], "--json") for path in (shop, tmp_path / "other.csv")]
    assert [result.returncode for result in results] == [0, 0], [result.stderr.decode() for result in results]
    (one,), (other,) = map(documents, results)
    assert one == other
    assert one["rows"] == 400
    assert one["metrics"][one["headline"]]["value"] > HEADLINES[name]
    plain = cauce_command("evaluate", out, shop, *TASKS[name][2])
    assert plain.stdout.decode().splitlines()[1].startswith(tuple(one["metrics"]))


def test_rows_of_json_are_answered_and_explained(
    trained: tuple[str, Path, subprocess.CompletedProcess[bytes]], cauce_command: Command
) -> None:
    name, out, _ = trained
    row = TASKS[name][1]
    model = cauce.load(out)
    expected = model.predict([row])[0]
    (answer,) = documents(cauce_command("predict", out, json.dumps(row), "--explain", "--json"))
    assert {key: answer[key] for key in row} == row
    assert (answer["label"], answer["error"], answer["scores"]) == (expected.label, None, pytest.approx(expected.scores))
    assert answer.get("labels") == (list(expected.labels) if expected.labels is not None else None)
    reasons = answer["explain"]
    assert sum(part["adds"] for part in reasons["contributions"]) + reasons["bias"] == pytest.approx(reasons["logit"])
    plain = cauce_command("predict", out, json.dumps(row), "--explain")
    assert plain.returncode == 0, plain.stderr.decode()
    heads = {"multilabel": "label\tscore\tgiven", "regression": "of\tvalue", "classification": "label\tscore"}
    assert plain.stdout.decode().splitlines()[0] == heads[model.task]


@pytest.mark.parametrize("bad", ["a text", '["a"]', "7", "{", '{"title": }'])
def test_what_is_no_row_is_refused_with_the_columns(
    bad: str, trained: tuple[str, Path, subprocess.CompletedProcess[bytes]], cauce_command: Command
) -> None:
    said = refused(cauce_command("predict", trained[1], bad))
    assert "not a JSON object" in said
    assert f'"{cauce.load(trained[1]).manifest.inputs[0].name}"' in said


def test_bad_rows_in_a_pipe_have_their_own_errors(
    trained: tuple[str, Path, subprocess.CompletedProcess[bytes]], cauce_command: Command
) -> None:
    name, out, _ = trained
    good = TASKS[name][1]
    first = next(iter(good))
    bad = {
        "a text": "wrong_type",
        "[1]": "wrong_type",
        json.dumps({**good, first: [1]}): "wrong_type",
        json.dumps({"other": 1}): "missing_input",
        json.dumps(dict.fromkeys(good, float("nan"))): "missing_input",
        json.dumps({**good, first: "\ud800"}): "invalid_utf8",
    }
    lines = [line for row in bad for line in (row, json.dumps(good))]
    result = cauce_command("predict", out, "-", input="\n".join(lines).encode())
    assert result.returncode == 0, result.stderr.decode()
    assert b"NaN" not in result.stdout  # no JSON reader takes it
    answers = documents(result)
    assert [answer["error"] for answer in answers[::2]] == list(bad.values())
    assert {json.dumps(answer["scores"]) for answer in answers[1::2]} == {json.dumps(answers[1]["scores"])}
    assert len(answers[1]["scores"]) > 0


def test_a_table_of_a_bank_ranks_its_customers(
    tmp_path: Path, real_data: Callable[[str], Path], cauce_command: Command
) -> None:
    data = real_data("bank_marketing/bank-additional.zip")
    if not data.exists():
        pytest.skip("bank-additional.zip is not here")
    full = tmp_path / "bank.csv"
    with zipfile.ZipFile(data) as archive:
        full.write_bytes(archive.read("bank-additional/bank-additional-full.csv"))
    result = cauce_command(
        "train", full, "--label", "y", "--ignore", "duration", "--out", tmp_path / "bank", "--json", timeout=300
    )
    assert result.returncode == 0, result.stderr.decode()
    said = json.loads(result.stdout)
    assert said["measured_on"] == "test"
    assert said["metrics"]["roc_auc"]["value"] >= 0.77
    assert not any("duration" in one.name for one in cauce.load(tmp_path / "bank").manifest.inputs)
    (answer,) = documents(cauce_command("predict", tmp_path / "bank", '{"age": 41, "job": "services"}', "--explain", "--json"))
    assert answer["label"] in ("yes", "no")
    assert "age=41.0" in [part["word"] for part in answer["explain"]["contributions"]]


def texts(count: int) -> list[str]:
    words = "mesa silla ventana puerta libro lámpara reloj camino río monte".split()
    return [f"{words[i % 10]} {words[i // 10 % 10]} {i * 7919}" for i in range(count)]


def test_labels_that_are_not_whole_numbers_are_a_regression_and_it_is_said(tmp_path: Path, cauce_command: Command) -> None:
    write(tmp_path / "a.csv", "text,label", *(f"{text},{i / 7:.3f}" for i, text in enumerate(texts(60))))
    result = cauce_command("train", "a.csv", cwd=tmp_path)
    assert result.returncode == 0, result.stderr.decode()
    assert "holds numbers: regression" in result.stderr.decode()
    assert cauce.load(tmp_path / "model").task == "regression"


@pytest.mark.parametrize(
    ("value", "expected"),
    [("inf", "'inf'"), ("9e400", "not finite"), ("1e39", "1e+39"), ("much", "'much'")],
)
def test_a_number_that_no_answer_could_be_is_refused_with_its_line(
    value: str, expected: str, tmp_path: Path, cauce_command: Command
) -> None:
    rows = [f"{text},{value if i == 30 else i / 7:}" for i, text in enumerate(texts(60))]
    write(tmp_path / "a.csv", "text,price", *rows)
    said = refused(cauce_command("train", "a.csv", "--label", "price", "--task", "regression", cwd=tmp_path))
    assert expected in said
    assert "a.csv, line 32" in said
    assert not (tmp_path / "model").exists()


def test_a_missing_number_leaves_its_row_out(tmp_path: Path, cauce_command: Command) -> None:
    write(tmp_path / "a.csv", "text,price", *(f"{text},{'NaN' if i == 30 else i / 7:}" for i, text in enumerate(texts(60))))
    result = cauce_command("train", "a.csv", "--label", "price", "--task", "regression", cwd=tmp_path)
    assert result.returncode == 0, result.stderr.decode()
    assert "left out: 1 row(s) without a label" in result.stderr.decode()


def test_very_many_labels_are_refused_in_seconds(tmp_path: Path, cauce_command: Command) -> None:
    rows = [f"{text},l{i // 3}" for i, text in enumerate(texts(3 * (MOST_LABELS + 1)))]
    write(tmp_path / "a.csv", "text,label", *rows)
    said = refused(cauce_command("train", "a.csv", cwd=tmp_path))
    assert f"{MOST_LABELS + 1} different labels" in said
    assert 'is "label" the label?' in said


def test_a_label_of_one_row_of_several_labels_is_trained(tmp_path: Path, cauce_command: Command) -> None:
    rows = [f"{text},{'a' if i % 2 else 'b'}{'|rare' if i == 31 else ''}" for i, text in enumerate(texts(80))]
    write(tmp_path / "a.csv", "text,tags", *rows)
    for seed in ("0", "1", "2"):
        options = ("--label", "tags", "--label-delimiter", "|", "--seed", seed, "--replace")
        result = cauce_command("train", "a.csv", *options, cwd=tmp_path)
        assert result.returncode == 0, result.stderr.decode()
        assert cauce.load(tmp_path / "model").labels == ("a", "b", "rare")


@pytest.mark.parametrize(
    ("header", "row", "options"),
    [
        ("size,label", lambda i: f"{i % 37}.5,{'ab'[i % 37 > 18]}", []),
        ("color,label", lambda i: f"{['rojo', 'azul'][i % 2]},{'ab'[i % 2]}", ["--category", "color"]),
        ("paid,label", lambda i: f"{i % 2},{'ab'[i % 2]}", ["--boolean", "paid"]),
    ],
    ids=["number", "category", "boolean"],
)
def test_a_table_of_one_column_trains(
    header: str, row: Callable[[int], str], options: list[str], tmp_path: Path, cauce_command: Command
) -> None:
    write(tmp_path / "a.csv", header, *map(row, range(120)))
    result = cauce_command("train", "a.csv", "--label", "label", *options, "--json", cwd=tmp_path)
    assert result.returncode == 0, result.stderr.decode()
    assert json.loads(result.stdout)["metrics"]["accuracy"]["value"] > 0.9


@pytest.mark.parametrize("header", ["text", "label"])
def test_a_file_of_one_column_is_refused(header: str, tmp_path: Path, cauce_command: Command) -> None:
    write(tmp_path / "a.csv", header, *texts(20))
    assert "which column is the" in refused(cauce_command("train", "a.csv", cwd=tmp_path))


def test_dates_split_and_are_no_input(tmp_path: Path, cauce_command: Command) -> None:
    rows = [f"{text},2024-{1 + i // 28:02d}-{1 + i % 28:02d},{'ab'[i % 2]}" for i, text in enumerate(texts(140))]
    write(tmp_path / "a.csv", "text,day,label", *rows)
    result = cauce_command("train", "a.csv", "--time", "day", cwd=tmp_path)
    assert result.returncode == 0, result.stderr.decode()
    assert "split by time: train up to 2024-" in result.stderr.decode()
    assert [one.name for one in cauce.load(tmp_path / "model").manifest.inputs] == ["text"]
    write(tmp_path / "b.csv", "day,label", *(row.split(",", 1)[1] for row in rows))
    assert "which column is the text?" in refused(cauce_command("train", "b.csv", "--time", "day", "--out", "m", cwd=tmp_path))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--task", "regresion"], 'did you mean "regression"?'),
        (["--task", "multilabel"], "--label-delimiter"),
        (["--label", "text"], "named as"),
        (["--number", "text"], "'mesa"),
        (["--label", "label", "--label", "text"], "which column is the text?"),
    ],
)
def test_columns_and_tasks_that_do_not_fit_are_refused(
    options: list[str], expected: str, tmp_path: Path, cauce_command: Command
) -> None:
    write(tmp_path / "a.csv", "text,label", *(f"{text},{'ab'[i % 2]}" for i, text in enumerate(texts(40))))
    text = ["--text", "text"] if options == ["--label", "text"] else []
    said = refused(cauce_command("train", "a.csv", *text, *options, cwd=tmp_path))
    assert expected in said
