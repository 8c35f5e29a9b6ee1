"""The figures of a classifier: scikit-learn agrees, and the intervals are intervals."""

from __future__ import annotations

import json
import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from cauce.evaluation.classification import macro_f1, report
from cauce.evaluation.metrics import Report

Places = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float32]

METRICS = ("accuracy", "macro_f1", "micro_f1", "macro_recall", "macro_precision", "log_loss", "roc_auc", "ece")


def names(k: int) -> tuple[str, ...]:
    return tuple("abcdefgh"[:k])


def scored(weights: npt.ArrayLike) -> Scores:
    """Rows of weights as probabilities."""
    rows = np.asarray(weights, np.float64)
    return (rows / rows.sum(axis=1, keepdims=True)).astype(np.float32)


def sampled(rows: int, labels: int, seed: int, sharpness: float = 1.0) -> tuple[Places, Scores]:
    """A calibrated model: each truth is drawn with the model's own scores."""
    random = np.random.default_rng(seed)
    scores = scored(np.exp(random.normal(size=(rows, labels)) * sharpness))
    chances = scores.astype(np.float64) / scores.astype(np.float64).sum(axis=1, keepdims=True)
    return np.array([random.choice(labels, p=row) for row in chances]), scores


@st.composite
def answered(draw: st.DrawFn) -> tuple[Places, Scores]:
    """2 to 5 labels, of which some may be absent from the truth; coarse scores, so that many are equal."""
    labels, rows = draw(st.integers(2, 5)), draw(st.integers(2, 60))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    occurring = random.permutation(labels)[: draw(st.integers(1, labels))]
    return random.choice(occurring, rows), scored(random.integers(1, 5, (rows, labels)))


@given(case=answered())
@example_settings(deadline=None, max_examples=40)
def test_figures_of_counts_equal_scikit_learn(case: tuple[Places, Scores]) -> None:
    truth, scores = case
    given_, k = scores.argmax(axis=1), scores.shape[1]
    ours = report(truth, scores, names(k))
    expected = {
        "accuracy": sk.accuracy_score(truth, given_),
        "macro_f1": sk.f1_score(truth, given_, average="macro", zero_division=0),
        "micro_f1": sk.f1_score(truth, given_, average="micro", zero_division=0),
        "macro_recall": sk.recall_score(truth, given_, average="macro", zero_division=0),
        "macro_precision": sk.precision_score(truth, given_, average="macro", zero_division=0),
    }
    assert {name: ours.metrics[name].value for name in expected} == pytest.approx(expected, abs=1e-12)
    assert macro_f1(truth, scores) == pytest.approx(expected["macro_f1"], abs=1e-12)
    by_class = sk.precision_recall_fscore_support(truth, given_, labels=range(k), zero_division=0)
    for figure, column in zip(("precision", "recall", "f1"), by_class, strict=False):
        assert [ours.per_class[label][figure].value for label in names(k)] == pytest.approx(list(column), abs=1e-12)
    assert ours.confusion[:, :k].tolist() == sk.confusion_matrix(truth, given_, labels=range(k)).tolist()
    assert (ours.rows, ours.errors, ours.confusion[:, k].sum()) == (len(truth), 0, 0)


@given(case=answered())
@example_settings(deadline=None, max_examples=40)
def test_log_loss_equals_scikit_learn(case: tuple[Places, Scores]) -> None:
    truth, scores = case
    exact = scores.astype(np.float64)
    expected = sk.log_loss(truth, exact / exact.sum(axis=1, keepdims=True), labels=range(scores.shape[1]))
    assert report(truth, scores, names(scores.shape[1])).metrics["log_loss"].value == pytest.approx(expected, rel=1e-5)


@given(case=answered())
@example_settings(deadline=None, max_examples=40)
def test_the_area_under_the_roc_curve_equals_scikit_learn(case: tuple[Places, Scores]) -> None:
    truth, scores = case
    k = scores.shape[1]
    ours = report(truth, scores, names(k)).metrics.get("roc_auc")
    occurring = set(truth.tolist())
    if len(occurring) == 1:
        assert ours is None
        return
    assert ours is not None
    if k == 2:
        expected = sk.roc_auc_score(truth, scores[:, 1])
    elif len(occurring) == k:
        expected = sk.roc_auc_score(truth, scores, multi_class="ovr")
    else:
        expected = np.mean([sk.roc_auc_score(truth == label, scores[:, label]) for label in sorted(occurring)])
    assert ours.value == pytest.approx(float(expected), abs=1e-6)


@given(case=answered())
@example_settings(deadline=None, max_examples=40)
def test_the_calibration_error_equals_the_definition(case: tuple[Places, Scores]) -> None:
    truth, scores = case
    bins: dict[int, list[tuple[float, bool]]] = {}
    for label, row in zip(truth.tolist(), scores.tolist(), strict=True):
        confidence = max(row)
        bins.setdefault(min(int(confidence * 15), 14), []).append((confidence, row.index(confidence) == label))
    expected = sum(
        len(rows) / len(truth) * abs(sum(right for _, right in rows) / len(rows) - sum(sure for sure, _ in rows) / len(rows))
        for rows in bins.values()
    )
    assert report(truth, scores, names(scores.shape[1])).metrics["ece"].value == pytest.approx(expected, abs=1e-9)


def test_a_sure_and_wrong_answer_costs_much_but_not_infinity() -> None:
    figure = report(np.array([0, 1]), np.array([[1, 0], [1, 0]], np.float32), names(2)).metrics["log_loss"]
    assert math.isfinite(figure.value)
    assert figure.value > 10


def test_a_class_that_is_given_but_never_true_counts_in_the_macro_figures() -> None:
    truth, given_ = np.array([0, 0, 1, 1]), [0, 2, 1, 1]
    ours = report(truth, np.eye(3, dtype=np.float32)[given_], names(3))
    assert ours.metrics["macro_f1"].value == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert ours.per_class["c"]["precision"].value == 0


def test_a_label_that_neither_occurs_nor_is_given_does_not_pull_the_macro_figures_down() -> None:
    ours = report(np.array([0, 1, 1]), np.eye(3, dtype=np.float32)[[0, 1, 1]], names(3))
    assert [ours.metrics[name].value for name in ("macro_f1", "macro_recall", "macro_precision")] == [1, 1, 1]


def test_a_row_without_an_answer_is_wrong_and_is_counted() -> None:
    scores = np.array([[0.9, 0.1], [np.nan, np.nan], [0.2, 0.8], [np.nan, np.nan]], np.float32)
    ours = report(np.array([0, 0, 1, 1]), scores, names(2))
    assert (ours.rows, ours.errors) == (4, 2)
    assert ours.confusion.tolist() == [[1, 0, 1], [0, 1, 1]]
    assert ours.metrics["accuracy"].value == 0.5
    assert ours.metrics["macro_recall"].value == 0.5
    assert ours.metrics["macro_precision"].value == 1
    even = (-math.log(0.9) - math.log(0.8) - 2 * math.log(0.5)) / 4
    assert ours.metrics["log_loss"].value == pytest.approx(even)


def test_no_answer_at_all_is_the_worst_model_and_not_a_crash() -> None:
    ours = report(np.array([0, 1, 0]), np.full((3, 2), np.nan, np.float32), names(2))
    assert ours.errors == 3
    assert ours.metrics["accuracy"].value == ours.metrics["macro_f1"].value == 0


def test_a_perfect_model_gets_one_and_an_interval_of_one() -> None:
    truth = np.arange(120) % 3
    ours = report(truth, np.eye(3, dtype=np.float32)[truth], names(3))
    for name in set(METRICS) - {"log_loss", "ece"}:
        assert (ours.metrics[name].value, ours.metrics[name].low, ours.metrics[name].high) == (1, 1, 1), name
    assert ours.metrics["log_loss"].value == ours.metrics["ece"].value == 0


@pytest.mark.parametrize(("rows", "labels", "sharpness"), [(30, 2, 1.0), (300, 3, 1.5), (1500, 4, 1.5)])
@pytest.mark.parametrize("seed", [1, 2])
def test_every_interval_contains_its_value(rows: int, labels: int, sharpness: float, seed: int) -> None:
    ours = report(*sampled(rows, labels, seed, sharpness), names(labels))
    figures = {**ours.metrics, **{f"{k} {name}": f for k, by in ours.per_class.items() for name, f in by.items()}}
    assert {name: str(figure) for name, figure in figures.items() if not figure.low <= figure.value <= figure.high} == {}


def test_intervals_shrink_with_the_square_root_of_the_rows() -> None:
    small, large = report(*sampled(100, 3, 0), names(3)), report(*sampled(2500, 3, 0), names(3))
    for name in set(METRICS) - {"ece"}:
        ratio = (small.metrics[name].high - small.metrics[name].low) / (large.metrics[name].high - large.metrics[name].low)
        assert 3 < ratio < 8, name  # 5 is expected


def test_the_interval_of_accuracy_is_as_wide_as_theory_says() -> None:
    truth = np.zeros(400, np.int64)
    given_ = (np.arange(400) < 80).astype(int)  # 80 % right
    figure = report(truth, np.eye(2, dtype=np.float32)[given_], names(2)).metrics["accuracy"]
    deviation = math.sqrt(0.8 * 0.2 / 400)
    assert (figure.low, figure.high) == pytest.approx((0.8 - 1.96 * deviation, 0.8 + 1.96 * deviation), abs=0.006)


def flat(ours: Report) -> str:
    return json.dumps(ours.as_dict())


def test_the_same_seed_gives_the_same_intervals_and_another_seed_others() -> None:
    truth, scores = sampled(80, 3, 0)
    assert flat(report(truth, scores, names(3), seed=5)) == flat(report(truth, scores, names(3), seed=5))
    other = report(truth, scores, names(3), seed=6)
    ours = report(truth, scores, names(3), seed=5)
    assert ours.metrics["log_loss"].low != other.metrics["log_loss"].low
    assert ours.metrics["log_loss"].value == other.metrics["log_loss"].value


@pytest.mark.parametrize(
    "truth", [[0, 1], [0, 0, 1, 0, 0, 0], [0, 0], [1]], ids=["two rows", "a rare label", "one label", "one row"]
)
def test_few_rows_give_figures_without_warnings(truth: list[int]) -> None:
    ours = report(np.array(truth), scored(np.tile([2, 1], (len(truth), 1))), names(2))
    assert all(math.isfinite(edge) for figure in ours.metrics.values() for edge in (figure.value, figure.low, figure.high))


def test_the_report_is_json_with_every_figure_as_value_low_and_high() -> None:
    written = json.loads(flat(report(*sampled(50, 3, 0), names(3))))
    assert set(written["metrics"]) == {*METRICS, "per_class"}
    assert set(written["metrics"]["macro_f1"]) == {"value", "low", "high"}
    assert set(written["metrics"]["per_class"]) == {"a", "b", "c"}
    assert set(written["metrics"]["per_class"]["a"]) == {"precision", "recall", "f1"}
    assert written["confusion"]["labels"] == ["a", "b", "c"]
    assert (written["rows"], written["errors"]) == (50, 0)
