from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

import cauce
from cauce.batch.score import answers, distinct
from cauce.model.manifest import Input
from cauce.model.model import echo_model
from cauce.runtimes.echo import Echo, Texts

TEXT = (Input(name="text", type="text"),)


class Counting(Echo):
    """An echo that remembers how many rows it was asked."""

    asked: list[int] = []  # noqa: RUF012

    def encode(self, rows: pa.RecordBatch) -> Texts:
        self.asked.append(len(rows))
        return super().encode(rows)


def batch(texts: list[str | None]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(texts, pa.string())], ["text"])


def test_each_distinct_row_of_a_window_is_asked_once_and_every_row_has_its_answer() -> None:
    rows = batch([f"text {n % 700} with the letter a" if n % 9 else None for n in range(5000)])
    Counting.asked.clear()
    model = echo_model(Counting())
    found = answers(model, rows)
    assert sum(Counting.asked) <= 700
    assert found.equals(echo_model().predict_arrow(rows).select(found.schema.names))


def test_rows_that_do_not_repeat_are_not_searched(model: cauce.Model) -> None:
    assert distinct(batch([f"text {n}" for n in range(5000)]), TEXT) == (None, None)


def test_rows_repeat_only_where_every_column_does() -> None:
    inputs = (*TEXT, Input(name="n", type="number"))
    texts, numbers = ["same", "other"] * 2000, [n % 5 for n in range(4000)]
    rows = pa.RecordBatch.from_arrays([pa.array(texts), pa.array(numbers, pa.float64())], ["text", "n"])
    firsts, inverse = distinct(rows, inputs)
    assert firsts is not None
    assert len(firsts) == 10
    assert rows.take(pa.array(firsts)).take(pa.array(inverse)).equals(rows)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_a_slice_of_a_longer_column_is_read_from_its_start(kind: pa.DataType) -> None:
    texts = pa.array(["before", *["a", "b"] * 1000], kind).slice(1)
    firsts, inverse = distinct(pa.RecordBatch.from_arrays([texts], ["text"]), TEXT)
    assert np.array_equal(firsts[inverse][:4], [0, 1, 0, 1])
