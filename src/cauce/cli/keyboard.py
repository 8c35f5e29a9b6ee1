"""Where answers come from: single keys of a terminal, or the lines of a pipe."""

from __future__ import annotations

import os
import signal
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

ESCAPE = "\x1b"


class Keys(Protocol):
    """One answer after the other."""

    def key(self) -> str | None:
        """A key, or None at the end."""

    def line(self) -> str | None:
        """A line of text without its end, or None at the end."""


class Lines:
    """A pipe: each line is a key, or a label by its name."""

    def key(self) -> str | None:
        """The next line, without spaces around it."""
        return self.line()

    def line(self) -> str | None:
        """The next line, without spaces around it."""
        read = sys.stdin.readline()
        return read.strip() if read else None


class Terminal:
    """A terminal that gives each key at once. A key counts only for what was on the screen when it was hit."""

    def __init__(self) -> None:
        self._input = sys.stdin.fileno()
        self._usual = termios.tcgetattr(self._input)

    def key(self) -> str | None:
        """The next key; empty for an arrow or another key that is not a character."""
        termios.tcflush(self._input, termios.TCIFLUSH)
        hit = os.read(self._input, 64).decode(errors="replace")
        if not hit or hit[0] == "\x04":  # Ctrl-D
            return None
        return "" if hit[0] == ESCAPE else hit[0]

    def line(self) -> str | None:
        """A line, typed and mended in the usual way of the terminal."""
        self._restore()
        try:
            read = sys.stdin.readline()
        finally:
            self._take()
        return read.strip() if read else None

    def _take(self, *_: object) -> None:
        tty.setcbreak(self._input, termios.TCSANOW)

    def _restore(self) -> None:
        termios.tcsetattr(self._input, termios.TCSANOW, self._usual)


@contextmanager
def keys() -> Iterator[Keys]:
    """Keys of the terminal if standard input is one, else lines. The terminal is as it was afterwards, however this ends.

    SIGTERM and SIGHUP raise KeyboardInterrupt, as Ctrl-C does.
    """
    signals = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, _stop) for number in signals]
    terminal = Terminal() if sys.stdin.isatty() else None
    try:
        if terminal is None:
            yield Lines()
            return
        before.append(signal.signal(signal.SIGCONT, terminal._take))  # the shell took the terminal back after Ctrl-Z
        terminal._take()
        yield terminal
    finally:
        if terminal is not None:
            terminal._restore()
        for number, handler in zip((*signals, signal.SIGCONT), before, strict=False):
            signal.signal(number, handler)


def _stop(*_: object) -> None:
    raise KeyboardInterrupt
