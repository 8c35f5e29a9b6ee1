"""A live table for people who look: how many messages a second, how many of each label, and the last ones.

Its texts are strangers': nothing in them is obeyed, neither by the terminal nor as markup.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable

import orjson
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cauce.stream.message import ANSWERS, Document
from cauce.text.visible import visible

LONGEST = 400  # characters of a text that are looked at; a line of the terminal is shorter
REFRESHED = 4  # times a second
SAMPLES = 5 * REFRESHED  # of the count: the speed is that of the last seconds
MOST_LABELS = 20
OTHERS = "(others)"
BAR = 24  # characters


class Screen:
    """Shows documents until it is closed; what was shown last stays on the terminal.

    Args:
        last: how many of the last documents are shown, the newest first.

    """

    def __init__(self, console: Console, last: int) -> None:
        self._rows: deque[tuple[str, str, str, str]] = deque(maxlen=last)
        self._labels: Counter[str] = Counter()
        self._count = 0
        self._counted = deque([(time.monotonic(), 0)], maxlen=SAMPLES)
        self._lock = threading.Lock()
        both = sys.stderr.isatty()  # lines of talk go above the table, where they go to the terminal at all
        self._live = Live(console=console, get_renderable=self._drawn, refresh_per_second=REFRESHED, redirect_stderr=both)
        self._live.start()

    def add(self, documents: Iterable[Document]) -> None:
        """Show some more."""
        with self._lock:
            for one in documents:
                row = cells(one)
                self._rows.appendleft(row)
                self._count += 1
                for label in _labels(one):
                    self._labels[label if label in self._labels or len(self._labels) < MOST_LABELS else OTHERS] += 1

    def close(self) -> None:
        """Draw it a last time, and leave it there."""
        self._live.stop()

    def _drawn(self) -> Group:
        with self._lock:
            self._counted.append((time.monotonic(), self._count))
            (since, before), (now, count) = self._counted[0], self._counted[-1]
            speed = (count - before) / max(now - since, 1e-9)
            rows, labels = list(self._rows), self._labels.most_common()
        total = max(sum(number for _, number in labels), 1)
        shares = _table("label", "messages", "share")
        for label, number in labels:
            bar = f"{number / total:6.1%} {'█' * round(BAR * number / total)}"
            shares.add_row(Text(label), Text(f"{number:,}", justify="right"), Text(bar))
        messages = _table("time", "label", "score", "text")
        for row in rows:
            messages.add_row(*map(Text, row))
        return Group(Text(f"{count:,} messages, {speed:,.1f}/s", style="bold"), "", shares, "", messages)


def cells(document: Document) -> tuple[str, str, str, str]:
    """The time, the label, the score and the text of a document, each in one line that may be shown."""
    text, score = document.get("text"), document.get("score")
    if not isinstance(text, str):
        text = orjson.dumps({name: value for name, value in document.items() if name not in ANSWERS}).decode()
    shown = f"{score:.3f}" if isinstance(score, int | float) else ""
    return time.strftime("%H:%M:%S"), ", ".join(_labels(document)), shown, _short(text)


def document_of(data: bytes) -> Document:
    """A message of anybody; one that is no JSON object as a text."""
    try:
        found = orjson.loads(data)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"text": data.decode(errors="replace")}


def _labels(document: Document) -> list[str]:
    if document.get("op") == "delete":
        return ["(withdrawn)"]
    given = document.get("labels", document.get("label"))
    return [_short(one) for one in (given if isinstance(given, list) else [given]) if isinstance(one, str)]


def _short(text: str) -> str:
    return visible(text[:LONGEST])


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(name, no_wrap=True, overflow="ellipsis")
    return table
