"""A long job that SIGTERM and Ctrl-C end in good order, within a deadline, and a second one at once."""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cauce.cli import show
from cauce.errors import Stopped

GRACE = 5.0  # seconds that a job which ends at once has to close what it opened: it may wait for somebody who is gone


@contextmanager
def stoppable(said: str, *, hint: str, within: float | None = None) -> Iterator[threading.Event]:
    """An event that the first signal sets.

    Args:
        said: what is shown then; nothing where it is empty.
        hint: of the error where it was ended at once.
        within: seconds that the good order may take; after that it is ended at once.

    Raises:
        Stopped: it was ended at once.

    """
    stop, signals = threading.Event(), queue.SimpleQueue[bool]()  # the one queue that a signal's handler may put into

    def asked(signum: int, frame: Any) -> None:
        signals.put(True)
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        if said:
            show.note(said)

    before = {number: signal.signal(number, asked) for number in (signal.SIGINT, signal.SIGTERM)}
    if within is not None:
        threading.Thread(target=_hurry, args=(signals, within), name="cauce-hurry", daemon=True).start()
    try:
        yield stop
    except KeyboardInterrupt:
        raise Stopped("stopped", hint=hint) from None
    finally:
        signals.put(False)
        for number, handler in before.items():
            signal.signal(number, handler)


def _hurry(signals: queue.SimpleQueue[bool], within: float) -> None:
    """Ask once more where the good order takes too long, and leave the process as it is where even that does not end it."""
    if not signals.get():
        return
    try:
        asked_again = signals.get(timeout=within)
    except queue.Empty:
        show.note(f"{within:g} s have passed: ending at once")
        os.kill(os.getpid(), signal.SIGTERM)
        asked_again = True
    try:
        while asked_again:
            asked_again = signals.get(timeout=GRACE)
    except queue.Empty:
        os._exit(Stopped.exit_code)
