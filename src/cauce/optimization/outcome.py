"""What came of an optimization: which variants were tried, what they measured, and which one serves now."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cauce.model import processor
from cauce.model.gates import Target
from cauce.optimization.measure import Measured


@dataclass(frozen=True)
class Tried:
    """A variant and what became of it.

    Attributes:
        measured: None where it could not be made or loaded.
        why: what kept it out, or why it was not tried; empty where it passed.

    """

    name: str
    measured: Measured | None
    why: str

    @property
    def passed(self) -> bool:
        """True where `auto` may serve it here."""
        return not self.why


@dataclass
class Outcome:
    """What a run found, so far.

    Attributes:
        base: the model as it was saved; None where Ctrl-C came before a variant was measured beside it.
        rows: labeled rows that all were asked.
        serves: the variant that `auto` serves on this processor.
        stopped: Ctrl-C came before the end; what was finished is kept.

    """

    folder: Path
    version: str
    own: str
    target: Target
    max_loss: float
    rows: int
    metric: str = ""
    base: Measured | None = None
    tried: list[Tried] = field(default_factory=list)
    serves: str = ""
    notes: list[str] = field(default_factory=list)
    stopped: bool = False

    def as_dict(self) -> dict[str, Any]:
        """As it is written to JSON."""
        base = None if self.base is None else self.base.figures()
        return {
            "folder": str(self.folder),
            "version": self.version,
            "processor": processor.name(),
            "target": self.target,
            "max_loss": self.max_loss,
            "rows": self.rows,
            "metric": self.metric,
            "variants": {
                self.own: {"passed": True, "why": "", "batching": "free", "figures": base},
                **{
                    one.name: {
                        "passed": one.passed,
                        "why": one.why,
                        "batching": one.measured.batching if one.measured else None,
                        "loss": one.measured.answers.loss.value if one.measured else None,
                        "figures": one.measured.figures() if one.measured else None,
                    }
                    for one in self.tried
                },
            },
            "serves": self.serves,
            "stopped": self.stopped,
            "notes": self.notes,
        }
