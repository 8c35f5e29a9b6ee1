"""Which rows go together, and the bisection of a call that fails."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cauce.model import batching
from cauce.model.model import echo_model
from cauce.runtimes.base import Output
from cauce.runtimes.echo import Echo, Texts

POISON = "☠"


@given(st.lists(st.sampled_from(["a", "banana", "a longer text of letters", f"bad {POISON}"]), max_size=40), st.data())
def test_a_failing_row_is_narrowed_to_and_its_neighbours_are_answered(texts: list[str], data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from([{}, {"batching": "single"}, {"batch_cost": 60}]))
    answers = echo_model(Echo(fails_on=POISON, **kind)).predict(texts)
    alone = echo_model().predict(texts)
    for text, answer, scores, wanted in zip(texts, answers, answers.scores, alone.scores, strict=True):
        assert answer.error == ("runtime_failed" if POISON in text else None)
        assert np.isnan(scores).all() if POISON in text else np.array_equal(scores, wanted)


class CannotRead(Echo):
    """Fails while it reads the rows, as a tokenizer might."""

    def encode(self, rows: pa.RecordBatch) -> Texts:
        if any(POISON in text for text in rows.column(0).to_pylist()):
            raise RuntimeError("cannot read this")
        return super().encode(rows)


@pytest.mark.parametrize("texts", [[POISON], ["a", POISON, "b"], [POISON, POISON], ["a"] * 33 + [POISON] + ["banana"] * 5])
def test_a_row_that_cannot_be_encoded_is_narrowed_to(texts: list[str]) -> None:
    answers = echo_model(CannotRead()).predict(texts)
    assert [answer.error for answer in answers] == ["runtime_failed" if text == POISON else None for text in texts]
    fine = [i for i, text in enumerate(texts) if text != POISON]
    assert np.array_equal(answers.scores[fine], echo_model().predict([texts[i] for i in fine]).scores)


@given(st.lists(st.integers(1, 200), max_size=60), st.integers(1, 500))
def test_a_plan_makes_each_call_fit_the_budget_and_takes_each_row_once(cost: list[int], budget: int) -> None:
    calls = batching.plan(Echo(batch_cost=budget), np.array(cost, np.int32))
    assert sorted(int(row) for call in calls for row in call) == list(range(len(cost)))
    for call in calls:
        assert len(call) == 1 or len(call) * max(cost[row] for row in call) <= budget


@pytest.mark.parametrize("kind", [{"batching": "single"}, {"batch_cost": 60}])
def test_calls_run_side_by_side(kind: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "run_sliced", two_at_a_time)

    class Waits(Echo):
        def forward(self, encoded: Texts, output: Output = "logits") -> npt.NDArray[np.float32]:
            both.wait(10)  # broken unless two calls are under way
            return super().forward(encoded, output)

    both = threading.Barrier(2)
    answers = echo_model(Waits(**kind)).predict(["a" * 30] * 4)
    assert [answer.error for answer in answers] == [None] * 4


def two_at_a_time(work: Callable[[int, int], None], rows: int, smallest: int) -> None:
    """What `run_sliced` does with two threads, on a machine of any size."""
    assert (rows % 2, smallest) == (0, 1)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda row: work(row, row + 1), range(rows)))


def test_few_rows_are_shared_out_between_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "at_hand", lambda: 2)
    calls = batching.plan(Echo(batch_cost=1000), np.array([10, 12, 11, 9], np.int32))
    assert [call.tolist() for call in calls] == [[1, 2], [0, 3]]
    monkeypatch.setattr(batching, "at_hand", lambda: 1)
    assert len(batching.plan(Echo(batch_cost=1000), np.array([10, 12, 11, 9], np.int32))) == 1


def test_rows_of_a_single_runtime_run_alone() -> None:
    assert [call.tolist() for call in batching.plan(Echo(batching="single"), np.array([3, 1, 2], np.int32))] == [[0], [1], [2]]
