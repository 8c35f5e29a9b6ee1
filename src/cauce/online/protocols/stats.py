"""How much a version has answered by the Open Inference Protocol, as Triton's statistics tell it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from cauce.online.plane import Reply


@dataclass(slots=True)
class Lasting:
    """How often something happened, and how many seconds it took in all."""

    count: int = 0
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        """It happened again."""
        self.count += 1
        self.seconds += seconds

    def as_dict(self) -> dict[str, int]:
        """As Triton tells it, in nanoseconds."""
        return {"count": self.count, "ns": int(1e9 * self.seconds)}


@dataclass(slots=True)
class Stats:
    """The counts of one version.

    Attributes:
        last: when a request was answered last, in milliseconds since 1970.

    """

    last: int = 0
    rows: int = 0
    success: Lasting = field(default_factory=Lasting)
    fail: Lasting = field(default_factory=Lasting)
    queue: Lasting = field(default_factory=Lasting)
    tokenize: Lasting = field(default_factory=Lasting)
    infer: Lasting = field(default_factory=Lasting)

    def answered(self, reply: Reply, seconds: float) -> None:
        """A request was answered."""
        self.last = time.time_ns() // 1_000_000
        self.rows += len(reply.result)
        self.success.add(seconds)
        self.queue.add(reply.queue)
        self.tokenize.add(reply.tokenize)
        self.infer.add(reply.infer)

    def as_dict(self, name: str, version: str) -> dict[str, Any]:
        """As Triton tells it. Answers are written after a request was counted: that has no time here."""
        nothing = Lasting().as_dict()
        return {
            "name": name,
            "version": version,
            "last_inference": self.last,
            "inference_count": self.rows,
            "execution_count": self.success.count,
            "inference_stats": {
                "success": self.success.as_dict(),
                "fail": self.fail.as_dict(),
                "queue": self.queue.as_dict(),
                "compute_input": self.tokenize.as_dict(),
                "compute_infer": self.infer.as_dict(),
                "compute_output": nothing,
                "cache_hit": nothing,
                "cache_miss": nothing,
            },
            "batch_stats": [],
        }
