"""What Prometheus reads at `/metrics`.

What each request gives is kept, and counted in heaps: counting one costs as much as answering it with a small model.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from cauce.histogram import Histogram
from cauce.model.predictions import Predictions
from cauce.online.plane import Plane, Recorded, Reply
from cauce.online.scheduler import Seen

SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
SCORES = tuple(tenth / 10 for tenth in range(1, 11))
HEAP = 1024  # requests, calls and rows that are counted together
OK = 200


class Metrics:
    """The counters of one server. Called on the event loop.

    Attributes:
        in_flight: requests that are being answered.

    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        own: dict[str, Any] = {"registry": self.registry}
        self.in_flight = 0
        self._rejected = Counter("cauce_rejected", "Requests refused or failed, by the error's code.", ("code",), **own)
        self._requests = Counter("cauce_requests", "Requests, by address and status.", ("path", "status"), **own)
        self._total = Histogram("cauce_request_seconds", "Of requests that were answered.", SECONDS, ("path",), **own)
        self._queue = Histogram("cauce_queue_seconds", "Before the first call.", SECONDS, **own)
        self._tokenize = Histogram("cauce_tokenize_seconds", "Of a call, reading its rows.", SECONDS, ("model",), **own)
        self._infer = Histogram("cauce_infer_seconds", "Of a call, all the rest.", SECONDS, ("model",), **own)
        self._tokens = Counter("cauce_tokens", "Tokens that were computed.", ("model",), **own)
        self._padded = Counter("cauce_padded_tokens", "The same with what filled shorter texts up.", ("model",), **own)
        self._call_rows = Histogram("cauce_call_rows", "Rows of a call.", ROWS, ("model",), **own)
        self._failed = Counter("cauce_failed_calls", "Calls that failed whole.", ("model",), **own)
        self._rows = Counter("cauce_rows", "Rows answered.", ("model", "version"), **own)
        self._labels = Counter("cauce_labels", "Answers by label.", ("model", "version", "label"), **own)
        self._scores = Histogram("cauce_best_score", "The best score of a row.", SCORES, ("model", "version"), **own)
        self._truncated = Counter("cauce_truncated_rows", "Rows of which only the beginning was read.", ("model",), **own)
        self._errors = Counter("cauce_row_errors", "Rows without an answer.", ("model",), **own)
        self._flying = Gauge("cauce_in_flight", "Requests that are being answered.", **own)
        self._info = Gauge("cauce_model_info", "1 for each version that is served.", ("model", "version", "variant"), **own)
        self._shadowed = Gauge("cauce_shadow_rows", "Rows that the shadow was asked too.", **own)
        self._disagreed = Gauge("cauce_shadow_disagreed_rows", "Rows to which the shadow gives another label.", **own)
        self._waiting = Gauge("cauce_waiting_rows", "Rows that no worker has yet.", **own)
        self._clear()

    def _clear(self) -> None:
        self._ended: dict[tuple[str, int], list[float]] = defaultdict(list)
        self._calls: dict[str, list[Seen]] = defaultdict(list)
        self._replies: dict[tuple[str, str], list[Reply]] = defaultdict(list)
        self._refusals: dict[str, int] = defaultdict(int)
        self._heap = 0

    def ended(self, path: str, status: int, seconds: float) -> None:
        """A request of an address has ended, after so long."""
        self._ended[path, status].append(seconds)
        self._grown(1)

    def rejected(self, code: str) -> None:
        """A request was refused, or failed."""
        self._refusals[code] += 1

    def seen(self, name: str, one: Seen) -> None:
        """A call of a model ended."""
        self._calls[name].append(one)
        self._grown(1)

    def recorded(self, one: Recorded) -> None:
        """A request was answered."""
        reply = one.reply
        self._replies[reply.name, reply.model.version].append(reply)
        self._grown(len(reply.result))

    def _grown(self, entries: int) -> None:
        self._heap += entries
        if self._heap >= HEAP:
            self._count()

    def _count(self) -> None:
        """Count the heap."""
        for (path, status), times in self._ended.items():
            self._requests.labels(path, status).inc(len(times))
            if status == OK:
                self._total.observe(times, path)
        for code, count in self._refusals.items():
            self._rejected.labels(code).inc(count)
        for name, calls in self._calls.items():
            self._tokenize.observe([one.spent.reading for one in calls], name)
            self._infer.observe([one.seconds - one.spent.reading for one in calls], name)
            self._tokens.labels(name).inc(sum(one.spent.tokens for one in calls))
            self._padded.labels(name).inc(sum(one.spent.padded for one in calls))
            self._call_rows.observe([one.rows for one in calls], name)
            self._failed.labels(name).inc(sum(one.failed for one in calls))
        for (name, version), replies in self._replies.items():
            self._queue.observe([one.queue for one in replies])
            self._rows.labels(name, version[:12]).inc(sum(len(one.result) for one in replies))
            if results := [one.result for one in replies if isinstance(one.result, Predictions)]:
                self._count_answers(name, version[:12], Predictions.joined(results, np.arange(sum(map(len, results)))))
        self._clear()

    def _count_answers(self, name: str, version: str, answers: Predictions) -> None:
        fine = answers.codes == 0
        self._truncated.labels(name).inc(int(np.count_nonzero(answers.truncated)))
        self._errors.labels(name).inc(int(np.count_nonzero(~fine)))
        if answers.task == "regression":
            return
        several = answers.task == "multilabel"
        counts = answers.given.sum(axis=0) if several else np.bincount(answers.best[fine], minlength=len(answers.labels))
        for label, count in zip(answers.labels, counts.tolist(), strict=True):
            self._labels.labels(name, version, label).inc(count)
        self._scores.observe(answers.scores[fine].max(axis=1), name, version)

    def page(self, plane: Plane) -> bytes:
        """All of it, as text."""
        self._count()
        self._flying.set(self.in_flight)
        self._info.clear()
        for one in plane.served.values():
            for version in one.versions:
                self._info.labels(one.name, version.model.version[:12], version.model.variant).set(1)
        self._shadowed.set(plane.shadowed)
        self._disagreed.set(plane.disagreed)
        self._waiting.set(plane.load.waiting)
        return generate_latest(self.registry)
