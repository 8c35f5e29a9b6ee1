"""The promise: one model folder, the same answer in every mode, variant and batch composition. Every new mode joins here."""

from __future__ import annotations

import csv
import json
import random
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from serving import serving

import cauce
from cauce.batch.run import run
from cauce.model.rows import ARROW
from cauce.settings import Stream, settings
from cauce.stream.brokers.memory import MemorySink, MemorySource, Topic
from cauce.stream.places import joined
from cauce.stream.worker import Worker

Row = dict[str, Any]
Answer = tuple[str | None, list[str] | None, str | None, dict[str, float]]  # label, labels, error, scores
Mode = Callable[[Path, str, list[Row]], list[Answer]]

TOLERANCE = {"linear": 1e-6, "fp32": 1e-6}
LINEAR = ["one text", "multilabel", "regression", "mixed", "table"]
ENCODERS = ["onnx", "openvino"]


def answers_of(predictions: cauce.Predictions) -> list[Answer]:
    return [(a.label, None if a.labels is None else list(a.labels), a.error, a.scores) for a in predictions]


def python(folder: Path, variant: str, rows: list[Row]) -> list[Answer]:
    return answers_of(cauce.load(folder, variant).predict(rows))


def python_one_by_one(folder: Path, variant: str, rows: list[Row]) -> list[Answer]:
    model = cauce.load(folder, variant)
    return [answer for row in rows for answer in answers_of(model.predict([row]))]


def python_table(folder: Path, variant: str, rows: list[Row]) -> list[Answer]:
    """A table of strings in several pieces, its columns in another order."""
    columns = {name: pa.array([written(row[name]) for row in rows], pa.string()) for name in reversed(rows[0])}
    table = pa.table({name: pa.chunked_array([column[:5], column[5:]]) for name, column in columns.items()})
    return answers_of(cauce.load(folder, variant).predict(table))


def arrow(folder: Path, variant: str, rows: list[Row]) -> list[Answer]:
    """Through Arrow, in uneven batches cut out of a longer table; strings in dictionaries, but for the first column."""
    model = cauce.load(folder, variant)
    columns: dict[str, Any] = {"before": list(range(len(rows)))}
    for one in model.manifest.inputs:
        values = pa.array([row[one.name] for row in rows], ARROW[one.type])
        strings = pa.types.is_string(values.type)
        columns[one.name] = values.cast(pa.large_string()) if strings and len(columns) == 1 else values
        if strings and len(columns) > 2:
            columns[one.name] = values.dictionary_encode()
    table = pa.RecordBatch.from_pydict(columns)
    edges = [0, *sorted(random.Random(3).sample(range(1, len(rows)), 7)), len(rows)]
    out: list[Answer] = []
    for start, end in pairwise(edges):
        batch = model.predict_arrow(table.slice(start, end - start))
        assert batch.column("before").to_pylist() == list(range(start, end))
        out += from_columns(batch.to_pylist(), model.labels)
    return out


def command_line(folder: Path, variant: str, rows: list[Row]) -> list[Answer]:
    """Through a pipe: one JSON line for each line."""
    sent = "".join(json.dumps(row) + "\n" for row in rows)
    done = subprocess.run(
        [sys.executable, "-m", "cauce", "predict", str(folder), "-", "--variant", variant],
        input=sent.encode(),
        capture_output=True,
        timeout=60,
        check=True,
    )
    answers = [json.loads(line) for line in done.stdout.decode().split("\n") if line]
    assert [{name: answer[name] for name in rows[0]} for answer in answers] == rows
    return [(answer["label"], answer.get("labels"), answer["error"], answer["scores"]) for answer in answers]


def from_columns(rows: list[dict[str, Any]], labels: tuple[str, ...]) -> list[Answer]:
    return [
        (row["label"], row.get("labels"), row["error"], dict(zip(labels, row["scores"] or [], strict=bool(row["scores"]))))
        for row in rows
    ]


def written(value: Any) -> str | None:
    """A value as a file of strings holds it."""
    return value if value is None or isinstance(value, str) else str(value)


def batch(kind: str) -> Mode:
    """Files in, files out, in many fragments; a row that is not answered is a dead letter."""

    def mode(folder: Path, variant: str, rows: list[Row]) -> list[Answer]:
        model = cauce.load(folder, variant)
        with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
            patch.setenv("CAUCE_FRAGMENT_BYTES", "20000")
            settings.cache_clear()
            out, source = Path(name) / "out", write_file(Path(name) / f"in.{kind}", rows, model)
            run(model, [str(source)], str(out), max_error_rate=1)
            answers = {int(row["row_number"]): row for row in read_parts(out)}
            letters = [line for path in out.glob("dead_letters/*") for line in path.read_text("utf-8").split("\n") if line]
        settings.cache_clear()
        wrong = {letter["row"] - 1: letter["code"] for letter in map(json.loads, letters)}
        assert not answers.keys() & wrong.keys()
        nothing: Row = {"label": None, "labels": None, "scores": None}
        found = [{**nothing, **answers.get(n, {}), "error": wrong.get(n)} for n in range(len(rows))]
        assert answers.keys() | wrong.keys() == set(range(len(rows)))
        return [(label or None, *others) for label, *others in from_columns(found, model.labels)]  # CSV has no null

    mode.__name__ = f"batch_{kind}"
    return mode


def write_file(path: Path, rows: list[Row], model: cauce.Model) -> Path:
    """The rows with their numbers in a file of this kind; a lone surrogate as JSON's escape, where there is one."""
    names = ["row_number", *rows[0]]
    numbered = [{"row_number": n, **row} for n, row in enumerate(rows)]
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in numbered), "utf-8")
    elif path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            cells = [["" if row[name] is None else written(row[name]) for name in names] for row in numbered]
            csv.writer(file, quoting=csv.QUOTE_ALL).writerows([names, *cells])
    else:
        schema = pa.schema([("row_number", pa.int64()), *((one.name, ARROW[one.type]) for one in model.manifest.inputs)])
        table = pa.Table.from_pylist(numbered, schema)
        if path.suffix == ".parquet":
            pq.write_table(table, path, row_group_size=97)
        else:
            with (pa.ipc.new_stream if path.suffix == ".arrows" else pa.ipc.new_file)(path, schema) as out:
                out.write_table(table, max_chunksize=97)
    return path


def read_parts(out: Path) -> list[Row]:
    """The rows of all parts."""
    rows: list[Row] = []
    for part in sorted(out.glob("part-*")):
        if part.suffix == ".parquet":
            rows += pq.read_table(part).to_pylist()
        elif part.suffix == ".arrow":
            rows += pa.ipc.open_file(part).read_all().to_pylist()
        elif part.suffix == ".csv":
            with part.open(encoding="utf-8", newline="") as file:
                found = list(csv.DictReader(file))
            rows += [{**row, **{key: json.loads(row[key]) for key in ("scores", "labels") if key in row}} for row in found]
        else:
            rows += [json.loads(line) for line in part.read_text("utf-8").split("\n") if line]
    return rows


def http(folder: Path, variant: str, rows: list[Row]) -> list[Answer]:
    """Over connections side by side, lists of all lengths: the server joins and cuts them as it likes."""
    edges = [0, *sorted(random.Random(7).sample(range(1, len(rows)), min(60, len(rows) - 1))), len(rows)]
    with serving(str(folder), "--variant", variant) as server, ThreadPoolExecutor(8) as pool:
        asked = [{"rows": rows[start:end]} for start, end in pairwise(edges)]
        given = list(pool.map(lambda body: server.post("/v1/predict", body), asked))
    assert {one.headers["x-model-variant"] for one in given} == {variant}
    answers = [answer for one in given for answer in one.json["predictions"]]
    return [(one.get("label"), one.get("labels"), one.get("error"), one.get("scores", {})) for one in answers]


def stream(folder: Path, variant: str, rows: list[Row]) -> list[Answer]:
    """Messages through a worker, in small batches; what cannot be answered is a dead letter."""
    model = cauce.load(folder, variant)
    topic, sink, dead = Topic(), MemorySink(), MemorySink()
    for number, row in enumerate(rows):
        topic.put(json.dumps({"id": number, **row}).encode())
    source = MemorySource(topic, ends=True)
    Worker(lambda: model, source, sink, joined(source, sink, dead), Stream(max_batch=97)).run(threading.Event())
    answers = {one["id"]: (one["label"], one.get("labels"), None, one["scores"]) for one in sink.documents}
    wrong = {json.loads(one["raw"])["id"]: (None, None, one["code"], {}) for one in dead.documents}
    assert not answers.keys() & wrong.keys()
    return [{**answers, **wrong}[number] for number in range(len(rows))]


BATCH_CSV, BATCH_JSON_LINES = batch("csv"), batch("jsonl")
UTF8 = [
    http,
    stream,
    arrow,
    python_table,
    BATCH_CSV,
    batch("parquet"),
    batch("arrow"),
    batch("arrows"),
]  # no lone surrogate in these
MODES: list[Mode] = [python, python_one_by_one, command_line, BATCH_JSON_LINES, *UTF8]


def as_training_reads(row: Row, model: cauce.Model) -> Row:
    """A row as a file of strings means it: a missing text is an empty one; a category is stripped, an empty one missing."""
    kinds = {one.name: one.type for one in model.manifest.inputs}
    empty = {name: "" if value is None and kinds[name] == "text" else value for name, value in row.items()}
    return {name: (value or "").strip() or None if kinds[name] == "category" else value for name, value in empty.items()}


def golden_rows(folder: Path) -> list[Row]:
    return [json.loads(line)["row"] for line in (folder / "golden.jsonl").read_text("utf-8").split("\n") if line]


@pytest.fixture(scope="module")
def texts(messages: Path, real_data: Callable[[str], Path]) -> list[str]:
    """Real tweets in two languages, and texts that cannot be answered."""
    with messages.open(encoding="utf-8", newline="") as file:
        own = [row["text"] for row in csv.DictReader(file)][:300]
    tweets = [
        line
        for name in ("umsab/spanish/test_text.txt", "tweeteval/emotion/test_text.txt")
        for line in real_data(name).read_text("utf-8").split("\n")[:400]
    ]
    return [*own, *tweets, "", "   ", "\u3000", "a" * 60_000, "\ud800 lone surrogate"]


@pytest.fixture(scope="module", params=LINEAR + ENCODERS)
def folder(request: pytest.FixtureRequest) -> Path:
    folders: dict[str, Path] = request.getfixturevalue("encoder_folders" if request.param in ENCODERS else "task_folders")
    return folders[request.param]


@pytest.fixture(scope="module")
def variant(folder: Path) -> str:
    return cauce.load(folder).variant


@pytest.fixture(scope="module")
def shuffled_rows(folder: Path, texts: list[str], orders: Path) -> list[Row]:
    """The golden rows, rows of the model's columns with real texts and missing values, and wrong ones, in no order."""
    inputs = {one.name: one.type for one in cauce.load(folder).manifest.inputs}
    rows = golden_rows(folder)
    chance = random.Random(11)
    if list(inputs.values()) == ["text"]:
        rows += [{name: text} for name in inputs for text in texts]
    else:
        choices: dict[str, list[Any]] = {
            "text": [*chance.sample(texts, 300), None, *texts[-5:]],
            "category": ["rojo", "azul", "verde", " azul ", "", None, "negro", "\ud800"],
            "number": [None, -1e300, 0.0, 0.5, 2.0, 1e300],
            "boolean": [True, False, None],
        }
        rows += [{name: chance.choice(choices[kind]) for name, kind in inputs.items()} for _ in range(400)]
        rows += [dict.fromkeys(inputs), dict.fromkeys(inputs, None)]
    chance.shuffle(rows)
    return rows


@pytest.fixture(scope="module")
def expected(folder: Path, shuffled_rows: list[Row]) -> list[Answer]:
    """The answers in another order, from the Python door."""
    order = random.Random(5).sample(range(len(shuffled_rows)), len(shuffled_rows))
    answers = python(folder, "auto", [shuffled_rows[i] for i in order])
    back = dict(zip(order, answers, strict=True))
    return [back[i] for i in range(len(order))]


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.__name__)
def test_every_mode_gives_the_same_answer(
    mode: Mode, variant: str, folder: Path, shuffled_rows: list[Row], expected: list[Answer]
) -> None:
    rows, wanted = shuffled_rows, expected
    if mode in UTF8:
        kept = [i for i, row in enumerate(rows) if "\ud800" not in "".join(v for v in row.values() if isinstance(v, str))]
        rows, wanted = [rows[i] for i in kept], [wanted[i] for i in kept]
    if mode is BATCH_CSV:
        model = cauce.load(folder)
        rows = [as_training_reads(row, model) for row in rows]
        wanted = python(folder, variant, rows)
    given = mode(folder, variant, rows)
    assert len(given) == len(wanted)
    for (*said, scores), (*wanted_said, wanted_scores) in zip(given, wanted, strict=True):
        assert said == wanted_said
        assert scores.keys() == wanted_scores.keys()
        assert all(abs(scores[k] - wanted_scores[k]) <= TOLERANCE[variant] * max(1, abs(scores[k])) for k in scores)


def test_the_rows_of_the_contract_are_answered_and_refused(expected: list[Answer]) -> None:
    errors = {error for _, _, error, _ in expected}
    assert None in errors
    assert "missing_input" in errors or "empty_text" in errors
    assert sum(error is None for _, _, error, _ in expected) > len(expected) / 2


def test_rows_that_cannot_be_answered_say_why_and_touch_no_neighbour(model_folder: Path) -> None:
    model = cauce.load(model_folder)
    rows = ["me encanta", "", None, "\ud800", 7, "me encanta"]
    answers = model.predict(rows)
    assert [answer.error for answer in answers] == [None, "empty_text", "missing_input", "invalid_utf8", "wrong_type", None]
    assert np.array_equal(answers.scores[0], answers.scores[5])
    assert np.array_equal(answers.scores[0], model.predict("me encanta").scores[0])
    assert [answer.label for answer in answers][1:5] == [None] * 4
