"""Messages are fetched ahead, in a thread of their own, while those before them are answered."""

from __future__ import annotations

import threading
import time

from cauce.stream.contract import Source
from cauce.stream.deliveries import Deliveries

POLL = 0.25  # seconds that a source without messages is waited for at a time
PATIENCE = 5.0  # seconds that `close` waits for a fetch: its broker may be gone


class Ahead:
    """Fetches one batch ahead, until the source ends or `stop` is set.

    Behind messages that were given out before nothing is fetched until they are answered: one that kills its worker takes
    as few others along as it can.

    Args:
        room: bytes of messages that are held ahead, about.

    """

    def __init__(self, source: Source, room: int, stop: threading.Event) -> None:
        self._source, self._room, self._stop = source, room, stop
        self._most = 1
        self._waiting: list[Deliveries] = []
        self._count = self._bytes = 0
        self._answering = self._again = self._over = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="cauce-stream-fetch", daemon=True)
        self._thread.start()

    def batch(self, most: int, delay: float) -> list[Deliveries] | None:
        """Up to `most` messages: what is there, and what comes within `delay` seconds after the first. None: it is over.

        Raises:
            whatever the source raised, once all that came before was given out.

        """
        with self._changed:
            self._most, self._answering = most, False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._waiting or self._over, POLL)
            if self._waiting:
                end = time.monotonic() + delay
                self._changed.wait_for(lambda: self._full() or self._again or self._over, max(end - time.monotonic(), 0.0))
            elif self._over:
                if self._error is not None:
                    raise self._error
                return None
            given, self._waiting, self._count, self._bytes = self._waiting, [], 0, 0
            self._answering = bool(given)
            self._changed.notify_all()
            return given

    def close(self) -> None:
        """Fetch no more: the source may be closed next."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(PATIENCE)

    def _full(self) -> bool:
        return self._count >= self._most or self._bytes >= self._room

    def _behind_again(self) -> bool:
        """Whether the last that were fetched had been given out before, and are not answered yet."""
        return self._again and bool(self._waiting or self._answering)

    @property
    def _ended(self) -> bool:
        return self._closed or self._stop.is_set()

    def _work(self) -> None:
        try:
            while not self._ended and not self._source.ended:
                with self._changed:
                    if self._full() or self._behind_again():
                        self._changed.wait(POLL)
                        continue
                    most, room = self._most - self._count, self._room - self._bytes
                found = self._source.fetch(most, room, POLL)
                if found is not None:
                    with self._changed:
                        self._waiting.append(found)
                        self._count += len(found)
                        self._bytes += found.size
                        self._again = bool((found.attempts > 1).any())
                        self._changed.notify_all()
        except BaseException as error:  # noqa: BLE001  (it is raised where the messages are used)
            self._error = error
        finally:
            with self._changed:
                self._over = True
                self._changed.notify_all()
