"""The worker: fetch, validate, leave out what is known, answer, write, acknowledge. What it dies on is given out again."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cauce.faults import fault
from cauce.model.model import Model
from cauce.stream.broker import Delivery, Output, Sink, Source
from cauce.stream.dedupe import Recent
from cauce.stream.key import key_of
from cauce.stream.letter import letter
from cauce.stream.message import Document, Message, MessageError, answered, answers, parse, rows, withdrawn

POLL = 0.25  # seconds that a source without messages is waited for at a time


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much at a time.

    Attributes:
        max_delay: seconds that a message may wait for others to be answered with.
        max_batch: messages that are answered together.
        max_bytes: of messages that are held at a time.
        max_message_bytes: of a message; a longer one is dead.
        max_attempts: how many times a message is given out; after that it is dead.

    """

    max_delay: float = 0.05
    max_batch: int = 2000
    max_bytes: int = 32_000_000
    max_message_bytes: int = 1_000_000
    max_attempts: int = 5


@dataclass
class Counts:
    """What became of messages: of those `read`, `out` with an answer or a withdrawal, `dead` by code, and `duplicates`."""

    read: int = 0
    out: int = 0
    duplicates: int = 0
    swaps: int = 0
    dead: Counter[str] = field(default_factory=Counter)


class Worker:
    """Answers the messages of a source.

    Args:
        model: the model that answers now: asked before each batch, so it may change between two.
        sink: what `output` writes to: asked for the keys that a worker before this one wrote.
        rescore: another version's answer is another result.
        tell: told when another version answers.
        progress: called after each batch.

    """

    def __init__(
        self,
        model: Callable[[], Model],
        source: Source,
        sink: Sink,
        output: Output,
        limits: Limits = Limits(),
        *,
        rescore: bool = False,
        tell: Callable[[str], None] = lambda line: None,
        progress: Callable[[Counts], None] = lambda counts: None,
    ) -> None:
        self._model, self._source, self._sink, self._output = model, source, sink, output
        self._limits, self._rescore, self._tell, self._progress = limits, rescore, tell, progress
        self._recent, self._version = Recent(), ""
        self.counts = Counts()

    def run(self, stop: threading.Event) -> Counts:
        """Work until the source ends or `stop` is set; what was fetched by then is answered and acknowledged.

        Raises:
            BrokerGone, StorageFull, CannotWrite: what is not acknowledged is given out again.

        """
        self._recent.add(self._sink.recent())
        while not stop.is_set() and not self._source.ended:
            fetched = self._gather(stop)
            fault("stream.fetched")
            again = [one for one in fetched if one.attempts > 1]
            if again:
                self._recent.add(self._sink.recent())
            for one in again:  # alone: one that kills its worker takes no other along again
                self._handle([one])
            self._handle([one for one in fetched if one.attempts == 1])
            self._output.settle(now=False)
            self._progress(self.counts)
        self._output.settle(now=True)
        return self.counts

    def _gather(self, stop: threading.Event) -> list[Delivery]:
        """A batch: what is there, and what comes while the first message may wait."""
        limits = self._limits
        fetched = self._source.fetch(limits.max_batch, limits.max_bytes, POLL)
        end, room = time.monotonic() + limits.max_delay, limits.max_bytes - sum(len(one.data) for one in fetched)
        while fetched and len(fetched) < limits.max_batch and room > 0 and not stop.is_set() and not self._source.ended:
            if (left := end - time.monotonic()) <= 0:
                break
            more = self._source.fetch(limits.max_batch - len(fetched), room, left)
            room -= sum(len(one.data) for one in more)
            fetched += more
        return fetched

    def _handle(self, deliveries: Sequence[Delivery]) -> None:
        if not deliveries:
            return
        model = self._current()
        documents: dict[str, Document | None] = dict.fromkeys(one.place for one in deliveries)
        letters: list[Document] = []
        fresh = [found for one in deliveries if (found := self._read(one, model, letters)) is not None]
        asked = [(one, key, message) for one, key, message in _once(fresh) if message.op == "upsert"]
        gone = [(one, key, message) for one, key, message in _once(fresh) if message.op == "delete"]
        given = answers(model, model.predict(rows([message for _, _, message in asked], model))) if asked else []
        fault("stream.predicted")
        for (one, key, message), (code, answer) in zip(asked, given, strict=True):
            if code:
                letters.append(letter(one, code, self._limits.max_message_bytes))
            else:
                documents[one.place] = answered(message, key, answer)
        for one, key, message in gone:
            documents[one.place] = answered(message, key, withdrawn(model))
        self._output.put(list(documents), list(documents.values()), letters)
        written = [document["key"] for document in documents.values() if document is not None]
        self._recent.add(written)
        self.counts.read += len(deliveries)
        self.counts.out += len(written)
        self.counts.duplicates += len(deliveries) - len(written) - len(letters)
        self.counts.dead.update(one["code"] for one in letters)

    def _current(self) -> Model:
        """The model that answers this batch."""
        model = self._model()
        if self._version not in ("", model.version):
            self.counts.swaps += 1
            self._tell(f"the version {model.version[:12]} answers from here on; it was {self._version[:12]}")
        self._version = model.version
        return model

    def _read(self, delivery: Delivery, model: Model, letters: list[Document]) -> tuple[Delivery, str, Message] | None:
        """A message and its key; None where it was answered before, and where it cannot be read: that is a letter."""
        limit = self._limits.max_message_bytes
        try:
            if delivery.attempts > self._limits.max_attempts:
                raise MessageError("too_many_attempts")
            message = parse(delivery.data, limit)
        except MessageError as bad:
            letters.append(letter(delivery, bad.code, limit))
            return None
        key = key_of(delivery.source, delivery.place, message, model.version if self._rescore else "")
        return None if key in self._recent else (delivery, key, message)


def _once(found: Sequence[tuple[Delivery, str, Message]]) -> list[tuple[Delivery, str, Message]]:
    """The first of each key."""
    return list({key: (one, key, message) for one, key, message in reversed(found)}.values())[::-1]
