"""When a recorded message is given out again: at once, so many a second, or as it was recorded."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from cauce.stream.message import MessageError, parse


class Pace:
    """The times of a replay.

    Args:
        rate: messages a second; 0: as fast as possible.
        speed: 1 is as recorded by `created_at`, 2 twice as fast; 0: as fast as possible.

    """

    def __init__(self, rate: float = 0.0, speed: float = 0.0) -> None:
        self._rate, self._speed = rate, speed
        self._begun = 0.0
        self._first: float | None = None
        self._given = 0

    @property
    def none(self) -> bool:
        """Whether all may be given out as fast as possible."""
        return not (self._rate or self._speed)

    def wait(self, data: bytes) -> float:
        """Seconds until the next message may be given out; a message that was not recorded with a time does not wait."""
        now = time.monotonic()
        if not self._begun:
            self._begun = now
        if self._rate:
            return self._begun + self._given / self._rate - now
        if self._speed and (recorded := created(data)) is not None:
            if self._first is None:
                self._first = recorded
            return self._begun + (recorded - self._first) / self._speed - now
        return 0.0

    def given(self) -> None:
        """A message was given out."""
        self._given += 1


def created(data: bytes) -> float | None:
    """Seconds since 1970 at which a message was made; None where it does not say. Without a zone, a time is UTC."""
    try:
        when = parse(data, len(data)).document.get("created_at")
        if isinstance(when, str):
            moment = datetime.fromisoformat(when)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (MessageError, ValueError, OverflowError):
        return None
    return when
