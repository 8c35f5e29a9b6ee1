"""What Prometheus reads at `/metrics`."""

from __future__ import annotations

from typing import Any

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from cauce.model.predictions import Predictions
from cauce.online.plane import Plane, Recorded
from cauce.online.scheduler import Seen

SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
SCORES = tuple(tenth / 10 for tenth in range(1, 11))


class Metrics:
    """The counters of one server. Called on the event loop."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        own: dict[str, Any] = {"registry": self.registry}
        self.requests = Counter("cauce_requests", "Requests, by address and status.", ("path", "status"), **own)
        self.rejected = Counter("cauce_rejected", "Requests refused or failed, by the error's code.", ("code",), **own)
        self.total = Histogram("cauce_request_seconds", "From the last byte in to the first out.", buckets=SECONDS, **own)
        self.queue = Histogram("cauce_queue_seconds", "Before the first call.", buckets=SECONDS, **own)
        self.infer = Histogram("cauce_infer_seconds", "Of a call.", ("model",), buckets=SECONDS, **own)
        self.call_rows = Histogram("cauce_call_rows", "Rows of a call.", ("model",), buckets=ROWS, **own)
        self.failed = Counter("cauce_failed_calls", "Calls that failed whole.", ("model",), **own)
        self.rows = Counter("cauce_rows", "Rows answered.", ("model", "version"), **own)
        self.labels = Counter("cauce_labels", "Answers by label.", ("model", "version", "label"), **own)
        self.scores = Histogram("cauce_best_score", "The best score of a row.", ("model", "version"), buckets=SCORES, **own)
        self.truncated = Counter("cauce_truncated_rows", "Rows of which only the beginning was read.", ("model",), **own)
        self.errors = Counter("cauce_row_errors", "Rows without an answer.", ("model",), **own)
        self.in_flight = Gauge("cauce_in_flight", "Requests that are being answered.", **own)
        self.info = Gauge("cauce_model_info", "1 for each version that is served.", ("model", "version", "variant"), **own)
        self.shadowed = Gauge("cauce_shadow_rows", "Rows that the shadow was asked too.", **own)
        self.disagreed = Gauge("cauce_shadow_disagreed_rows", "Rows to which the shadow gives another label.", **own)
        self.waiting = Gauge("cauce_waiting_rows", "Rows that no worker has yet.", **own)

    def seen(self, name: str, one: Seen) -> None:
        """A call of a model ended."""
        self.infer.labels(name).observe(one.seconds)
        self.call_rows.labels(name).observe(one.rows)
        if one.failed:
            self.failed.labels(name).inc()

    def recorded(self, one: Recorded) -> None:
        """A request was answered."""
        name, version, result = one.reply.name, one.reply.model.version[:12], one.reply.result
        self.queue.observe(one.reply.queue)
        self.rows.labels(name, version).inc(len(one.rows))
        if not isinstance(result, Predictions):
            return
        fine = result.codes == 0
        if result.task != "regression":
            counts = np.bincount(result.best[fine], minlength=len(result.labels))
            for place in np.flatnonzero(counts):
                self.labels.labels(name, version, result.labels[place]).inc(int(counts[place]))
            best = self.scores.labels(name, version)
            for score in result.scores[fine].max(axis=1).tolist():
                best.observe(score)
        if cut := int(np.count_nonzero(result.truncated)):
            self.truncated.labels(name).inc(cut)
        if wrong := len(fine) - int(np.count_nonzero(fine)):
            self.errors.labels(name).inc(wrong)

    def page(self, plane: Plane) -> bytes:
        """All of it, as text."""
        self.info.clear()
        for one in plane.served.values():
            for version in one.versions:
                self.info.labels(one.name, version.model.version[:12], version.model.variant).set(1)
        self.shadowed.set(plane.shadowed)
        self.disagreed.set(plane.disagreed)
        self.waiting.set(sum(queue.waiting for one in plane.served.values() for queue in one.queues))
        return generate_latest(self.registry)
