"""A model in memory of a few labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cauce.data.read import read
from cauce.errors import TooFewLabels
from cauce.recipes.quick import quick


def test_a_few_labels_are_better_than_chance_and_the_same_each_time(messages: Path) -> None:
    data = read(messages)
    order = np.random.default_rng(0).permutation(len(data))
    model, again = (quick(data.take(order[:300])) for _ in range(2))
    rest = data.take(order[300:])
    scores = model.predict(rest.rows).scores
    assert (scores.argmax(axis=1) == rest.places(model.labels)).mean() > 0.55
    assert np.array_equal(scores, again.predict(rest.rows).scores)


def test_one_label_is_not_enough(messages: Path) -> None:
    data = read(messages)
    only = np.flatnonzero(np.array(data.labels.to_pylist()) == "positive")
    with pytest.raises(TooFewLabels):
        quick(data.take(only))
