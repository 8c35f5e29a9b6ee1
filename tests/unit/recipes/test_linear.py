"""The fits of the linear recipe, each against its definition, and what is too large for it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from cauce.data.dataset import Dataset
from cauce.errors import DataTooLarge
from cauce.model.manifest import Input
from cauce.model.scores import to_scores
from cauce.recipes import linear
from cauce.recipes.features import Features, features
from cauce.text.ngrams import Ngrams
from cauce.text.normalize import Normalizer


def examples(rows: int) -> tuple[Dataset, Features, np.ndarray]:
    """Texts of random words; the truth leans on two of them."""
    random = np.random.default_rng(0)
    words = np.array("uno dos tres cuatro cinco seis siete ocho nueve diez".split())
    chosen = random.random((rows, len(words))) < 0.4
    texts = [" ".join(words[row]) or "nada" for row in chosen]
    truth = (chosen[:, 0] + chosen[:, 1] + random.random(rows)) > 1.4
    inputs = (Input(name="text", type="text"),)
    data = Dataset(pa.record_batch({"text": texts}), inputs, pa.array(truth.astype(str)), "made.csv")
    return data, features(data, truth.astype(np.int64), Normalizer(), None, Ngrams()), truth


def logits(rows: Features, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
    out = np.tile(bias.astype(np.float64), (len(rows.starts) - 1, 1))
    owner = np.repeat(np.arange(len(out)), np.diff(rows.starts))
    np.add.at(out, owner, rows.values[:, None] * weights[rows.columns])
    return out.astype(np.float32)


def test_each_of_several_labels_has_the_chance_that_a_model_of_it_alone_gives() -> None:
    _, rows, truth = examples(300)
    stop = np.zeros(1, np.bool_)
    marks = np.column_stack([truth, ~truth, truth])
    several = to_scores("multilabel", logits(rows, *linear.FITS["multilabel"](rows, marks, 3, 4.0, 0, stop)[:2]))
    weights, bias, _, _ = linear._logistic(rows, truth.astype(np.int64), np.ones(len(truth)), 2, 4.0, 0, stop)
    alone = to_scores("classification", logits(rows, weights, bias))
    assert np.abs(several[:, 0] - alone[:, 1]).max() < 1e-3
    assert np.abs(several[:, 1] - alone[:, 0]).max() < 0.02  # each fit ends near the optimum, not at it
    assert np.array_equal(several[:, 0], several[:, 2])
    assert abs(several[:, 0].mean() - truth.mean()) < 0.05


@pytest.mark.parametrize(("unit", "middle"), [(1.0, 0.0), (1e-6, 0.0), (1e6, 3e7)])
def test_a_number_in_another_unit_gives_the_same_model_in_that_unit(unit: float, middle: float) -> None:
    _, rows, truth = examples(300)
    numbers = truth[:, None] * 2.0 - 1
    stop = np.zeros(1, np.bool_)
    plain, other = (
        logits(rows, *linear.FITS["regression"](rows, target, 1, 4.0, 0, stop)[:2])
        for target in (numbers, numbers * unit + middle)
    )
    assert np.abs((other - middle) / unit - plain).max() < 1e-2
    assert np.corrcoef(plain[:, 0], numbers[:, 0])[0, 1] > 0.6


@pytest.mark.parametrize(("limit", "value"), [("MOST_LABELS", 1), ("MOST_WEIGHTS", 2 * 300 - 1)])
def test_what_is_too_large_is_refused_before_it_is_counted(limit: str, value: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data, _, _ = examples(300)
    monkeypatch.setattr(linear, limit, value)
    with pytest.raises(DataTooLarge, match="2 different labels of 300 rows are too many"):
        linear.train(data, data, ("False", "True"), seed=0, progress=lambda share, what: None, normalizer=Normalizer())


def test_too_many_ngrams_for_the_labels_are_refused_before_they_are_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    data, rows, _ = examples(40)
    assert rows.width > 40
    monkeypatch.setattr(linear, "MOST_WEIGHTS", 2 * rows.width - 1)
    with pytest.raises(DataTooLarge, match=f"of 40 rows and {rows.width} n-grams"):
        linear.train(data, data, ("False", "True"), seed=0, progress=lambda share, what: None, normalizer=Normalizer())
