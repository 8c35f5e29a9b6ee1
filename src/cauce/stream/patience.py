"""A broker that is gone is waited for, with longer and longer pauses, and people are told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from cauce.errors import BrokerGone

T = TypeVar("T")
FIRST, LONGEST = 0.1, 2.0  # seconds between two tries
AGAIN = 10.0  # seconds after which people are told again


class Patience:
    """How long to wait.

    Args:
        seconds: 0: not at all.
        tell: told what is waited for.
        stop: ends the waiting.

    Attributes:
        tell: as above.

    """

    def __init__(self, seconds: float, tell: Callable[[str], None], stop: threading.Event) -> None:
        self._seconds, self.tell, self._stop = seconds, tell, stop

    def __call__(self, call: Callable[[], T]) -> T:
        """What the call returns, once it does not fail for want of a broker.

        Raises:
            BrokerGone: it did not come back in time, or `stop` was set.

        """
        begun, told, pause = time.monotonic(), 0.0, FIRST
        while True:
            try:
                result = call()
            except BrokerGone as gone:
                now = time.monotonic()
                left = self._seconds - (now - begun)
                if left <= 0 or self._stop.is_set():
                    raise
                if not told or now - told >= AGAIN:
                    told = now
                    self.tell(f"{gone.message}: trying again, for {left:.0f} s more")
                self._stop.wait(min(max(pause, gone.retry_after), left))
                pause = min(2 * pause, LONGEST)
                continue
            if told:
                self.tell(f"the broker is back, after {time.monotonic() - begun:.1f} s")
            return result
