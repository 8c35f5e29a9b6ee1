"""What calls on this thread cost, for whoever asks: how long rows were read (tokenized, hashed), and how much was filling."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_here = threading.local()


@dataclass(slots=True)
class Spent:
    """The sums of some calls.

    Attributes:
        reading: seconds in which the runtime read rows, before its engine had them.
        tokens: that were given to the engine; of a runtime that takes any number of rows they are not counted.
        padded: the same with what filled shorter rows up.

    """

    reading: float = 0.0
    tokens: int = 0
    padded: int = 0

    def add(self, cost: npt.NDArray[np.int32]) -> None:
        """A call of rows of this cost (n,)."""
        self.tokens += int(cost.sum())
        self.padded += len(cost) * int(cost.max(initial=0))


@contextmanager
def counted() -> Iterator[Spent]:
    """Within, what calls on this thread cost is added up; what they let other threads do is not."""
    _here.spent = spent = Spent()
    try:
        yield spent
    finally:
        _here.spent = None


def spending() -> Spent | None:
    """What is added up on this thread; None where nobody asked."""
    return getattr(_here, "spent", None)
