"""Is B better than A: intervals hold the truth in 95 % of cases, equal models are told apart in at most 6 %, the words fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st
from scipy import stats

from cauce.evaluation import classification, multilabel, regression
from cauce.evaluation.chance import binomial_tail, student_quantile
from cauce.evaluation.metrics import Figure, Measure, draw
from cauce.evaluation.significance import Paired, mcnemar
from cauce.evaluation.significance import paired as paired_drawn

ROWS = 150
Draw = Callable[[np.random.Generator, int, bool], tuple[Measure, Measure]]


def labels_drawn(random: np.random.Generator, rows: int, equal: bool) -> tuple[Measure, Measure]:
    """Three labels of uneven size. Rows that are hard are so for both models; A is right in 70 %, B in 70 or 78 %."""
    truth = random.choice(3, rows, p=(0.5, 0.3, 0.2))
    hard = random.normal(size=rows)
    out = []
    for skill in (0.75, 0.75 if equal else 1.1):
        right = skill + 0.8 * hard + random.normal(size=rows) > 0
        given_ = np.where(right, truth, (truth + random.integers(1, 3, rows)) % 3)
        out.append(classification.measure(truth, np.eye(3, dtype=np.float32)[given_]))
    return out[0], out[1]


def sets_drawn(random: np.random.Generator, rows: int, equal: bool) -> tuple[Measure, Measure]:
    """Two labels of several, each guessed from a noisy score."""
    truth = random.random((rows, 2)) < (0.4, 0.25)
    shared = random.normal(size=(rows, 2))
    out = []
    for noise in (1.0, 1.0 if equal else 0.6):
        z = 2 * truth - 1 + 0.7 * shared + noise * random.normal(size=(rows, 2))
        out.append(multilabel.measure(truth, (1 / (1 + np.exp(-z))).astype(np.float32), (0.5, 0.5)))
    return out[0], out[1]


def numbers_drawn(random: np.random.Generator, rows: int, equal: bool) -> tuple[Measure, Measure]:
    """A number and two guesses at it that share half of their error."""
    truth = random.normal(size=(rows, 1)) * 3
    shared = random.normal(size=(rows, 1))
    out = [
        regression.measure(truth, (truth + shared + spread * random.normal(size=(rows, 1))).astype(np.float32))
        for spread in (1.0, 1.0 if equal else 0.8)
    ]
    return out[0], out[1]


def paired(a: Measure, b: Measure, rows: int, differing: int, *, seed: int = 0) -> dict[str, Paired]:
    return paired_drawn(*draw([a, b], rows, seed), differing)


CASES: dict[str, tuple[Draw, tuple[str, ...]]] = {
    "one label": (labels_drawn, ("macro_f1", "accuracy")),
    "several labels": (sets_drawn, ("macro_f1", "log_loss", "roc_auc")),
    "a number": (numbers_drawn, ("rmse", "mae", "r2")),
}
SHORT, LONG = pytest.param(50, id="short"), pytest.param(2000, marks=pytest.mark.prove, id="long")


def band(trials: int, low: float, high: float) -> tuple[float, float]:
    """Shares between which the long form must lie; the short form has 3 standard errors of chance more."""
    more = 3 * (0.05 * 0.95 / trials) ** 0.5 if trials < 2000 else 0.0
    return low - more, high + more


@pytest.mark.parametrize("trials", [SHORT, LONG])
@pytest.mark.parametrize("case", CASES)
def test_intervals_of_a_difference_hold_the_truth_in_95_of_100_cases(case: str, trials: int) -> None:
    sample, metrics = CASES[case]
    random = np.random.default_rng(1)
    many = 400_000  # rows that stand for all rows
    even = np.ones((1, many))
    a, b = sample(random, many, False)
    whole_a, whole_b = a(even), b(even)
    true = {name: float((whole_b[name] - whole_a[name])[0]) for name in metrics}
    held = dict.fromkeys(metrics, 0)
    for trial in range(trials):
        found = paired(*sample(random, ROWS, False), ROWS, ROWS, seed=trial)
        for name in metrics:
            held[name] += found[name].difference.low <= true[name] <= found[name].difference.high
    low, high = band(trials, 0.93, 0.97)
    assert {name: count / trials for name, count in held.items() if not low <= count / trials <= high} == {}


@pytest.mark.parametrize("trials", [SHORT, LONG])
@pytest.mark.parametrize("case", CASES)
def test_equal_models_are_told_apart_in_at_most_6_of_100_cases(case: str, trials: int) -> None:
    sample, metrics = CASES[case]
    random = np.random.default_rng(2)
    told = dict.fromkeys(metrics, 0)
    for trial in range(trials):
        found = paired(*sample(random, ROWS, True), ROWS, ROWS, seed=trial)
        for name in metrics:
            told[name] += found[name].better is not None
    _, high = band(trials, 0, 0.06)
    assert {name: count / trials for name, count in told.items() if count / trials > high} == {}


@pytest.mark.parametrize("rows", [20, 100, 400])
@pytest.mark.parametrize("trials", [pytest.param(2000, id="short"), pytest.param(50_000, marks=pytest.mark.prove, id="long")])
def test_mcnemar_rejects_equal_models_in_at_most_5_of_100_cases(rows: int, trials: int) -> None:
    random = np.random.default_rng(3)
    rejected = sum(mcnemar(*(random.random((2, rows)) < 0.7)).p <= 0.05 for _ in range(trials))
    assert rejected / trials <= 0.05 + (0.01 if trials < 10_000 else 0)


def test_the_rows_that_would_be_needed_show_the_difference_in_four_of_five_cases() -> None:
    random = np.random.default_rng(4)

    def drawn(rows: int) -> Paired:
        right = random.random((2, rows)) < np.array([[0.7], [0.72]])  # 2 points apart
        truth = np.zeros(rows, np.int64)
        a, b = (classification.measure(truth, np.eye(2, dtype=np.float32)[(~one).astype(int)]) for one in right)
        return paired(a, b, rows, rows)["accuracy"]

    needed = drawn(2000).rows_needed
    assert needed is not None
    assert needed == pytest.approx((1.96 + 0.8416) ** 2 * (0.7 * 0.3 + 0.72 * 0.28) / 0.02**2, rel=0.15)
    shown = sum(drawn(needed).better == "b" for _ in range(12))
    assert shown >= 6  # 10 of 12


@given(only_a=st.integers(0, 60), only_b=st.integers(0, 60), both=st.integers(0, 20), neither=st.integers(0, 20))
@example_settings(deadline=None)
def test_mcnemar_equals_the_binomial_test(only_a: int, only_b: int, both: int, neither: int) -> None:
    a = np.repeat([True, False, True, False], [only_a, only_b, both, neither])
    b = np.repeat([False, True, True, False], [only_a, only_b, both, neither])
    found = mcnemar(a, b)
    expected = stats.binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    assert (found.both, found.only_a, found.only_b, found.neither) == (both, only_a, only_b, neither)
    assert found.p == pytest.approx(expected, abs=1e-9)


@given(tries=st.integers(0, 3000), share=st.floats(0.01, 0.99), data=st.data())
@example_settings(deadline=None)
def test_the_binomial_tail_equals_scipy(tries: int, share: float, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, tries))
    assert binomial_tail(hits, tries, share) == pytest.approx(stats.binom.sf(hits - 1, tries, share), rel=1e-6, abs=1e-12)


@given(share=st.floats(0.5, 0.9999), freedom=st.integers(1, 2000))
@example_settings(deadline=None)
def test_students_quantiles_equal_scipy(share: float, freedom: int) -> None:
    assert student_quantile(share, freedom) == pytest.approx(stats.t.ppf(share, freedom), rel=0.01, abs=1e-6)


@given(seed=st.integers(0, 1000))
@example_settings(deadline=None, max_examples=10)
def test_a_paired_interval_is_the_bootstrap_by_hand(seed: int) -> None:
    """One resample after the other, with the rows themselves."""
    random = np.random.default_rng(seed)
    rows = 40
    truth = random.integers(0, 2, rows)
    scores = [np.eye(2, dtype=np.float32)[np.where(random.random(rows) < 0.7, truth, 1 - truth)] for _ in range(2)]
    found = paired(*(classification.measure(truth, one) for one in scores), rows, rows, seed=7)["macro_f1"]
    again = np.random.default_rng(7)
    drawn = []
    for _ in range(1000):
        places = again.integers(0, rows, rows)
        f1 = [classification.macro_f1(truth[places], one[places]) for one in scores]
        drawn.append(f1[1] - f1[0])
    outside = 100 * stats.norm.cdf(-stats.t.ppf(0.975, rows - 1) * (rows / (rows - 1)) ** 0.5)
    low, high = np.percentile(drawn, (outside, 100 - outside))
    assert (found.difference.low, found.difference.high) == pytest.approx((low, high), abs=1e-9)
    assert found.deviation == pytest.approx(np.std(drawn))


def of(metric: str, low: float, high: float, *, a: float = 0.7, deviation: float = 0.01, differing: int = 100) -> Paired:
    middle = (low + high) / 2
    return Paired(metric, a, a + middle, Figure(middle, low, high), deviation, 1000, differing)


@pytest.mark.parametrize(
    ("one", "margin", "expected"),
    [
        (of("macro_f1", 0.012, 0.034), None, "B is better by 1.2 to 3.4 points (macro F1)"),
        (of("macro_f1", -0.034, -0.012), None, "A is better by 1.2 to 3.4 points (macro F1)"),
        (of("rmse", -3.4, -1.2, a=40), None, "B is better by 1.2 to 3.4 (RMSE)"),
        (of("log_loss", 0.01, 0.03), None, "A is better by 0.01 to 0.03 (log loss)"),
        (
            of("macro_f1", -0.01, 0.03, deviation=0.0111),
            None,
            "no difference could be shown (macro F1); 2,420 rows would be needed for 2 points",
        ),
        (
            of("accuracy", -0.004, 0.006, deviation=0.0025),
            None,
            "no difference could be shown (accuracy), though these 1,000 rows would likely show one of 2 points",
        ),
        (
            of("accuracy", 0, 0, differing=0, deviation=0),
            None,
            "no difference could be shown (accuracy): A and B answer every row alike",
        ),
        (
            of("accuracy", 0.8, 1, differing=5),
            None,
            "no difference could be shown (accuracy): A and B answer only 5 of 1000 row(s) differently",
        ),
        (
            of("accuracy", -0.004, 0.006, deviation=0.0025),
            0.005,
            "no difference could be shown (accuracy), though these 1,000 rows would likely show one of 2 points; "
            "B is not worse than A by more than 0.5 points",
        ),
        (
            of("accuracy", -0.009, -0.002),
            0.005,
            "A is better by 0.2 to 0.9 points (accuracy); B may be worse than A by more than 0.5 points",
        ),
        (
            of("accuracy", -0.004, -0.002),
            0.005,
            "A is better by 0.2 to 0.4 points (accuracy); B is not worse than A by more than 0.5 points",
        ),
        (of("mae", -0.5, 0.4, a=5, differing=3), 0.6, None),
    ],
)
def test_the_verdict_in_words(one: Paired, margin: float | None, expected: str | None) -> None:
    said = one.verdict(margin=margin)
    assert said == (expected or said)
    assert "None" not in said


def test_not_worse_asks_that_the_whole_interval_lies_above_the_margin() -> None:
    assert of("accuracy", -0.004, 0.02).not_worse(0.005)
    assert not of("accuracy", -0.006, 0.02).not_worse(0.005)
    assert of("rmse", -1, 0.4).not_worse(0.5)  # less is better
    assert not of("rmse", -1, 0.6).not_worse(0.5)


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_few_rows_never_tell_two_models_apart(rows: int) -> None:
    truth = np.zeros(rows, np.int64)
    wrong, right = (classification.measure(truth, np.eye(2, dtype=np.float32)[[label] * rows]) for label in (1, 0))
    found = paired(wrong, right, rows, rows)
    assert all(one.better is None for one in found.values())
    assert found["accuracy"].difference.value == 1


def test_a_model_against_itself_is_no_difference_at_all() -> None:
    random = np.random.default_rng(0)
    truth = random.integers(0, 3, 200)
    one = classification.measure(truth, random.dirichlet(np.ones(3), 200).astype(np.float32))
    for found in paired(one, one, 200, 0).values():
        assert (found.difference.value, found.difference.low, found.difference.high) == (0, 0, 0)
        assert found.better is None
        assert found.rows_needed is None


def test_a_difference_is_the_other_way_round_when_the_models_are_exchanged() -> None:
    a, b = labels_drawn(np.random.default_rng(0), ROWS, False)
    forth, back = paired(a, b, ROWS, ROWS)["macro_f1"], paired(b, a, ROWS, ROWS)["macro_f1"]
    turned = Figure(-back.difference.value, -back.difference.high, -back.difference.low)
    assert forth.difference.value == pytest.approx(turned.value)
    assert (forth.difference.low, forth.difference.high) == pytest.approx((turned.low, turned.high), abs=1e-9)
    assert replace(forth, difference=back.difference).gain == back.gain
