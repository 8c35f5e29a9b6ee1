"""A long job that SIGTERM and Ctrl-C end in good order, and a second one at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cauce.cli import show
from cauce.errors import Stopped


@contextmanager
def stoppable(said: str, *, hint: str) -> Iterator[threading.Event]:
    """An event that the first signal sets.

    Args:
        said: what is shown then.
        hint: of the error where it was ended at once.

    Raises:
        Stopped: it was ended at once.

    """
    stop = threading.Event()

    def asked(signum: int, frame: Any) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        show.note(said)

    before = {number: signal.signal(number, asked) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    except KeyboardInterrupt:
        raise Stopped("stopped", hint=hint) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
