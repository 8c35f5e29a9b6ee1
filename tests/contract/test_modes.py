"""The promise: one model folder, the same answer in every mode, variant and batch composition. Every new mode joins here."""

from __future__ import annotations

import csv
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import cauce
from cauce.batch.options import Options
from cauce.batch.run import run
from cauce.settings import settings

Answer = tuple[str | None, str | None, dict[str, float]]  # label, error, scores
Mode = Callable[[Path, str, list[str]], list[Answer]]

TOLERANCE = {"linear": 1e-6}


def python(folder: Path, variant: str, texts: list[str]) -> list[Answer]:
    return [(a.label, a.error, a.scores) for a in cauce.load(folder, variant).predict(texts)]


def python_one_by_one(folder: Path, variant: str, texts: list[str]) -> list[Answer]:
    model = cauce.load(folder, variant)
    return [(a.label, a.error, a.scores) for text in texts for a in model.predict(text)]


def arrow(folder: Path, variant: str, texts: list[str]) -> list[Answer]:
    """Through Arrow, in uneven batches cut out of a longer table."""
    model = cauce.load(folder, variant)
    table = pa.RecordBatch.from_pydict({"before": list(range(len(texts))), "text": pa.array(texts, pa.large_string())})
    edges = [0, *sorted(random.Random(3).sample(range(1, len(texts)), 7)), len(texts)]
    out: list[Answer] = []
    for start, end in pairwise(edges):
        batch = model.predict_arrow(table.slice(start, end - start))
        assert batch.column("before").to_pylist() == list(range(start, end))
        out += from_columns(batch.to_pylist(), model.labels)
    return out


def command_line(folder: Path, variant: str, texts: list[str]) -> list[Answer]:
    """Through a pipe: one JSON line for each line."""
    sent = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    done = subprocess.run(
        [sys.executable, "-m", "cauce", "predict", str(folder), "-"],
        input=sent.encode(),
        capture_output=True,
        timeout=60,
        check=True,
    )
    rows = [json.loads(line) for line in done.stdout.decode().split("\n") if line]
    assert [row["text"] for row in rows] == texts
    return [(row["label"], row["error"], row["scores"]) for row in rows]


def batch(kind: str) -> Mode:
    """Files in, files out, with many fragments; what is not answered is a dead letter."""

    def mode(folder: Path, variant: str, texts: list[str]) -> list[Answer]:
        model = cauce.load(folder, variant)
        with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
            patch.setenv("CAUCE_FRAGMENT_BYTES", "20000")
            settings.cache_clear()
            room = Path(name)
            options = Options(format={"arrows": "arrow"}.get(kind, kind))
            run(model, [str(write_rows(room, kind, texts))], str(room / "out"), options, max_error_rate=1)
            answers = {int(row["n"]): row for row in read_rows(room / "out")}
            letters = [path.read_text("utf-8").split("\n") for path in (room / "out" / "dead_letters").glob("*")]
        settings.cache_clear()
        wrong = {one["row"] - 1: one["code"] for lines in letters for one in map(json.loads, filter(None, lines))}
        assert answers.keys() | wrong.keys() == set(range(len(texts)))
        assert not answers.keys() & wrong.keys()
        rows = [{**answers[n], "error": None} if n in answers else {**NOTHING, "error": wrong[n]} for n in range(len(texts))]
        return from_columns(rows, model.labels)

    mode.__name__ = f"batch_{kind}"
    return mode


NOTHING = {"label": None, "scores": None}


def write_rows(room: Path, kind: str, texts: list[str]) -> Path:
    """The texts with their numbers as a file of this kind; a lone surrogate as JSON's escape, where there is one."""
    path, rows = room / f"in.{kind}", [{"n": n, "text": text} for n, text in enumerate(texts)]
    if kind == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    elif kind == "csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, quoting=csv.QUOTE_ALL).writerows([("n", "text"), *(row.values() for row in rows)])
    elif kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=97)
    else:
        with (pa.ipc.new_stream if kind == "arrows" else pa.ipc.new_file)(
            path, (table := pa.Table.from_pylist(rows)).schema
        ) as out:
            out.write_table(table, max_chunksize=97)
    return path


def read_rows(out: Path) -> list[dict[str, Any]]:
    """The rows of all parts."""
    rows: list[dict[str, Any]] = []
    for part in sorted(out.glob("part-*")):
        if part.suffix == ".parquet":
            rows += pq.read_table(part).to_pylist()
        elif part.suffix == ".arrow":
            rows += pa.ipc.open_file(part).read_all().to_pylist()
        elif part.suffix == ".csv":
            with part.open(encoding="utf-8", newline="") as file:
                rows += [{**row, "scores": json.loads(row["scores"])} for row in csv.DictReader(file)]
        else:
            rows += [json.loads(line) for line in part.read_text("utf-8").split("\n") if line]
    return rows


def from_columns(rows: list[dict[str, Any]], labels: tuple[str, ...]) -> list[Answer]:
    return [(row["label"], row["error"], dict(zip(labels, row["scores"] or [], strict=bool(row["scores"])))) for row in rows]


BATCH = [batch(kind) for kind in ("csv", "parquet", "arrow", "arrows")]
MODES: list[Mode] = [python, python_one_by_one, arrow, command_line, batch("jsonl"), *BATCH]


@pytest.fixture(scope="module")
def shuffled_texts(model_folder: Path, messages: Path, real_data: Callable[[str], Path]) -> list[str]:
    """The golden rows, real tweets in two languages, and rows that cannot be answered, in no order."""
    golden = [
        json.loads(line)["row"]["text"] for line in (model_folder / "golden.jsonl").read_text("utf-8").split("\n") if line
    ]
    with messages.open(encoding="utf-8", newline="") as file:
        own = [row["text"] for row in csv.DictReader(file)][:300]
    tweets = [
        line
        for name in ("umsab/spanish/test_text.txt", "tweeteval/emotion/test_text.txt")
        for line in real_data(name).read_text("utf-8").split("\n")[:400]
    ]
    texts = [*golden, *own, *tweets, "", "   ", "\u3000", "a" * 60_000, "\ud800 lone surrogate"]
    random.Random(11).shuffle(texts)
    return texts


@pytest.fixture(scope="module")
def expected(model_folder: Path, shuffled_texts: list[str]) -> list[Answer]:
    """The answers in another order, from the Python door."""
    order = sorted(range(len(shuffled_texts)), key=lambda i: shuffled_texts[i][::-1])
    answers = python(model_folder, "auto", [shuffled_texts[i] for i in order])
    back = dict(zip(order, answers, strict=True))
    return [back[i] for i in range(len(order))]


@pytest.mark.parametrize("variant", ["linear"])
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.__name__)
def test_every_mode_gives_the_same_answer(
    mode: Mode, variant: str, model_folder: Path, shuffled_texts: list[str], expected: list[Answer]
) -> None:
    texts, wanted = shuffled_texts, expected
    if mode is arrow or mode in BATCH:  # neither Arrow nor UTF-8 can hold a lone surrogate
        texts, wanted = zip(*[(t, e) for t, e in zip(texts, expected, strict=True) if "\ud800" not in t], strict=True)
    given = mode(model_folder, variant, list(texts))
    assert len(given) == len(wanted)
    for (label, error, scores), (wanted_label, wanted_error, wanted_scores) in zip(given, wanted, strict=True):
        assert (label, error) == (wanted_label, wanted_error)
        assert scores.keys() == wanted_scores.keys()
        assert all(abs(scores[k] - wanted_scores[k]) <= TOLERANCE[variant] for k in scores)


def test_rows_that_cannot_be_answered_say_why_and_touch_no_neighbour(model_folder: Path) -> None:
    model = cauce.load(model_folder)
    rows = ["me encanta", "", None, "\ud800", 7, "me encanta"]
    answers = model.predict(rows)
    assert [answer.error for answer in answers] == [None, "empty_text", "missing_input", "invalid_utf8", "wrong_type", None]
    assert np.array_equal(answers.scores[0], answers.scores[5])
    assert np.array_equal(answers.scores[0], model.predict("me encanta").scores[0])
    assert [answer.label for answer in answers][1:5] == [None] * 4
