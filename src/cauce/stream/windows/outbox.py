"""Messages that are sent by a thread of their own: who has one to send waits for nobody."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple, Protocol

from cauce.errors import BrokerGone, CauceError

MOST = 100  # messages that wait


class Message(NamedTuple):
    """What is sent: a body, and an id by which a receiver knows it again."""

    body: bytes
    id: str


class Hook(Protocol):
    """Where messages go, such as `cauce.stream.sinks.webhook.Hook`."""

    def send(self, body: bytes, message_id: str) -> None:
        """Send it; try again, within bounds."""
        ...

    def close(self) -> None:
        """Let go."""
        ...


class Outbox:
    """Sends one message after the other.

    Args:
        tell: told what could not be sent.

    Attributes:
        sent, failed: how many were, and how many could not be: those too for which there was no room.
        over: ids of those that were sent, or that the receiver refuses. Whoever keeps them takes them out.
        held: ids of those that wait or are being sent.

    """

    def __init__(self, hook: Hook, tell: Callable[[str], None]) -> None:
        self._hook, self._tell = hook, tell
        self.sent = self.failed = 0
        self.over, self.held = set[str](), set[str]()
        self._waiting: queue.Queue[Message | None] = queue.Queue(MOST)
        self._thread = threading.Thread(target=self._work, name="cauce-stream-alerts", daemon=True)
        self._thread.start()

    def __call__(self, message: Message) -> None:
        """Have this sent."""
        self.held.add(message.id)
        try:
            self._waiting.put_nowait(message)
        except queue.Full:
            self.held.discard(message.id)
            self._lost(f"{MOST} others wait to be sent")

    def close(self, seconds: float) -> None:
        """Send what waits, for so long at most."""
        with suppress(queue.Full):
            self._waiting.put(None, timeout=seconds)
            self._thread.join(seconds)
        if self._thread.is_alive():
            self._tell(f"{self._waiting.qsize()} alerts or more were not sent")
        else:
            self._hook.close()

    def _work(self) -> None:
        while (one := self._waiting.get()) is not None:
            try:
                self._hook.send(*one)
            except CauceError as error:
                self._lost(error.message)
                if not isinstance(error, BrokerGone):
                    self.over.add(one.id)
            else:
                self.sent += 1
                self.over.add(one.id)
            self.held.discard(one.id)

    def _lost(self, why: str) -> None:
        self.failed += 1
        self._tell(f"an alert was not sent: {why}")
