"""Cross-validation: near duplicates stay together, every label is everywhere, and the interval respects shared rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import cauce
from cauce.data import duplicates
from cauce.data.read import read
from cauce.data.split import folds
from cauce.errors import InputError, TooFewLabels
from cauce.recipes.validate import corrected


def test_the_interval_is_that_of_nadeau_and_bengio() -> None:
    values = np.array([0.70, 0.72, 0.69, 0.75, 0.71])
    found = corrected(values, 0.25)
    deviation = np.sqrt((1 / 5 + 0.25) * values.var(ddof=1))
    low, high = stats.t.interval(0.95, 4, values.mean(), deviation)
    assert (found.value, found.low, found.high) == pytest.approx((values.mean(), low, high))


def test_repeating_makes_no_interval_as_narrow_as_if_the_folds_were_independent() -> None:
    values = np.random.default_rng(0).normal(0.7, 0.02, 100)
    found = corrected(values, 0.25)
    assert (found.high - found.low) / 2 > 4 * values.std(ddof=1) / np.sqrt(100)


def test_every_row_is_in_one_fold_and_near_duplicates_share_it(messages: Path, tmp_path: Path) -> None:
    copied = tmp_path / "copied.csv"
    lines = messages.read_text("utf-8").splitlines(keepends=True)
    copied.write_text("".join([*lines, *lines[1:60]]), "utf-8")
    data = read(copied)
    places = folds(data, 5, seed=1)
    groups = duplicates.groups(data)
    assert (places == places[groups]).all()
    assert np.bincount(places).min() > 0.15 * len(data)
    whole = data.counts()
    for fold in range(5):
        counts = data.take(np.flatnonzero(places == fold)).counts()
        assert counts.keys() == whole.keys()
        assert all(abs(counts[label] - whole[label] / 5) < 0.1 * whole[label] for label in whole)
    assert (folds(data, 5, seed=2) != places).any()


def test_a_label_with_fewer_rows_than_folds_is_refused(tmp_path: Path) -> None:
    rows = [f"{word} number {i},{label}" for label in "ab" for i, word in enumerate("one two three four".split())]
    (tmp_path / "few.csv").write_text("text,label\n" + "\n".join(rows))
    with pytest.raises(TooFewLabels, match="4 different row"):
        folds(read(tmp_path / "few.csv"), 5, seed=0)


def test_a_training_gives_cross_validated_figures_beside_the_usual_model(
    messages: Path, model_folder: Path, tmp_path: Path
) -> None:
    run = cauce.train(messages, out=tmp_path / "model", cv=3, repeats=2)
    assert run.model.version == cauce.load(model_folder).version
    assert run.validation is not None
    assert (run.validation.folds, run.validation.repeats) == (3, 2)
    assert {len(values) for values in run.validation.each.values()} == {6}
    figure = run.validation.metrics["macro_f1"]
    assert 0.5 < figure.low < figure.value < figure.high < 1
    assert figure.value == pytest.approx(run.report.metrics["macro_f1"].value, abs=0.12)
    assert run.as_dict()["cross_validation"]["metrics"]["macro_f1"].keys() == {"value", "low", "high"}


@pytest.mark.parametrize(("number", "repeats"), [(1, 1), (0, 1), (5, 0)])
def test_one_fold_and_no_repeats_are_refused(number: int, repeats: int, messages: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cross-validation"):
        cauce.train(messages, out=tmp_path / "model", cv=number, repeats=repeats)
    assert not (tmp_path / "model").exists()
