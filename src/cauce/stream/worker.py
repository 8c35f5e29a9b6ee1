"""The worker: fetch, validate, leave out what is known, answer, write, acknowledge. What it dies on is given out again."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from cauce.faults import fault
from cauce.model.model import Model
from cauce.model.predictions import Predictions
from cauce.settings import Stream
from cauce.stream.ahead import Ahead
from cauce.stream.behind import Behind
from cauce.stream.columns import from_columns
from cauce.stream.contract import Output, Sink, Source
from cauce.stream.dedupe import Recent
from cauce.stream.deliveries import SUSPECT, Deliveries, joined, together
from cauce.stream.key import keys_of
from cauce.stream.letter import letters
from cauce.stream.message import CODES, OF_MESSAGES
from cauce.stream.messages import Messages, read, text_key
from cauce.stream.results import Results
from cauce.stream.splice import spliced

FIRST = 64  # messages of the first batch, before it is known how long one takes
BUSY = 0.25  # seconds that a batch should keep the model busy: what is fetched has to be answered before a worker can end
TOO_MANY = CODES.index("too_many_attempts")


@dataclass
class Counts:
    """What became of messages: of those `read`, `out` with an answer or a withdrawal, `dead` by code, and `duplicates`."""

    read: int = 0
    out: int = 0
    duplicates: int = 0
    again: int = 0
    swaps: int = 0
    dead: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Handled:
    """A batch that was written.

    Attributes:
        results: its results; `received` (n,) is when the broker took their messages, in seconds since 1970.
        dead: how many were not answered, by code.
        seconds: how long the model took.

    """

    deliveries: Deliveries
    results: Results
    dead: Counter[str]
    seconds: float

    @property
    def received(self) -> npt.NDArray[np.float64]:
        """When the broker took the messages of the results, in seconds since 1970, (n,)."""
        return self.results.deliveries.received


class Worker:
    """Answers the messages of a source.

    Args:
        model: the model that answers now: asked before each batch, so it may change between two.
        sink: what `output` writes to: asked for the keys that a worker before this one wrote.
        settings: how much is held and answered at a time.
        rescore: another version's answer is another result.
        tell: told when another version answers.

    Attributes:
        watch: those who are called after each batch that was written, by the thread that writes.

    """

    def __init__(
        self,
        model: Callable[[], Model],
        source: Source,
        sink: Sink[Results],
        output: Output,
        settings: Stream,
        *,
        rescore: bool = False,
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._model, self._source, self._sink, self._output = model, source, sink, output
        self._settings, self._rescore, self._tell = settings, rescore, tell
        self._recent, self._version = Recent(), ""
        self._most = min(FIRST, settings.max_batch)
        self.counts = Counts()
        self.watch: list[Callable[[Handled], None]] = []

    def run(self, stop: threading.Event) -> Counts:
        """Work until the source ends or `stop` is set; what was fetched by then is answered and acknowledged.

        Raises:
            BrokerGone, StorageFull, CannotWrite: what is not acknowledged is given out again.

        """
        _warm_up()
        self._recent.add(self._sink.recent())
        ahead, behind = Ahead(self._source, self._settings.max_bytes, stop), Behind(self._output)
        try:
            while (fetched := ahead.batch(self._most, self._settings.max_delay)) is not None:
                behind.check()
                for some in joined(fetched):
                    fault("stream.fetched")
                    self._in_order(some, behind)
            behind.settle()
        finally:
            ahead.close()
            behind.close()
        return self.counts

    def _in_order(self, deliveries: Deliveries, behind: Behind) -> None:
        """Those that were given out before come first. One that may have killed two workers comes alone, then the others.

        Before those, all is settled: a part of a folder holds many that are not acknowledged, and would be given out again.
        """
        again = deliveries.attempts > 1
        if not again.any():
            self._handle(deliveries, behind)
            return
        self._recent.add(self._sink.recent())
        shared = (deliveries.attempts == SUSPECT) & (together(self._settings.max_attempts) > 1)
        alone = np.flatnonzero(again & ~shared)
        for rows in (*alone[:, np.newaxis], np.flatnonzero(shared), np.flatnonzero(~again)):
            if len(rows):
                behind.settle()
                self._handle(deliveries.take(rows), behind)
        behind.settle()

    def _handle(self, deliveries: Deliveries, behind: Behind) -> None:
        model, limit = self._current(), self._settings.max_message_bytes
        alias, given = text_key(model.manifest.inputs), deliveries.given
        messages = from_columns(given, alias) if isinstance(given, pa.RecordBatch) else read(given, limit, alias)
        codes = np.where(deliveries.attempts > self._settings.max_attempts, np.uint8(TOO_MANY), messages.codes)
        version = model.version if self._rescore else ""
        keys = keys_of(deliveries.source, deliveries.places, messages, version)
        rows = self._fresh(keys, codes)
        begun = time.perf_counter()
        asked = messages if len(rows) == len(messages) else messages.take(rows)
        predictions = _predictions(model, asked, deliveries, rows)
        seconds = time.perf_counter() - begun
        self._most = min(self._settings.max_batch, max(1, int(BUSY * max(len(rows), 1) / seconds)))
        fault("stream.predicted")
        failed = (predictions.codes != 0) & ~asked.deletes
        codes[rows[failed]] = predictions.codes[failed] + len(OF_MESSAGES)
        fine = np.flatnonzero(~failed)
        if len(fine) < len(rows):
            parts = {name: getattr(predictions, name)[fine] for name in ("scores", "codes", "truncated")}
            asked, predictions, rows = asked.take(fine), replace(predictions, **parts), rows[fine]
        whole = len(rows) == len(deliveries)
        keys = keys if whole else keys.take(pa.array(rows))
        results = Results(model, deliveries if whole else deliveries.take(rows), asked, keys, predictions, rows)
        self._recent.add(keys.to_pylist())
        dead = Counter(CODES[code] for code in codes[codes != 0].tolist())
        handled = Handled(deliveries, results, dead, seconds)
        behind.do(lambda: self._write(handled, codes, limit))

    def _write(self, handled: Handled, codes: npt.NDArray[np.uint8], limit: int) -> None:
        """Write a batch, and count it. In the thread that writes."""
        deliveries, results, counts = handled.deliveries, handled.results, self.counts
        self._output.put(deliveries.places.to_pylist(), results, letters(deliveries, codes, limit))
        counts.read += len(deliveries)
        counts.out += len(results)
        counts.dead.update(handled.dead)
        counts.duplicates += len(deliveries) - len(results) - handled.dead.total()
        counts.again += int(np.count_nonzero(deliveries.attempts > 1))
        for watch in self.watch:
            watch(handled)

    def _current(self) -> Model:
        """The model that answers this batch."""
        model = self._model()
        if self._version not in ("", model.version):
            self.counts.swaps += 1
            self._tell(f"the version {model.version[:12]} answers from here on; it was {self._version[:12]}")
        self._version = model.version
        return model

    def _fresh(self, keys: pa.StringArray, codes: npt.NDArray[np.uint8]) -> npt.NDArray[np.intp]:
        """The rows that can be answered and that were not answered before; of those with one key the first."""
        names: list[str] = keys.to_pylist()
        distinct = set(names)
        if len(distinct) == len(names) and not codes.any() and self._recent.isdisjoint(distinct):
            return np.arange(len(names))
        first = {name: row for row, name in reversed(list(enumerate(names))) if not codes[row] and name not in self._recent}
        return np.array(sorted(first.values()), np.intp)


def _warm_up() -> None:
    """Compile the kernels, or load them, before there is a message that waits for it."""
    data = pa.array([b'{"id": "a"}'], pa.large_binary())
    keys_of("", pa.array([""]), read(data, 100, "text"))
    spliced(np.zeros(1, np.uint8), np.zeros(1, np.int64), np.ones(1, np.int64))


def _predictions(model: Model, messages: Messages, deliveries: Deliveries, rows: npt.NDArray[np.intp]) -> Predictions:
    """The answers for messages, which are these rows of the deliveries."""
    if name := text_key(model.manifest.inputs):
        return model.predict(pa.RecordBatch.from_arrays([messages.texts], [name]))
    given = deliveries.given.take(pa.array(rows))
    return model.predict(given if isinstance(given, pa.RecordBatch) else [orjson.loads(one) for one in given.to_pylist()])
