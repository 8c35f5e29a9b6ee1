"""Named steps at which a test may kill the process: `CAUCE_FAULT=step` or `step:n`, at the n-th time. Nothing else reads it."""

from __future__ import annotations

import os
import signal
from collections import Counter

STEPS = (
    "plan.written", "plan.renamed", "part.opened", "part.written", "part.renamed", "dead.written", "dead.renamed",
    "record.written", "record.renamed", "manifest.written", "manifest.renamed",
)  # fmt: skip
_reached: Counter[str] = Counter()


def fault(step: str) -> None:
    """Kill this process here if the environment says so."""
    wanted, _, time = os.environ.get("CAUCE_FAULT", "").partition(":")
    if wanted == step:
        _reached[step] += 1
        if _reached[step] == int(time or 1):
            os.kill(os.getpid(), signal.SIGKILL)
