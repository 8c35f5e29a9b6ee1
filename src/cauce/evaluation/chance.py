"""The distributions that exact tests and intervals need: the base install has no scipy."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

LARGE = 500  # degrees of freedom from which Student's t is the normal distribution to three digits


def binomial_tail(hits: int, tries: int, share: float) -> float:
    """The chance of `hits` or more among `tries`, each a hit with the chance `share` (between 0 and 1, both left out)."""
    factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, tries + 1)))])  # their logarithms
    k = np.arange(max(hits, 0), tries + 1)
    logs = factorials[tries] - factorials[k] - factorials[tries - k] + k * math.log(share) + (tries - k) * math.log1p(-share)
    return float(min(1.0, np.exp(logs).sum()))


def share_bound(hits: int, tries: int, share: float) -> float:
    """What the chance of a share at least as far from `share` (between 0 and 1, both left out), on the same side, is below.

    The bound of Chernoff and Hoeffding (Hoeffding 1963, theorem 1). It holds for any number of tries and any share, far out
    too. Wilson's interval does not: five hits among 50 lie outside of its 99.99 % around 2 %, yet come in 0.3 % of all cases.
    """
    found = hits / tries
    parts = ((found, share), (1 - found, 1 - share))
    return math.exp(-tries * sum(part * math.log(part / other) for part, other in parts if part))


def count_bound(events: int, mean: float) -> float:
    """The same of a count around a mean that is known, where events are independent (Mitzenmacher and Upfal, theorem 5.4)."""
    return math.exp((events * math.log(mean / events) if events else 0.0) + events - mean)


def count_interval(events: int) -> tuple[float, float]:
    """The 95 % interval of the mean that a count comes from: Byar's approximation of the exact one (Breslow and Day 1987)."""
    z, above = NormalDist().inv_cdf(0.975), events + 1
    low = events * (1 - 1 / (9 * events) - z / (3 * math.sqrt(events))) ** 3 if events else 0.0
    return max(0.0, low), above * (1 - 1 / (9 * above) + z / (3 * math.sqrt(above))) ** 3


def student_quantile(share: float, freedom: int) -> float:
    """The value under which Student's t lies with the chance `share` (0.5 or more)."""
    if freedom > LARGE:
        return NormalDist().inv_cdf(share)
    low, high = 0.0, 1.0
    while _student(high, freedom) < share:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _student(middle, freedom) < share else (low, middle)
    return high


def _student(value: float, freedom: int) -> float:
    """The chance that Student's t is at most `value`, of whole degrees of freedom (Abramowitz and Stegun 26.7.3 and 26.7.4)."""
    angle = math.atan(value / math.sqrt(freedom))
    sine, square = math.sin(angle), math.cos(angle) ** 2
    odd = freedom % 2
    total, term = 0.0, math.cos(angle) if odd else 1.0
    for i in range(1 + odd, freedom, 2):
        total += term
        term *= square * i / (i + 1)
    both = 2 / math.pi * (angle + sine * total) if odd else sine * total  # the chance of |t| <= value
    return 0.5 + both / 2
