"""Cells: the place of a value does not depend on the batch or on how Arrow holds it, and is that of training."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cauce.model.manifest import Input
from cauce.model.rows import select
from cauce.runtimes.cells import BINS, Cells, learn

TYPES = ("category", "number", "boolean")
ARROW = (pa.string(), pa.float64(), pa.bool_())

VALUES = st.none() | st.sampled_from(["rojo", "azul", " azul ", "", " ", "ñandú", "otro"]) | st.text(max_size=5)
NUMBERS = st.none() | st.floats(allow_subnormal=False) | st.sampled_from([0.0, -0.0, 1.0, 2.0])
ROWS = st.lists(st.tuples(VALUES, NUMBERS, st.none() | st.booleans()), min_size=1, max_size=30)


def batch(rows: list[tuple[Any, ...]]) -> pa.RecordBatch:
    columns = [pa.array(column, kind) for column, kind in zip(zip(*rows, strict=True), ARROW, strict=True)]
    return pa.RecordBatch.from_arrays(columns, list(TYPES))


def of_one(values: list[Any], kind: str) -> Cells:
    column = pa.array(values, ARROW[TYPES.index(kind)])
    return Cells((kind,), learn(pa.RecordBatch.from_arrays([column], ["x"]), (kind,)))


def places(cells: Cells, values: list[Any], kind: str) -> list[int]:
    column = pa.array(values, ARROW[TYPES.index(kind)])
    return cells.places(pa.RecordBatch.from_arrays([column], ["x"]))[:, 0].tolist()


SEEN = batch([(["rojo", "azul", "verde"][i % 3], float(i), i % 2 == 0) for i in range(90)])
CELLS = Cells(TYPES, learn(SEEN, TYPES))


@given(rows=ROWS, data=st.data())
@settings(deadline=None)
def test_the_place_of_a_value_does_not_depend_on_its_batch(rows: list[tuple[Any, ...]], data: st.DataObject) -> None:
    whole = CELLS.places(batch(rows))
    order = data.draw(st.permutations(range(len(rows))))
    assert np.array_equal(CELLS.places(batch([rows[i] for i in order])), whole[order])
    assert np.array_equal(np.concatenate([CELLS.places(batch([row])) for row in rows]), whole)
    start = data.draw(st.integers(0, len(rows)))
    assert np.array_equal(CELLS.places(batch(rows).slice(start)), whole[start:])
    assert ((whole >= 0) & (whole < CELLS.size)).all()


@given(rows=ROWS, cut=st.integers(0, 30), padding=st.integers(0, 3))
@settings(deadline=None)
def test_nor_on_how_arrow_holds_it(rows: list[tuple[Any, ...]], cut: int, padding: int) -> None:
    plain = batch(rows)
    inputs = tuple(Input(name=kind, type=kind) for kind in TYPES)
    longer = pa.concat_batches([SEEN.slice(0, padding), plain]).slice(padding)
    chunked = pa.Table.from_batches([plain.slice(0, cut), plain.slice(cut)])
    dictionaries = [pa.dictionary(pa.int8(), pa.string()), pa.dictionary(pa.int32(), pa.large_string())]
    held = [longer, chunked]
    for kind in [pa.large_string(), pa.string_view(), *dictionaries]:
        column = plain.column(0)
        column = column.dictionary_encode().cast(kind) if pa.types.is_dictionary(kind) else column.cast(kind)
        held.append(plain.set_column(0, "category", column))
    for table in held:
        taken, codes = select(table, inputs)
        assert not codes.any()
        assert np.array_equal(CELLS.places(taken), CELLS.places(plain))


def test_unknown_missing_and_blank_values_have_cells_of_their_own() -> None:
    cells = of_one(["a", "a", "b", "b", "once"], "category")
    a, b, once, never, null, empty, blank, spaced = places(
        cells, ["a", "b", "once", "never", None, "", "  ", " a\t"], "category"
    )
    assert len({a, b, never, null}) == 4
    assert once == never  # seen once: it says what that row is
    assert empty == blank == null
    assert spaced == a


def test_values_that_training_never_had_are_told_from_missing_ones() -> None:
    for kind, value in (("category", "x"), ("number", 3.0)):
        cells = of_one([None, None, None], kind)
        null, known = places(cells, [None, value], kind)
        assert null != known
        assert cells.size == 2
    assert len(set(places(of_one([None], "boolean"), [None, True, False], "boolean"))) == 3


def test_a_number_lies_between_the_edges_that_training_learnt() -> None:
    cells = of_one([float(i) for i in range(10_000)], "number")
    assert cells.size == BINS + 1
    low, high, inf, minus, nan, null = places(cells, [-1e300, 1e300, np.inf, -np.inf, np.nan, None], "number")
    assert (low, minus, high, inf) == (0, 0, BINS - 1, BINS - 1)
    assert nan == null == BINS
    found = places(cells, [float(i) for i in range(10_000)], "number")
    assert found == sorted(found)
    assert np.bincount(found, minlength=BINS)[:BINS].min() > 300


def test_few_rows_have_few_bins_and_one_value_has_an_edge() -> None:
    assert of_one([1.0, 2.0, 3.0], "number").size == 3
    below, at, above = places(of_one([5.0] * 50, "number"), [4.9, 5.0, 5.1], "number")
    assert below < at == above


def test_a_table_of_several_columns_shares_no_cell() -> None:
    found = CELLS.places(SEEN)
    spans = [set(column) for column in found.T.tolist()]
    assert not spans[0] & spans[1]
    assert not spans[1] & spans[2]
    assert len(CELLS) == 3


def test_a_million_different_values_take_seconds_and_only_those_seen_twice_are_kept() -> None:
    values = pa.array([f"user-{i}" for i in range(1_000_000)] + ["user-7", "user-8"])
    rows = pa.RecordBatch.from_arrays([values], ["id"])
    start = time.perf_counter()
    tensors = learn(rows, ("category",))
    cells = Cells(("category",), tensors)
    found = cells.places(rows)
    assert time.perf_counter() - start < 30
    assert len(tensors["keys.0"]) == 2
    assert (cells.size, len(np.unique(found))) == (4, 3)


@pytest.mark.parametrize("kind", TYPES)
def test_no_rows_have_no_places(kind: str) -> None:
    assert of_one([None, None], kind).places(
        pa.RecordBatch.from_arrays([pa.array([], ARROW[TYPES.index(kind)])], ["x"])
    ).shape == (0, 1)
