"""How well one column alone tells the label: chance for noise, all for a copy of it, and never by learning rows by heart."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest

from cauce.data.leaks import leaks

ROWS = 1000
chance = random.Random(4)
LABELS = [chance.choice("abc") for _ in range(ROWS)]
NUMBERS = [chance.random() * 10 for _ in range(ROWS)]


def measure(values: list[str | None], labels: list[str] | list[float]) -> tuple[float, bool] | None:
    found = leaks({"column": pa.array(values, pa.string())}, pa.array(labels))
    return (found[0].measure, found[0].told) if found else None


@pytest.mark.parametrize("values", [[chance.choice("xyz") for _ in range(ROWS)], [str(chance.random()) for _ in range(ROWS)]])
def test_noise_is_chance(values: list[str | None]) -> None:
    found = measure(values, LABELS)
    assert found is not None
    assert found[0] == pytest.approx(0.5, abs=0.06)
    assert not found[1]


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_a_copy_of_the_label_is_told(noise: float) -> None:
    found = measure([chance.choice("abc") if chance.random() < noise else label for label in LABELS], LABELS)
    assert found is not None
    assert found[0] > (0.99 if not noise else 0.85)
    assert found[1]


def test_an_empty_cell_can_tell_the_label() -> None:
    assert (measure([None if label == "a" else str(chance.random()) for label in LABELS], LABELS) or (0, False))[0] > 0.7


def test_names_that_do_not_come_again_are_no_column_to_judge() -> None:
    assert measure([f"name {number}" for number in range(ROWS)], LABELS) is None


def test_a_number_that_is_nearly_the_target_is_told_of_a_regression() -> None:
    found = measure([str(value * 2 + chance.random()) for value in NUMBERS], NUMBERS)
    assert found is not None
    assert found[0] > 0.9
    assert found[1]
    assert not (measure([str(chance.random()) for _ in NUMBERS], NUMBERS) or (0, True))[1]


def test_few_rows_are_not_judged() -> None:
    assert leaks({"column": pa.array(["x", "y"] * 10)}, pa.array(["x", "y"] * 10)) == []


def test_a_column_of_a_million_values_is_judged_on_some_of_its_rows() -> None:
    values = pa.array([str(number) for number in range(1_000_000)])
    found = leaks({"number": values}, pa.array(["a", "b"] * 500_000))
    assert found[0].measure == pytest.approx(0.5, abs=0.02)
