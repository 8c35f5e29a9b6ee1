"""Whether B is better than A on the same rows, beyond chance.

Any figure: the paired bootstrap (Efron and Tibshirani 1993). The same resamples serve both, so what makes a row hard for both
falls out of the difference. Its percentiles are taken a little further out, as Student's t and n - 1 ask (Hesterberg,
"What teachers should know about the bootstrap", 2015): plain ones are too narrow on few rows. Right or wrong: McNemar's
exact test. "Not worse" (Piaggio et al. 2012): the whole 95 % interval of the difference lies above minus the margin.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from cauce.evaluation.chance import binomial_tail, student_quantile
from cauce.evaluation.metrics import LESS_IS_BETTER, SHARES, Drawn, Figure, said

LEVEL = 0.95
POWER = 0.8  # of seeing a difference, in the number of rows that would be needed
WORTH = 0.02  # the difference that one would want to see: 2 points, or 2 % of A's figure
FEWEST = 6  # rows with different answers: of fewer, no exact test can reject at 5 %


@dataclass(frozen=True, slots=True)
class Paired:
    """A figure of A and of B on the same rows.

    Attributes:
        difference: B - A and its interval.
        deviation: the standard error of the difference.
        differing: how many of the rows the two answer differently.

    """

    metric: str
    a: float
    b: float
    difference: Figure
    deviation: float
    rows: int
    differing: int

    @property
    def better(self) -> Literal["a", "b"] | None:
        """Which of the two is better beyond chance: the interval leaves out 0, and enough rows are answered differently."""
        low, high = self.gain
        if self.differing < FEWEST or low <= 0 <= high:
            return None
        return "b" if low > 0 else "a"

    @property
    def gain(self) -> tuple[float, float]:
        """The interval of how much better B is: that of the difference, turned round where less is better."""
        low, high = self.difference.low, self.difference.high
        return (-high, -low) if self.metric in LESS_IS_BETTER else (low, high)

    @property
    def worth(self) -> float:
        """The difference that one would want to see."""
        return WORTH if self.metric in SHARES else WORTH * abs(self.a)

    @property
    def rows_needed(self) -> int | None:
        """How many such rows show a difference of `worth` in four of five cases; None where it cannot be told."""
        if self.differing < FEWEST or not self.deviation or not self.worth:
            return None
        normal = NormalDist()
        sum_of_quantiles = normal.inv_cdf((1 + LEVEL) / 2) + normal.inv_cdf(POWER)
        return math.ceil(self.rows * (sum_of_quantiles * self.deviation / self.worth) ** 2)

    def not_worse(self, margin: float) -> bool:
        """B is not worse than A by more than the margin (in the figure's own unit, above 0)."""
        return self.gain[0] > -margin

    def verdict(self, a: str = "A", b: str = "B", margin: float | None = None) -> str:
        """What the figures say, in words."""
        found = self._said(a, b)
        if margin is None or self.better == "b":
            return found
        how = "is not" if self.not_worse(margin) else "may be"
        return f"{found}; {b} {how} worse than {a} by more than {self._amount(margin, margin)}"

    @property
    def by(self) -> str:
        """How much better the better one is, in words: 1.2 to 3.4 points."""
        low, high = self.gain
        return self._amount(low, high) if self.better == "b" else self._amount(-high, -low)

    def as_dict(self) -> dict[str, Any]:
        """As it is written to JSON."""
        return {**asdict(self), "better": self.better, "rows_needed": self.rows_needed}

    def _said(self, a: str, b: str) -> str:
        if self.better is not None:
            return f"{b if self.better == 'b' else a} is better by {self.by} ({said(self.metric)})"
        none = f"no difference could be shown ({said(self.metric)})"
        if not self.differing:
            return f"{none}: {a} and {b} answer every row alike"
        if self.rows_needed is None:
            return f"{none}: {a} and {b} answer only {self.differing} of {self.rows} row(s) differently"
        worth = self._amount(self.worth, self.worth)
        if self.rows_needed <= self.rows:
            return f"{none}, though these {self.rows:,} rows would likely show one of {worth}"
        return f"{none}; {_rounded(self.rows_needed):,} rows would be needed for {worth}"

    def _amount(self, low: float, high: float) -> str:
        """From low to high, in points where the figure is a share."""
        share = self.metric in SHARES
        if low == high:
            return f"{100 * low:.3g} points" if share else f"{low:.3g}"
        ends = [_digits(100 * end if share else end, share) for end in (low, high)]
        return " to ".join(ends) + (" points" if share else "")


@dataclass(frozen=True, slots=True)
class McNemar:
    """How many rows both, one or none of the two got right, and the exact two-sided p value of that A and B are right as often.

    Exact, not mid-p: it never rejects too often, and it stands beside an interval that is not conservative.
    """

    both: int
    only_a: int
    only_b: int
    neither: int
    p: float


def mcnemar(a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_]) -> McNemar:
    """McNemar's test (1947) of where A and B are right, (n,) each."""
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    p = min(1.0, 2 * binomial_tail(max(only_a, only_b), only_a + only_b, 0.5))
    return McNemar(int((a & b).sum()), only_a, only_b, int((~a & ~b).sum()), p)


def paired(a: Drawn, b: Drawn, differing: int) -> dict[str, Paired]:
    """Every figure of A and of B with the interval of their difference; figures of single labels are left out.

    Args:
        a, b: drawn together (see `cauce.evaluation.metrics.draw`): of the same rows and the same resamples.
        differing: how many of the rows they answer differently.

    """
    found = {}
    for name in a.values:
        if a.values[name].ndim or name not in b.values:
            continue
        drawn = b.resampled[name] - a.resampled[name]
        of_a, of_b = float(a.values[name]), float(b.values[name])
        low, high, deviation = _interval(drawn[~np.isnan(drawn)], of_b - of_a, a.rows)
        found[name] = Paired(name, of_a, of_b, Figure(of_b - of_a, low, high), deviation, a.rows, differing)
    return found


def _interval(drawn: npt.NDArray[np.float64], value: float, rows: int) -> tuple[float, float, float]:
    """Low, high and standard error of a difference from its resamples."""
    if not drawn.size or rows < 2:
        return value, value, 0.0
    wider = student_quantile((1 + LEVEL) / 2, rows - 1) * math.sqrt(rows / (rows - 1))
    outside = 100 * NormalDist().cdf(-wider)
    low, high = np.percentile(drawn, (outside, 100 - outside))
    return float(min(low, value)), float(max(high, value)), float(drawn.std())


def _digits(value: float, share: bool) -> str:
    """One decimal of points, more where they are few; three digits of another figure."""
    return f"{value:.1f}" if share and abs(value) >= 0.05 else f"{value:.2f}" if share else f"{value:.3g}"


def _rounded(rows: int) -> int:
    """Rounded up to three digits: more would be a promise."""
    unit = int(10 ** max(0, len(str(rows)) - 3))
    return -(-rows // unit) * unit
