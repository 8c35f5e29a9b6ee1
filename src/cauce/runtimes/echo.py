"""The fake that ships: scores by counting letters. Deterministic, needs no model, starts in a millisecond.

For demos, load tests and whoever writes a plugin: `cauce.load("echo")`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cauce.runtimes.base import Batching, Output

LABELS = ("few_a", "many_a")


def open(folder: Path, variant: str) -> Echo:
    """An echo; it reads nothing."""
    return Echo()


@dataclass(frozen=True)
class Texts:
    """Texts as Python strings."""

    texts: tuple[str, ...]

    @property
    def cost(self) -> npt.NDArray[np.int32]:
        """Characters of each row, (n,)."""
        return np.array([len(text) for text in self.texts], np.int32)

    @property
    def truncated(self) -> npt.NDArray[np.bool_]:
        """Nothing is ever cut, (n,)."""
        return np.zeros(len(self.texts), np.bool_)

    def take(self, index: npt.NDArray[np.int64]) -> Texts:
        """The rows at these places."""
        return Texts(tuple(self.texts[i] for i in index))


@dataclass(frozen=True)
class Echo:
    """The share of the letter a in a text, as a logit.

    Args:
        delay: seconds that a call takes, whatever its size.
        fails_on: a call with a text that holds this fails, as a real engine does on a row it cannot take.
        batching: "single" for an engine whose rows must run alone.
        batch_cost: rows x longest row of one call; None for any number.

    """

    delay: float = 0.0
    fails_on: str | None = None
    batching: Batching = "free"
    batch_cost: int | None = None

    def encode(self, rows: pa.RecordBatch) -> Texts:
        """The first column's texts."""
        return Texts(tuple(rows.column(0).to_pylist()))

    def forward(self, encoded: Texts, output: Output = "logits") -> npt.NDArray[np.float32]:
        """Logits, float32 (n, 2)."""
        if self.delay:
            time.sleep(self.delay)
        if self.fails_on is not None and any(self.fails_on in text for text in encoded.texts):
            raise ValueError(f"a text holds {self.fails_on!r}")
        share = [text.lower().count("a") / max(len(text), 1) for text in encoded.texts]
        return np.array([(0.0, 10 * s - 1) for s in share], np.float32).reshape(-1, 2)

    def warm_up(self) -> None:
        """Nothing to warm."""
