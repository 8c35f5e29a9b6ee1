"""The linear model in plain Python, from its saved tensors and the formula: what the runtime computes, on any row."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

import cauce
from cauce.text.ngrams import Ngrams

KINDS = ["one text", "multilabel", "regression", "mixed", "table"]
WORDS = st.sampled_from(
    [
        "bueno",
        "malo",
        "camisa",
        "llegó tarde",
        "n.º 7",
        "ÁÉÍ",
        "ΣΑΣ",
        "İ",
        "ﬁ",
        "n\u0303",
        "👍🏽",
        "@ana",
        "https://a.b/c",
        "jajajaja",
    ]
)
TEXTS = st.lists(WORDS | st.text(st.characters(exclude_categories=("Cs",)), max_size=12), max_size=6).map(" ".join)
ROWS = st.fixed_dictionaries(
    {
        "text": TEXTS,
        "title": st.none() | TEXTS,
        "body": st.none() | TEXTS,
        "color": st.none()
        | st.sampled_from(["rojo", "azul", "verde", " rojo ", "", "negro"])
        | st.text(st.characters(exclude_categories=("Cs",)), max_size=3),
        "size": st.none() | st.floats() | st.floats(-3, 5),
        "paid": st.none() | st.booleans(),
    }
)


class Reference:
    """The formula of `cauce.runtimes.linear`, a row at a time, in double precision."""

    def __init__(self, folder: Path) -> None:
        model = cauce.load(folder)
        self.inputs = model.manifest.inputs
        self.normalizer = model.manifest.normalizer
        self.ngrams = Ngrams(**model.manifest.recipe.parameters["ngrams"])
        self.tensors = load_file(folder / "weights.safetensors")
        self.rows = {int(bucket): row for row, bucket in enumerate(self.tensors.get("buckets", []))}

    def logits(self, row: dict[str, Any]) -> np.ndarray:
        found = self.tensors["bias"].astype(np.float64)
        texts = [row[one.name] or "" for one in self.inputs if one.type == "text"]
        if texts:
            found = found + self.of_text("\n".join(texts))
        first = 0
        for place, one in enumerate(self.inputs):
            if one.type != "text":
                cell, cells = self.cell(place, one.type, row[one.name])
                found = found + self.tensors["cells"][first + cell]
                first += cells
        return found

    def of_text(self, text: str) -> np.ndarray:
        weights = np.zeros(len(self.tensors["scale"]))
        for ngram in self.ngrams.reference(self.normalizer.reference(text)):
            if ngram.bucket in self.rows:
                weights += self.tensors["weights"][self.rows[ngram.bucket]] * self.tensors["scale"].astype(np.float64)
        return weights[:-1] / math.sqrt(weights[-1]) if weights[-1] > 0 else weights[:-1] * 0

    def cell(self, place: int, kind: str, value: Any) -> tuple[int, int]:
        """Which cell of the column, and how many it has: those that training learnt, others, missing."""
        if kind == "boolean":
            return 2 if value is None else int(value), 3
        if kind == "number":
            edges = self.tensors[f"edges.{place}"].tolist()
            missing = value is None or math.isnan(value)
            return len(edges) + 1 if missing else sum(edge <= value for edge in edges), len(edges) + 2
        keys = self.tensors[f"keys.{place}"].tolist()
        name = (value or "").strip()
        key = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")
        return (len(keys) + 1 if not name else keys.index(key) if key in keys else len(keys)), len(keys) + 2


@pytest.fixture(scope="module", params=KINDS)
def pair(request: pytest.FixtureRequest, task_folders: dict[str, Path]) -> tuple[cauce.Model, Reference]:
    folder = task_folders[request.param]
    return cauce.load(folder), Reference(folder)


def asked(model: cauce.Model, rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows with the model's columns only, and those of them that have an answer."""
    names = [one.name for one in model.manifest.inputs]
    own = [{name: row[name] for name in names} for row in rows]
    return own, [row for row, answer in zip(own, model.predict(own), strict=True) if answer.error is None]


def batch(model: cauce.Model, rows: list[dict[str, Any]]) -> pa.RecordBatch:
    kinds = {"text": pa.string(), "category": pa.string(), "number": pa.float64(), "boolean": pa.bool_()}
    columns = {one.name: pa.array([row[one.name] for row in rows], kinds[one.type]) for one in model.manifest.inputs}
    return pa.RecordBatch.from_pydict(columns)


@given(rows=st.lists(ROWS, min_size=1, max_size=6))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_logits_and_scores_equal_plain_python(pair: tuple[cauce.Model, Reference], rows: list[dict[str, Any]]) -> None:
    model, reference = pair
    own, fine = asked(model, rows)
    if fine:
        expected = np.array([reference.logits(row) for row in fine])
        logits, _, failed = model.logits(batch(model, fine))
        assert not failed.any()
        assert np.abs(logits - expected).max() < 2e-4 * max(1, np.abs(expected).max())
        scores = np.array([s for s in model.predict(own).scores if not np.isnan(s).any()])
        warm = expected / model.manifest.calibration.temperature
        assert np.abs(scores - from_logits(model.task, warm)).max() < 1e-4 * max(1, np.abs(warm).max())


def from_logits(task: str, logits: np.ndarray) -> np.ndarray:
    if task == "regression":
        return logits
    if task == "multilabel":
        return 1 / (1 + np.exp(-logits))
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


@given(row=ROWS)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_explanation_adds_up_and_names_every_other_column(pair: tuple[cauce.Model, Reference], row: dict[str, Any]) -> None:
    model, reference = pair
    _, fine = asked(model, [row])
    for own in fine:
        said = model.explain(own)
        answer = model.predict([own])[0]
        assert said.label == (model.labels[0] if model.task == "regression" else answer.label)
        assert said.bias + sum(share for _, share in said.contributions) == pytest.approx(said.logit, abs=1e-9)
        expected = reference.logits(own)[model.labels.index(said.label)]
        assert said.logit == pytest.approx(expected, abs=2e-4, rel=2e-4)
        others = [f"{one.name}={own[one.name]}" for one in model.manifest.inputs if one.type != "text"]
        named = [piece for piece, _ in said.contributions][len(said.contributions) - len(others) :]
        assert named == others or any(own[one.name] != own[one.name] for one in model.manifest.inputs)  # NaN is told as None


def test_a_table_has_no_words_to_explain(task_folders: dict[str, Path]) -> None:
    said = cauce.load(task_folders["table"]).explain({"color": "rojo", "size": "2", "paid": "sí"})
    assert [piece for piece, _ in said.contributions] == ["color=rojo", "size=2.0", "paid=True"]
