"""Answers of every task, as objects and as Arrow columns."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cauce.model.manifest import Task
from cauce.model.predictions import Predictions, columns, kept_names
from cauce.model.rows import MISSING


def predictions(
    task: Task, scores: list[list[float]], labels: tuple[str, ...], *, wrong: tuple[int, ...] = (), **more: object
) -> Predictions:
    codes = np.zeros(len(scores), np.uint8)
    codes[list(wrong)] = MISSING
    filled = np.array(scores, np.float32).reshape(len(scores), len(labels))
    filled[list(wrong)] = np.nan
    return Predictions(labels, filled, codes, np.zeros(len(scores), np.bool_), "v1", "linear", task, **more)  # type: ignore[arg-type]


SEVERAL = predictions(
    "multilabel",
    [[0.9, 0.5, 0.2], [0.1, 0.2, 0.19], [0, 0, 0], [0.3, 0.8, 0.2]],
    ("a", "b", "c"),
    wrong=(2,),
    thresholds=(0.3, 0.5, 0.2),
)


def test_a_row_has_the_labels_whose_score_reaches_their_threshold() -> None:
    assert [answer.labels for answer in SEVERAL] == [("a", "b", "c"), (), None, ("a", "b", "c")]
    assert [answer.label for answer in SEVERAL] == ["a", "b", None, "b"]
    assert SEVERAL[0].score == pytest.approx(0.9)
    assert list(SEVERAL[1].scores) == ["b", "c", "a"]
    assert (SEVERAL[2].error, SEVERAL[2].score, SEVERAL[2].scores) == ("missing_input", None, {})


def test_the_arrow_columns_of_several_labels_have_a_list_and_null_on_an_error() -> None:
    batch = SEVERAL.to_arrow()
    assert batch.schema.names == list(columns("multilabel"))
    assert batch.column("labels").to_pylist() == [["a", "b", "c"], [], None, ["a", "b", "c"]]
    assert batch.column("labels").type == pa.list_(pa.string())
    assert batch.column("label").to_pylist() == ["a", "b", None, "b"]
    assert batch.column("score").null_count == batch.column("scores").null_count == 1
    assert batch.column("error").to_pylist() == [None, None, "missing_input", None]
    batch.validate(full=True)


def test_a_number_has_no_label_and_its_value_is_the_score() -> None:
    answers = predictions("regression", [[12.5], [0], [-3.0]], ("price",), wrong=(1,))
    assert [(answer.label, answer.score, answer.scores) for answer in answers] == [
        (None, 12.5, {"price": 12.5}), (None, None, {}), (None, -3.0, {"price": -3.0}),
    ]  # fmt: skip
    assert [answer.labels for answer in answers] == [None] * 3
    batch = answers.to_arrow()
    assert batch.schema.names == list(columns("regression"))
    assert batch.column("label").to_pylist() == [None] * 3
    assert batch.column("label").type == pa.string()
    assert batch.column("score").to_pylist() == [12.5, None, -3.0]
    assert batch.column("scores").to_pylist() == [[12.5], None, [-3.0]]


def test_of_one_label_the_columns_have_no_list_of_labels() -> None:
    batch = predictions("classification", [[0.4, 0.6], [0, 0]], ("a", "b"), wrong=(1,)).to_arrow()
    assert "labels" not in batch.schema.names
    assert batch.column("label").to_pylist() == ["b", None]


@pytest.mark.parametrize("task", ["classification", "multilabel", "regression"])
def test_no_rows_and_only_wrong_rows_have_columns_too(task: Task) -> None:
    for rows in (0, 2):
        batch = predictions(task, [[0.0]] * rows, ("a",), wrong=tuple(range(rows)), thresholds=(0.5,)).to_arrow()
        batch.validate(full=True)
        assert batch.num_rows == rows
        assert batch.column("scores").null_count == rows
        assert batch.schema.names == list(columns(task))


def test_top_k_and_slices_of_several_labels() -> None:
    few = predictions("multilabel", [[0.9, 0.5, 0.2]], ("a", "b", "c"), thresholds=(0.1, 0.1, 0.1), top_k=1)
    assert few[0].scores == pytest.approx({"a": 0.9})
    assert few[0].labels == ("a", "b", "c")
    assert SEVERAL[1:3] == [SEVERAL[1], SEVERAL[2]]
    with pytest.raises(IndexError):
        SEVERAL[4]


NAMES = st.lists(
    st.sampled_from(["text", "label", "labels", "score", "input_label", "input_labels", "input_input_label"]), unique=True
)


@given(names=NAMES, task=st.sampled_from(["classification", "multilabel", "regression"]))
def test_kept_columns_and_answers_never_share_a_name(names: list[str], task: Task) -> None:
    kept = kept_names(names, task)
    assert len({*kept, *columns(task)}) == len(names) + len(columns(task))
    assert all(
        new == old or (old in columns(task) and new.endswith(f"input_{old}")) for old, new in zip(names, kept, strict=True)
    )


def test_a_column_named_labels_moves_only_where_the_answers_have_one() -> None:
    assert kept_names(["labels", "text"], "multilabel") == ["input_labels", "text"]
    assert kept_names(["labels", "text"], "classification") == ["labels", "text"]
    assert kept_names(["labels", "input_labels"], "multilabel") == ["input_input_labels", "input_labels"]
