"""No answer where the model is unsure: the lowest score at which a wanted share of the answers is right.

The score is chosen with a guarantee, not where the precision on these rows happens to be reached: each of twenty candidates
must pass an exact test, and together (Bonferroni) they let a score pass that is too low in at most one of twenty cases; after
"Learn then test", Angelopoulos et al. 2021. It holds for rows like those that it was chosen on.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cauce.errors import InputError
from cauce.evaluation.chance import binomial_tail
from cauce.evaluation.metrics import Figure, Floats, draw, ratio, with_intervals

WANTED = (0.8, 0.9, 0.95, 0.99)  # the precisions for which a training notes the score
CANDIDATES = 20  # shares of the rows that are answered: 5 %, 10 %, … 100 %
DOUBT = 0.05

Right = npt.NDArray[np.bool_]
Scores = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Abstention:
    """What comes of answering only where the score is `min_score` or more.

    Attributes:
        coverage: the share of the rows that are answered.
        precision: the share of those that are right; None where no row is answered.

    """

    min_score: float
    coverage: Figure
    precision: Figure | None

    def as_dict(self) -> dict[str, Any]:
        """As it is written to JSON."""
        return asdict(self)


def right_and_sure(truth: npt.NDArray[np.int64], scores: Scores) -> tuple[Right, Scores]:
    """Of each row (n, labels): is the best label right, and its score; NaN, and wrong, where a row was not answered."""
    sure: Scores = scores.max(axis=1)
    right: Right = (np.nan_to_num(scores, nan=-1.0).argmax(axis=1) == truth) & ~np.isnan(sure)
    return right, sure


def choose(right: Right, score: Scores, precision: float) -> float | None:
    """The lowest score at which `precision` of the answers are right, with a guarantee; None where none can be shown.

    Args:
        right, score: (n,) of the best label of each row; NaN where a row was not answered.

    Raises:
        InputError: a precision that is not between 0 and 1.

    """
    if not 0 < precision < 1:
        raise InputError(f"the precision is {precision:g}", hint="give a share between 0 and 1, such as 0.95")
    known = np.nan_to_num(score, nan=-1.0)
    ranked = np.sort(known)[::-1]
    for step in range(CANDIDATES, 0, -1):
        limit = ranked[max(0, -(-len(ranked) * step // CANDIDATES) - 1)]
        taken = known >= limit
        hits, tries = int(right[taken].sum()), int(taken.sum())
        if limit >= 0 and binomial_tail(hits, tries, precision) <= DOUBT / CANDIDATES:
            return float(limit)
    return None


def measure(right: Right, score: Scores, min_score: float, *, seed: int = 0) -> Abstention:
    """Coverage and precision on rows (n,) where only those of `min_score` or more are answered."""
    taken = np.nan_to_num(score, nan=-1.0) >= np.float32(min_score)

    def figures(weights: Floats) -> dict[str, Floats]:
        answered = weights @ taken
        shares = ratio(weights @ (taken & right), answered)
        return {
            "coverage": answered / weights.sum(axis=1),
            "precision": np.where(answered > 0, shares, np.nan),
        }

    found = with_intervals(draw([figures], len(right), seed)[0])
    return Abstention(min_score, found["coverage"][0], found["precision"][0] if taken.any() else None)
