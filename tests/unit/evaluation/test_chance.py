"""Bounds of chance hold against the exact distributions."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from cauce.evaluation.chance import binomial_tail, count_bound, count_interval, share_bound


def poisson_tail(events: int, mean: float) -> float:
    """The chance of `events` or more."""
    return 1 - math.fsum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(events))


@pytest.mark.parametrize("share", [0.001, 0.02, 0.4, 0.9])
@pytest.mark.parametrize("tries", [1, 10, 50, 1000])
def test_the_bound_of_a_share_is_never_under_the_chance_and_not_far_over_it(tries: int, share: float) -> None:
    for hits in range(tries + 1):
        if Fraction(hits, tries) > share:
            chance, bound = binomial_tail(hits, tries, share), share_bound(hits, tries, share)
            assert chance <= bound * (1 + 1e-9)
            assert bound == pytest.approx(share_bound(tries - hits, tries, 1 - share))  # of the other side
    assert share_bound(tries, tries, share) == pytest.approx(share**tries)


@pytest.mark.parametrize("mean", [0.5, 5, 100])
def test_the_bound_of_a_count_is_never_under_the_chance(mean: float) -> None:
    for events in range(math.ceil(mean) + 1, int(mean + 6 * math.sqrt(mean))):
        assert poisson_tail(events, mean) <= count_bound(events, mean)
    assert count_bound(0, mean) == pytest.approx(math.exp(-mean))


@pytest.mark.parametrize("events", [3, 10, 100, 1000])
def test_the_interval_of_a_count_leaves_out_2_5_percent_on_each_side(events: int) -> None:
    low, high = count_interval(events)
    assert poisson_tail(events, low) == pytest.approx(0.025, rel=0.15)
    assert 1 - poisson_tail(events + 1, high) == pytest.approx(0.025, rel=0.05)


def test_no_event_is_no_proof_that_there_are_none() -> None:
    low, high = count_interval(0)
    assert (low, high) == (0, pytest.approx(3.69, abs=0.03))
