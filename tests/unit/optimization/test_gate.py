"""The rule that a variant must pass."""

from dataclasses import replace

import numpy as np
import pytest

from cauce.errors import InputError, UnknownName
from cauce.evaluation.metrics import Figure
from cauce.model.variant import Variant
from cauce.optimization import gate
from cauce.optimization.measure import Answers, Dependence, Fresh, Measured, Speed

FINE = Measured(
    batching="free",
    answers=Answers("macro_f1", Figure(0.8, 0.78, 0.82), Figure(0.3, -0.4, 1.0), 0.99),
    speed=Speed(np.ones((2, 3)), np.ones(2)),
    dependence=Dependence(0.0, 0, 256, 0.0),
    fresh=Fresh(1.0, 100.0),
    megabytes=10.0,
    gains={"latency": 1.5, "throughput": 1.3, "size": 4.0, "quality": 0.997},
)


def with_loss(points):
    return replace(FINE, answers=replace(FINE.answers, loss=Figure(points, points - 1, points + 1)))


@pytest.mark.parametrize("target", ["latency", "throughput", "size"])
def test_what_loses_little_and_gains_enough_passes(target):
    assert gate.judge(FINE, target, 0.5) == ""


@pytest.mark.parametrize(
    ("lost", "allowed", "why"),
    [
        (0.8, 0.5, "loses 0.8 points, allowed 0.5"),
        (0.51, 0.5, "loses 0.51 points, allowed 0.5"),
        (float("nan"), 0.5, "loses nan points, allowed 0.5"),
        (0.1, 0.0, "loses 0.1 points, allowed 0"),
    ],
)
def test_what_loses_more_than_is_allowed_is_kept_out(lost, allowed, why):
    assert gate.judge(with_loss(lost), "throughput", allowed) == why


@pytest.mark.parametrize("lost", [0.5, 0.0, -2.0])
def test_a_loss_up_to_the_limit_and_a_gain_are_allowed(lost):
    assert gate.judge(with_loss(lost), "throughput", 0.5) == ""


@pytest.mark.parametrize(
    ("target", "gain", "why"),
    [
        ("throughput", 1.1, "1.1 times the texts a second, asked 1.2"),
        ("latency", 1.19, "1.19 times faster on one text, asked 1.2"),
        ("size", 1.0, "1.0 times smaller, asked 1.2"),
        ("size", float("nan"), "nan times smaller, asked 1.2"),
    ],
)
def test_what_gains_too_little_is_kept_out(target, gain, why):
    assert gate.judge(replace(FINE, gains={**FINE.gains, target: gain}), target, 0.5) == why


def test_quality_may_not_get_worse_at_all_and_need_not_get_faster():
    slow = {**FINE.gains, "latency": 0.1, "throughput": 0.1}
    assert gate.judge(replace(with_loss(0.0), gains=slow), "quality", 0.5) == ""
    assert gate.judge(with_loss(0.3), "quality", 0.5) == "loses 0.3 points, allowed 0"


def test_what_is_declared_free_may_not_depend_on_its_batch():
    moved = replace(FINE, dependence=Dependence(0.24, 5, 256, 0.0))
    assert gate.judge(moved, "throughput", 0.5) == (
        "it is declared free, but the rows beside a row move its scores by up to 0.24 (5 of 256 labels change)"
    )
    assert gate.judge(replace(moved, batching="single"), "throughput", 0.5) == ""


def test_what_is_asked_with_a_row_may_never_change_its_answer():
    served = replace(FINE, batching="single", dependence=Dependence(0.24, 5, 256, 0.001))
    assert gate.judge(served, "throughput", 0.5) == "the rows that are asked with a row move its scores by up to 0.001"


@pytest.mark.parametrize("wrong", [-0.1, 101.0, float("nan")])
def test_a_loss_that_cannot_be_one_is_refused(wrong):
    with pytest.raises(InputError, match="points"):
        gate.check("size", wrong)


def test_figures_that_are_no_numbers_are_kept_as_a_failure():
    variant = Variant(name="int8", version="0" * 64, runtime="onnx", batching="single", precision="int8")
    found = gate.gate(variant, replace(with_loss(float("nan")), gains={**FINE.gains, "size": float("inf")}), "size", 0.5)
    assert (found.passed, found.loss, found.gain) == (False, 100.0, 0.0)
    assert "loss_low" not in found.figures
    assert found.figures["texts_per_second"] == 1.0


def test_a_target_that_does_not_exist_names_the_nearest():
    with pytest.raises(UnknownName) as caught:
        gate.check("latancy", 0.5)
    assert caught.value.hint == 'did you mean "latency"?'
