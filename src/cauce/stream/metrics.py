"""What Prometheus reads of a worker."""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import numpy as np
from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from cauce.errors import BadSetting, CauceError, InUse
from cauce.histogram import Histogram
from cauce.stream.schemes import Group
from cauce.stream.windows.moments import moments
from cauce.stream.windows.windows import Windows
from cauce.stream.worker import Counts, Handled

LOOKED_AT = 600.0  # seconds of a moving share
LOOPBACK = "127.0.0.1"
MODEL = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 3600, 21_600, 86_400)
MESSAGES = (1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536)
SLOWEST = 5.0  # seconds that whoever reads may take: they are answered one after the other
AGAIN = 2.0  # seconds after which the broker is asked anew how many messages wait
PATIENCE = 1.0  # seconds for which its answer is waited for; what it said last is told then
OLD = 30.0  # seconds after which that is told no more: a gap is better than a number that may be wrong


class Metrics(Collector):
    """The figures of one worker, as a watcher of it.

    Args:
        counts: the worker's own.

    """

    def __init__(self, counts: Counts) -> None:
        self.registry = CollectorRegistry()
        own: dict[str, Any] = {"registry": self.registry}
        self._counts, self._model = counts, dict[str, str]()
        self.registry.register(self)
        self._batch = Histogram("cauce_stream_batch_messages", "Messages that were handled together.", MESSAGES, **own)
        self._infer = Histogram("cauce_stream_model_seconds", "Of a batch, in the model.", MODEL, **own)
        self._received = Histogram(
            "cauce_stream_received_scored_seconds", "From the broker's taking a message to its written result.", SECONDS, **own
        )
        self._created = Histogram(
            "cauce_stream_created_scored_seconds", "From a message's `created_at` to its written result.", SECONDS, **own
        )

    def __call__(self, handled: Handled) -> None:
        """A batch was written."""
        now, results = time.time(), handled.results
        self._batch.observe([len(handled.deliveries)])
        self._infer.observe([handled.seconds])
        self._received.observe(np.maximum(now - handled.received, 0.0))
        created = moments(results.messages.created)
        self._created.observe(np.maximum(now - created[~np.isnan(created)], 0.0))
        model = results.model
        self._model = {"model": model.name, "version": model.version[:12], "variant": model.variant}

    def collect(self) -> Iterator[Metric]:
        """What the registry asks for."""
        counts = self._counts
        for name, about, count in (
            ("messages", "Messages that were read.", counts.read),
            ("results", "Messages with an answer, or a withdrawal, that was written.", counts.out),
            ("duplicates", "Messages that were answered before.", counts.duplicates),
            ("redelivered", "Messages that were given out before.", counts.again),
            ("swaps", "Versions that took over from another.", counts.swaps),
        ):
            yield CounterMetricFamily(f"cauce_stream_{name}", about, value=count)
        dead = CounterMetricFamily("cauce_stream_dead", "Messages that became dead letters, by code.", labels=("code",))
        for code, count in list(counts.dead.items()):
            dead.add_metric((code,), count)
        yield dead
        info = GaugeMetricFamily("cauce_model_info", "1 for the version that answers.", labels=tuple(self._model))
        if self._model:
            info.add_metric(tuple(self._model.values()), 1)
        yield info


class Counted(Collector):
    """What was counted in windows, since the worker began."""

    def __init__(self, windows: Windows) -> None:
        self._windows = windows

    def collect(self) -> Iterator[Metric]:
        """What the registry asks for."""
        totals, names = self._windows.totals(), ("term", "label")
        for name, about, counts in (
            ("counted", "Results by term and label; an empty one is all of them.", totals.counted),
            ("counted_late", "Of these, those that came after their window was closed.", totals.late),
        ):
            family = CounterMetricFamily(f"cauce_stream_{name}", about, labels=names)
            for whose, count in counts.items():
                family.add_metric(whose, count)
            yield family
        shares = GaugeMetricFamily("cauce_stream_share", "Of all results of a term, over the last ten minutes.", labels=names)
        for whose, share in self._windows.shares(LOOKED_AT).items():
            shares.add_metric(whose, share.value)
        yield shares
        yield CounterMetricFamily("cauce_stream_alerts_sent", "Alerts that were taken.", value=totals.sent)
        yield CounterMetricFamily("cauce_stream_alerts_failed", "Alerts that were given up.", value=totals.failed)


class Lag(Collector):
    """How far a group is behind: the broker is asked when somebody reads, now and then, and waited for only so long.

    Args:
        groups: asks the broker.
        name: of the group.

    """

    def __init__(self, groups: Callable[[], list[Group]], name: str) -> None:
        self._groups, self._name = groups, name
        self._group: Group | None = None
        self._at = -OLD
        self._done = threading.Event()
        self._done.set()

    def collect(self) -> Iterator[Metric]:
        """What the registry asks for."""
        if self._done.is_set() and time.monotonic() - self._at >= AGAIN:
            self._done.clear()
            threading.Thread(target=self._ask, name="cauce-lag", daemon=True).start()
        self._done.wait(PATIENCE)
        group = self._group
        if group is None or time.monotonic() - self._at > OLD:
            return
        yield GaugeMetricFamily("cauce_stream_held_messages", "Messages given out and not acknowledged.", value=group.held)
        if group.waiting is not None:
            about = "Messages that nobody was given yet; of a file, bytes."
            yield GaugeMetricFamily("cauce_stream_lag_messages", about, value=group.waiting)
        if group.waiting_seconds is not None or group.waiting == 0:
            about = "How long the oldest of these waits."
            yield GaugeMetricFamily("cauce_stream_lag_seconds", about, value=group.waiting_seconds or 0.0)

    def _ask(self) -> None:
        try:
            self._group = next((one for one in self._groups() if one.name == self._name), None)
        except CauceError:
            self._group = None
        finally:
            self._at = time.monotonic()
            self._done.set()


class Server:
    """Answers at an address, in a thread of its own.

    Args:
        address: `PORT`, which listens on this machine alone, or `HOST:PORT`.
        number: of the worker, from 1 on: each has the port behind the one before it.

    Raises:
        BadSetting: it is no address, or not one of this machine.
        InUse: another process listens there.

    """

    def __init__(self, address: str, registry: CollectorRegistry, number: int = 1) -> None:
        host, port = read(address)
        port += number - 1 if port else 0
        try:
            self._server = make_server(host, port, make_wsgi_app(registry), _kind(host), _Handler)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                hint = "stop who has it, or choose another with --metrics"
                raise InUse(f"port {port} of {host} is taken: no metrics", hint=hint) from None
            raise BadSetting(f"cannot listen on {host}, port {port}: {error}", hint="choose another with --metrics") from None
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self._server.server_port}/metrics"
        threading.Thread(target=self._server.serve_forever, name="cauce-metrics", daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()


def read(address: str) -> tuple[str, int]:
    """Host and port of `9100`, `:9100`, `0.0.0.0:9100` or `[::1]:9100`.

    Raises:
        BadSetting: it is none of these.

    """
    host, _, port = address.rpartition(":")
    if not (port.isdecimal() and port.isascii() and int(port) < 1 << 16):
        raise BadSetting(f'"{address}" is no place for metrics', hint="write it as 9100, or as 0.0.0.0:9100 for all who ask")
    return host.strip("[]") or LOOPBACK, int(port)


def _kind(host: str) -> type[WSGIServer]:
    class Listens(WSGIServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    return Listens


class _Handler(WSGIRequestHandler):
    timeout = SLOWEST

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (its name there)
        """Nothing: who reads is no news."""
