"""A histogram for Prometheus that takes many values at once; that of its client takes one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector


class Histogram(Collector):
    """How values spread, for each combination of labels. One thread may observe while another collects.

    Args:
        labels: the names of the labels.
        bounds: of the buckets: each holds the values up to its bound, and the last one all others.

    """

    def __init__(
        self, name: str, about: str, bounds: Sequence[float], labels: Sequence[str] = (), *, registry: CollectorRegistry
    ) -> None:
        self._name, self._about, self._labels = name, about, labels
        self._bounds = np.array(bounds, np.float64)
        self._counts: dict[tuple[str, ...], npt.NDArray[np.int64]] = {}
        self._sums: dict[tuple[str, ...], float] = {}
        registry.register(self)

    def observe(self, values: Sequence[float] | npt.NDArray[np.floating], *labels: str) -> None:
        """Add these values, which have these labels."""
        places = np.searchsorted(self._bounds, values)
        counts = np.bincount(places, minlength=len(self._bounds) + 1)
        self._sums[labels] = self._sums.get(labels, 0.0) + float(np.sum(values))
        self._counts[labels] = self._counts.get(labels, 0) + counts

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """What the registry asks for."""
        found = HistogramMetricFamily(self._name, self._about, labels=self._labels)
        names = [*map(str, self._bounds.tolist()), "+Inf"]
        for labels, counts in list(self._counts.items()):
            found.add_metric(labels, list(zip(names, counts.cumsum().tolist(), strict=True)), self._sums[labels])
        yield found
