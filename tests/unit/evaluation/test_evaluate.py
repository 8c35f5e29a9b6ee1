"""What choices are made by: more of the number is better, for every task."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics as sk

import cauce
from cauce.data.columns import Columns
from cauce.data.read import read
from cauce.evaluation.areas import MOST_AREAS
from cauce.evaluation.classification import report as classified
from cauce.evaluation.evaluate import ROWS, evaluate, judge


def test_the_better_scores_have_the_greater_merit() -> None:
    random = np.random.default_rng(0)
    places, marks, numbers = random.integers(0, 3, 200), random.random((200, 3)) < 0.3, random.normal(size=(200, 1))
    for task, truth, right in (
        ("classification", places, np.eye(3)[places]),
        ("multilabel", marks, marks.astype(float)),
        ("regression", numbers, numbers),
    ):
        noise = random.random(right.shape)
        merits = [judge(task, truth, (right * (1 - share) + noise * share).astype(np.float32))[2] for share in (0.9, 0.5, 0.1)]
        assert merits == sorted(merits)


def test_the_figures_are_those_that_their_names_say() -> None:
    random = np.random.default_rng(1)
    truth, values = random.normal(size=(50, 1)), random.normal(size=(50, 1)).astype(np.float32)
    assert judge("regression", truth, values)[:2] == ("rmse", pytest.approx(sk.root_mean_squared_error(truth, values)))
    places, scores = random.integers(0, 3, 50), random.random((50, 3)).astype(np.float32)
    assert judge("classification", places, scores)[:2] == (
        "macro_f1", pytest.approx(sk.f1_score(places, scores.argmax(axis=1), average="macro")),
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["multilabel", "regression", "mixed", "table"])
def test_more_rows_than_are_asked_at_once_are_each_measured(
    kind: str, task_folders: dict[str, Path], orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = cauce.load(task_folders[kind])
    label, delimiter = {"multilabel": ("tags", ";"), "regression": ("price", None)}.get(kind, ("kept", None))
    columns = Columns.of_model(model.manifest.inputs, model.task, label=(label,), label_delimiter=delimiter)
    data = read(orders, columns)
    rows = data.rows.select([one.name for one in model.manifest.inputs])
    whole = evaluate(model, rows, data.truth(model.labels))
    assert len(data) < ROWS
    monkeypatch.setattr("cauce.evaluation.evaluate.ROWS", 37)
    assert evaluate(model, rows, data.truth(model.labels)).as_dict() == whole.as_dict()
    assert whole.rows == len(data)


def test_of_very_many_labels_the_area_is_left_out() -> None:
    k = MOST_AREAS + 1
    truth = np.arange(2 * k) % k
    scores = np.random.default_rng(0).random((2 * k, k)).astype(np.float32)
    assert "roc_auc" not in classified(truth, scores, tuple(map(str, range(k)))).metrics
    few = truth < 3
    assert "roc_auc" in classified(truth[few], scores[few][:, :3], ("0", "1", "2")).metrics
