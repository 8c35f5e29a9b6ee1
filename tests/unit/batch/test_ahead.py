from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from cauce.batch.ahead import ahead


def test_the_items_come_in_order_and_no_more_than_asked_are_made_ahead() -> None:
    made: list[int] = []

    def numbers() -> Iterator[int]:
        for n in range(20):
            made.append(n)
            yield n

    items = ahead(numbers(), 2)
    assert next(items) == 0
    time.sleep(0.2)
    assert len(made) <= 5
    assert list(items) == list(range(1, 20))


def test_an_error_is_raised_where_the_items_are_used() -> None:
    def fails() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    items = ahead(fails(), 2)
    assert next(items) == 1
    with pytest.raises(ValueError, match="broken"):
        next(items)


def test_closing_ends_the_thread_and_the_source() -> None:
    ended = threading.Event()

    def forever() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            ended.set()

    before = threading.active_count()
    items = ahead(ahead(forever(), 1), 1)
    next(items)
    items.close()
    assert ended.wait(5)
    assert threading.active_count() == before
