"""What an n-gram says of the labels."""

from __future__ import annotations

import numpy as np
import pytest

from cauce.recipes.contrast import DOUBT, contrast

ROW = np.array([0, 0, 1, 1, 2, 2, 3, 3, 3])
COLUMNS = np.array([0, 1, 0, 1, 0, 2, 0, 2, 3], np.int32)
COUNTS = np.bincount(COLUMNS)


def test_a_bucket_that_every_label_has_says_nothing() -> None:
    told = contrast("classification", np.array([0, 0, 1, 1]), ROW, COLUMNS, COUNTS)
    share = (2 + DOUBT / 2) / (2 + DOUBT)
    assert told[0] == pytest.approx(0)
    assert told[1] ** 2 / 2 == pytest.approx(share * np.log(2 * share) + (1 - share) * np.log(2 * (1 - share)))
    assert told[2] == pytest.approx(told[1])


def test_fewer_rows_say_less() -> None:
    told = contrast("classification", np.array([0, 0, 1, 1]), ROW, COLUMNS, COUNTS)
    assert 0 < told[3] < told[2]


def test_several_labels_and_a_number_are_told_apart_like_two_classes() -> None:
    wanted = contrast("classification", np.array([0, 0, 1, 1]), ROW, COLUMNS, COUNTS)
    several = np.array([[True, True], [True, True], [False, True], [False, True]])  # the second label is everywhere
    assert np.allclose(contrast("multilabel", several, ROW, COLUMNS, COUNTS), wanted)
    number = np.array([[1.0], [2.0], [30.0], [400.0]])
    assert np.allclose(contrast("regression", number, ROW, COLUMNS, COUNTS), wanted)
