"""Rows of a request on their way."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import cauce
from cauce.online.work import Work, ask, cut, joined


def work(rows: list[Any]) -> Work:
    return Work("labels", rows, 0.0, asyncio.get_running_loop().create_future())


def test_parts_that_come_in_any_order_and_size_are_answered_in_the_order_of_the_rows() -> None:
    model, rows = cauce.load("echo"), ["a" * n + "b" * (n % 5) for n in range(1, 60)]

    async def test() -> None:
        one, chance = work(rows), random.Random(3)
        parts = []
        while one.left:
            places = one.take(chance.randint(1, 9))
            parts.append((places, model.predict([rows[place] for place in places])))
        chance.shuffle(parts)
        for places, part in parts:
            assert not one.answer.done()
            one.receive(places, part)
        assert np.array_equal((await one.answer).scores, model.predict(rows).scores)

    asyncio.run(test())


def test_the_longest_rows_go_first() -> None:
    async def test() -> None:
        one = work(["bb", {"text": "dddd", "other": 1}, None, "ccc"])
        assert (one.next_length, one.take(2), one.left) == (4, [1, 3], 2)

    asyncio.run(test())


def test_a_part_that_comes_after_the_answer_was_given_up_is_dropped() -> None:
    async def test() -> None:
        one = work(["a", "b"])
        one.answer.cancel()
        one.receive(one.take(2), cauce.load("echo").predict(["a", "b"]))
        assert one.answer.cancelled()

    asyncio.run(test())


def test_vectors_are_cut_and_joined_like_labels() -> None:
    whole = pa.array([[1.0, 2.0], None, [3.0, 4.0]], pa.list_(pa.float32(), 2))
    assert joined([cut(whole, 2, 3), cut(whole, 0, 2)], np.array([2, 0, 1])).equals(whole)


@pytest.mark.parametrize("rows", [["bare"], [None, "bare"], [None], ["bare", {"title": "bueno", "body": "x"}]])
def test_a_row_of_a_table_gets_the_same_error_alone_and_among_others(task_folders: dict[str, Any], rows: list[Any]) -> None:
    """A long list is cut into calls: what a row is told may not depend on where."""
    model = cauce.load(task_folders["mixed"])
    among = model.predict([*rows, {"title": "malo", "body": "y"}])
    assert [one.error for one in ask("labels", model, rows)] == [one.error for one in among][: len(rows)]
