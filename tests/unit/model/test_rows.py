"""Rows as callers have them: the same values in any form give the same columns, and a wrong one is its own row's error."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cauce.data.values import FALSE, TRUE
from cauce.errors import ColumnMissing, WrongRows
from cauce.model.manifest import Input, InputType
from cauce.model.rows import BOOLEANS, CODES, MISSING_MARKS, check, from_any, select

NONE = "missing_input"


def inputs(**types: InputType) -> tuple[Input, ...]:
    return tuple(Input(name=name, type=kind) for name, kind in types.items())


ORDER = inputs(title="text", body="text", color="category", size="number", paid="boolean")
GOOD = {"title": "a", "body": "b", "color": "rojo", "size": 1.5, "paid": True}


def codes_of(rows: Any, wanted: tuple[Input, ...], max_chars: int = 50) -> list[str | None]:
    batch, codes = from_any(rows, wanted)
    found, _ = check(batch, wanted, max_chars)
    return [CODES[code or other] or None for code, other in zip(codes, found, strict=True)]


def values_of(rows: Any, wanted: tuple[Input, ...], column: int = 0) -> list[Any]:
    batch, _ = from_any(rows, wanted)
    return batch.column(column).to_pylist()


NUMBERS = [
    ("1.5", 1.5), (" -2 ", -2.0), ("1e3", 1000.0), ("", None), ("NA", None), ("?", None), ("nan", None), ("x", "wrong_type"),
    ("1,5", "wrong_type"), ("1_000", "wrong_type"), (None, None),
]  # fmt: skip
BOOLS = [
    ("yes", True), (" NO ", False), ("sí", True), ("1", True), ("0.0", False), ("", None), ("unknown", None),
    ("2", "wrong_type"), ("maybe", "wrong_type"), (None, None),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "cases"), [("number", NUMBERS), ("boolean", BOOLS)])
@pytest.mark.parametrize("form", ["list", "string", "large_string", "dictionary", "chunked"])
def test_strings_are_read_as_the_type_and_a_wrong_one_is_its_own_rows_error(
    form: str, kind: InputType, cases: list[tuple[Any, Any]]
) -> None:
    wanted = inputs(x=kind, other="category")
    values = [value for value, _ in cases]
    rows: Any = [{"x": value, "other": "o"} for value in values]
    if form != "list":
        column = pa.array(values, pa.large_string() if form == "large_string" else pa.string())
        column = column.dictionary_encode() if form == "dictionary" else column
        column = pa.chunked_array([column.slice(0, 4), column.slice(4)]) if form == "chunked" else column
        rows = pa.table({"other": ["o"] * len(values), "x": column})
    assert codes_of(rows, wanted) == [expected if expected == "wrong_type" else None for _, expected in cases]
    assert values_of(rows, wanted) == [None if expected == "wrong_type" else expected for _, expected in cases]


def test_every_word_that_training_reads_as_a_boolean_or_as_missing_is_read_here_too() -> None:
    assert [BOOLEANS[word] for word in (*TRUE, *FALSE)] == [True] * len(TRUE) + [False] * len(FALSE)
    for kind in ("number", "boolean"):
        wanted = inputs(x=kind, other="category")
        assert values_of([{"x": mark, "other": "o"} for mark in MISSING_MARKS], wanted) == [None] * len(MISSING_MARKS)


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("number", [1, 2**60 + 1, True, 1.5, float("nan"), 10**400, [1], "a"],
         [1.0, float(2**60), 1.0, 1.5, None, "wrong_type", "wrong_type", "wrong_type"]),
        ("boolean", [1, 0, 1.0, True, 2, 0.5, None, float("nan"), [True]],
         [True, False, True, True, "wrong_type", "wrong_type", None, None, "wrong_type"]),
        ("category", [1, 1.0, 2.5, True, "1", float("nan"), ["a"], "\ud800", b"a"],
         ["1", "1", "2.5", "true", "1", None, "wrong_type", "invalid_utf8", "a"]),
        ("text", ["a", 5, None, "", "\ud800", "   "],
         ["a", "wrong_type", "missing_input", "empty_text", "invalid_utf8", "empty_text"]),
    ],
    ids=["number", "boolean", "category", "text"],
)  # fmt: skip
def test_python_values_of_another_type_are_read_or_are_their_own_rows_error(
    kind: InputType, values: list[Any], expected: list[Any]
) -> None:
    wanted = inputs(x=kind) if kind == "text" else inputs(x=kind, other="category")
    rows = [{"x": value, "other": "o"} for value in values]
    assert codes_of(rows, wanted) == [said if said in CODES[1:] else None for said in expected]
    read = [value for value, said in zip(values_of(rows, wanted), expected, strict=True) if said not in CODES[1:]]
    assert read == [said for said in expected if said not in CODES[1:]]


@pytest.mark.parametrize(
    "kind", [pa.int8(), pa.int64(), pa.uint64(), pa.float32(), pa.float64(), pa.bool_(), pa.decimal128(24, 2)], ids=str
)
def test_arrow_numbers_of_any_width_are_those_of_python(kind: pa.DataType) -> None:
    column = pa.array([1, 0, None]).cast(pa.bool_() if pa.types.is_boolean(kind) else kind)
    table = pa.table({"n": column, "b": column, "other": ["o"] * 3})
    assert values_of(table, inputs(n="number", other="category")) == [1.0, 0.0, None]
    assert values_of(table, inputs(b="boolean", other="category")) == [True, False, None]


def test_arrow_numbers_that_are_no_boolean_are_their_own_rows_error() -> None:
    table = pa.table({"paid": [1.0, 2.0, float("nan"), -1.0], "other": ["o"] * 4})
    wanted = inputs(paid="boolean", other="category")
    assert codes_of(table, wanted) == [None, "wrong_type", None, "wrong_type"]
    assert values_of(table, wanted) == [True, None, None, None]


def test_a_large_whole_number_loses_its_last_digits_and_no_neighbor() -> None:
    assert values_of(pa.table({"n": [1, 2**60 + 1]}), inputs(n="number")) == [1.0, float(2**60)]


@given(values=st.lists(st.none() | st.integers(-(2**53), 2**53) | st.floats(-1e15, 1e15), max_size=12))
@settings(deadline=None)
def test_numbers_as_categories_are_written_the_same_from_python_and_from_arrow(values: list[Any]) -> None:
    for column in (
        pa.array([None if v is None else float(v) for v in values], pa.float64()),
        pa.array([v for v in values if isinstance(v, int)], pa.int64()),
    ):
        rows = [{"x": value.as_py(), "other": "o"} for value in column]
        table = pa.table({"x": column, "other": pa.array(["o"] * len(column), pa.string())})
        wanted = inputs(x="category", other="category")
        assert values_of(table, wanted) == values_of(rows, wanted) if rows else True


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, None),
        ({"title": None}, None),
        ({"title": ""}, None),
        ({"title": None, "body": "  "}, "empty_text"),
        ({"title": "", "body": "\u3000"}, "empty_text"),
        ({"title": None, "body": None}, "missing_input"),
        ({"color": None, "size": None, "paid": None}, None),
        ({"body": "\ud800"}, "invalid_utf8"),
        ({"color": "\ud800"}, "invalid_utf8"),
        ({"size": "x", "body": "\ud800"}, "wrong_type"),
        ({"color": ""}, None),
    ],
    ids=repr,
)
def test_of_several_texts_some_may_be_missing_and_no_neighbor_is_touched(change: dict[str, Any], code: str | None) -> None:
    found = codes_of([GOOD, {**GOOD, **change}, GOOD], ORDER)
    assert found[::2] == [None, None]
    assert found[1] == code or (code == "wrong_type" and found[1] in ("wrong_type", "invalid_utf8"))


def test_a_row_of_none_of_the_columns_is_another_tables() -> None:
    wanted = inputs(color="category", size="number", paid="boolean")
    rows = [{"size": 1.0}, {"colour": "rojo"}, {}, None, {"size": float("nan")}, {"color": "rojo"}]
    assert codes_of(rows, wanted) == [None, NONE, NONE, NONE, NONE, None]


def test_a_bare_text_among_rows_of_several_columns_is_its_own_error() -> None:
    both = inputs(title="text", color="category")
    assert codes_of([{"title": "a", "color": "b"}, "bare", 7, None], both) == [None, "wrong_type", "wrong_type", NONE]
    with pytest.raises(WrongRows, match="several columns"):
        from_any(["bare"], both)


def test_a_category_that_is_not_utf8_is_its_own_rows_error() -> None:
    raw = pa.array([b"rojo", b"\xff\xfe", None, b"azul"], pa.binary())
    for column in (raw, raw.dictionary_encode()):
        names = pa.Array.from_buffers(pa.string(), 4, raw.buffers()) if column is raw else pa.DictionaryArray.from_arrays(
            column.indices, pa.Array.from_buffers(pa.string(), 3, column.dictionary.buffers())
        )  # fmt: skip
        table = pa.table({"color": names, "size": ["1", "2", "3", "4"]})
        assert codes_of(table, inputs(color="category", size="number")) == [None, "invalid_utf8", None, None]


def test_texts_over_the_limit_are_told_of_any_column() -> None:
    batch, _ = from_any([GOOD, {**GOOD, "body": "b" * 51}, {**GOOD, "color": "c" * 99}], ORDER)
    assert check(batch, ORDER, 50)[1].tolist() == [False, True, False]


def test_a_table_is_read_in_any_order_of_columns_and_one_that_lacks_or_repeats_one_is_refused() -> None:
    table = pa.table({name: [GOOD[name]] for name in ("paid", "size", "color", "body", "title")})
    batch, codes = select(table, ORDER)
    assert batch.to_pylist() == [GOOD]
    assert not codes.any()
    with pytest.raises(ColumnMissing, match="size"):
        select(table.drop_columns("size"), ORDER)
    with pytest.raises(WrongRows, match="several columns"):
        select(table.append_column("size", pa.array([1.0])), ORDER)


@pytest.mark.parametrize(("kind", "column"), [("text", [1]), ("number", [[1]]), ("boolean", [[True]]), ("category", [["a"]])])
def test_a_column_that_cannot_be_the_type_is_refused_whole(kind: InputType, column: list[Any]) -> None:
    with pytest.raises(WrongRows, match='column "x" holds'):
        select(pa.table({"x": column}), inputs(x=kind))


@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_whatever_the_rows_hold_there_is_a_code_or_a_value_for_each(data: st.DataObject) -> None:
    anything = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=4)
        | st.binary(max_size=3)
        | st.lists(st.integers(), max_size=2)
    )
    odd = st.dictionaries(st.sampled_from(list(GOOD)), anything)
    rows = data.draw(
        st.lists(odd | anything, min_size=1, max_size=8).filter(lambda rows: any(isinstance(row, dict) for row in rows))
    )
    batch, codes = from_any(rows, ORDER)
    found, _ = check(batch, ORDER, 50)
    assert len(batch) == len(codes) == len(found) == len(rows)
    for i, row in enumerate(rows):
        alone, code = from_any([row if isinstance(row, dict) else {}], ORDER)
        if isinstance(row, dict):
            assert code[0] == codes[i]
            assert str(alone.to_pylist()[0]) == str(batch.slice(i, 1).to_pylist()[0])
    assert np.array_equal(batch.schema.names, [one.name for one in ORDER])
