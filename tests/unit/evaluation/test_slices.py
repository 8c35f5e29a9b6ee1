"""Slices: every row falls where it belongs, and few rows are told."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cauce.evaluation.slices import LEAST_ERRORS, slices, wilson


def by_name(kind: str, merit: list[float], **known: object) -> dict[str, tuple[int, float]]:
    arguments = {"texts": (), "languages": {}, "times": None, **known}
    found = slices(np.array(merit, float), **arguments)  # type: ignore[arg-type]
    return {one.name: (one.rows, one.figure.value) for one in found if one.kind == kind}


def test_by_language_only_of_the_rows_that_were_judged() -> None:
    found = by_name("language", [1, 0, 1, 1], languages={0: "es", 1: "es", 3: "en"})
    assert found == {"es": (2, 0.5), "en": (1, 1.0)}


def test_by_length_a_text_at_the_edge_is_in_the_lower_slice() -> None:
    texts = ["a" * 25, "a" * 26, "a" * 500, "a" * 501, "a" * 9000]
    assert by_name("length", [1, 0, 1, 0, 1], texts=texts) == {
        "1-25": (1, 1.0),
        "26-50": (1, 0.0),
        "201-500": (1, 1.0),
        "501+": (2, 0.5),
    }


def test_by_time_in_order_and_one_day_stays_together() -> None:
    days = np.datetime64("2026-01-01") + np.repeat([9, 3, 0], [60, 60, 60])
    times = np.concatenate([days.astype("datetime64[us]"), [np.datetime64("NaT")]])
    found = by_name("time", [1] * 60 + [0] * 121, times=times)
    assert found == {
        "2026-01-01/2026-01-01": (60, 0.0),
        "2026-01-04/2026-01-04": (60, 0.0),
        "2026-01-10/2026-01-10": (60, 1.0),
    }


def test_times_that_are_all_unknown_make_no_slice() -> None:
    assert by_name("time", [1.0, 0.0], times=np.array(["NaT", "NaT"], "datetime64[us]")) == {}


def test_few_rows_are_small_and_a_handful_of_errors_says_nothing() -> None:
    found = slices(np.ones(49), texts=["a"] * 49, languages={}, times=None)
    assert found[0].small
    assert not slices(np.ones(50), texts=["a"] * 50, languages={}, times=None)[0].small
    errors = np.linspace(0.1, 2, LEAST_ERRORS + 1)
    texts = ["a", *["b" * 30] * LEAST_ERRORS]
    assert [one.name for one in slices(errors, texts=texts, languages={}, times=None)] == ["26-50"]


@given(st.integers(1, 400).flatmap(lambda rows: st.tuples(st.integers(0, rows), st.just(rows))))
def test_a_share_lies_in_its_interval_and_the_interval_in_0_to_1(known: tuple[int, int]) -> None:
    right, rows = known
    figure = wilson(right, rows)
    assert 0 <= figure.low <= figure.value <= figure.high <= 1
    assert figure.high - figure.low > 0


def test_the_interval_of_a_share_is_the_published_one() -> None:
    figure = wilson(81, 263)  # Newcombe 1998, table I
    assert (figure.low, figure.high) == pytest.approx((0.2553, 0.3662), abs=5e-5)
