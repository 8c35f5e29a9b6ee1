"""Alerts: rules that are judged by what chance alone would do, and told once at each change."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Protocol

import orjson

from cauce.evaluation.chance import count_bound, count_interval, share_bound
from cauce.evaluation.slices import wilson
from cauce.stream.windows.outbox import Message
from cauce.stream.windows.rules import Rule
from cauce.stream.windows.tally import ALL, Cell

WEEK = 7 * 24 * 3600.0


@dataclass(frozen=True)
class Verdict:
    """What a rule finds in the windows that it looks at.

    Attributes:
        start, end: the windows from one up to the other.
        count: results with the label, among `n`.
        value: what is held against the threshold.
        interval: the 95 % interval of the value: of a share Wilson's, of a count that of a Poisson process.
        chance: what the chance is below that the value is so far beyond the threshold while the truth stands at it. 1 where
            it is not beyond.

    """

    rule: Rule
    start: int
    end: int
    count: int
    n: int
    value: float
    interval: tuple[float, float]
    chance: float

    @property
    def back(self) -> bool:
        """Whether the whole interval is on the side that is not told."""
        low, high = self.interval
        return high < self.rule.threshold if self.rule.above else low > self.rule.threshold


class States(Protocol):
    """Which alerts are firing; see `cauce.stream.windows.ledger.Ledger.turn`."""

    def turn(self, rule: str, until: int, message: Message, *, firing: bool) -> bool:
        """Change the state of an alert, of which a message is to be sent; whether it changed."""
        ...


class Own:
    """The states of a worker that shares them with none."""

    def __init__(self) -> None:
        self._firing = set[str]()

    def turn(self, rule: str, until: int, message: Message, *, firing: bool) -> bool:
        """Change the state of an alert; whether it changed."""
        if (rule in self._firing) == firing:
            return False
        self._firing ^= {rule}
        return True


class Counts(Protocol):
    """Where counts are: see `cauce.stream.windows.ledger.Ledger` and `cauce.stream.windows.windows.Windows`."""

    def counts(self, since: int) -> dict[Cell, int]:
        """What was counted, from a window on."""
        ...


class Alerts:
    """Judges rules, each time that a window with results is closed, over it and those before it.

    A rule fires where chance alone would seldom do as much. One look has so little chance that all looks of a week together
    have one false alarm on average, at most, while the share stays at the threshold: whatever the width of the windows and the
    number of results. The windows of two looks overlap, so there are fewer. A rule is resolved when the whole 95 % interval
    lies on the other side: between the two it stays what it was, and a share near the threshold does not make it flap.

    Results are taken as independent of each other. Copies of one message are not, and count as many.

    Args:
        width: seconds of a window.
        stream: its name, in messages.
        send: given each message.

    Attributes:
        verdicts: the last of each rule.

    """

    def __init__(self, rules: Sequence[Rule], width: int, stream: str, states: States, send: Callable[[Message], None]) -> None:
        self._rules, self._width, self._stream, self._states, self._send = rules, width, stream, states, send
        self._next: int | None = None  # the window that is looked at next, once it is closed
        self.verdicts: dict[Rule, Verdict] = {}

    def look(self, source: Counts, first: int, closed: int) -> None:
        """Judge each window that was closed since the last look.

        Args:
            first: the window to begin with, at the first look.
            closed: the first window that is not.

        """
        begin = first if self._next is None else self._next
        if begin >= closed:
            return
        counts = source.counts(begin + 1 - max(self._windows(rule) for rule in self._rules))
        for window in sorted({cell.window for cell in counts if begin <= cell.window < closed}):
            for rule in self._rules:
                self._judge(rule, counts, window + 1)
        self._next = closed

    def _judge(self, rule: Rule, counts: Mapping[Cell, int], end: int) -> None:
        verdict = judged(rule, counts, end - self._windows(rule), end)
        self.verdicts[rule] = verdict
        if verdict.n < rule.least:
            return
        fires = verdict.chance < self._width / WEEK
        if fires or verdict.back:
            message = self._message(verdict, "firing" if fires else "resolved")
            if self._states.turn(rule.written, end, message, firing=fires):
                self._send(message)

    def _windows(self, rule: Rule) -> int:
        return round(rule.over / self._width)

    def _message(self, verdict: Verdict, state: str) -> Message:
        rule, low_high = verdict.rule, [round(end, 6) for end in verdict.interval]
        end = self._time(verdict.end)
        body: dict[str, Any] = {
            "stream": self._stream,
            "rule": rule.written,
            "state": state,
            "at": _iso(datetime.now(UTC)),
            "label": rule.label,
            "term": rule.term or None,
            "window": {"start": self._time(verdict.start), "end": end},
            "value": round(verdict.value, 6),
            "interval": low_high,
            "count": verdict.count,
            "n": verdict.n,
            "chance": float(f"{verdict.chance:.1e}"),
        }
        name = blake2b(orjson.dumps((self._stream, rule.written, state, end)), digest_size=16).hexdigest()
        return Message(orjson.dumps(body), name)

    def _time(self, window: int) -> str:
        return _iso(datetime.fromtimestamp(window * self._width, UTC))


def judged(rule: Rule, counts: Mapping[Cell, int], start: int, end: int) -> Verdict:
    """What a rule finds in the windows from `start` up to `end`."""
    windows = range(start, end)
    count = sum(counts.get(Cell(window, rule.term, rule.label), 0) for window in windows)
    n = sum(counts.get(Cell(window, rule.term, ALL), 0) for window in windows)
    if rule.measure == "count":
        value, interval = float(count), count_interval(count)
    else:
        figure = wilson(count, n)
        value, interval = figure.value, (figure.low, figure.high)
    chance = 1.0
    if n and (value > rule.threshold if rule.above else value < rule.threshold):
        chance = count_bound(count, rule.threshold) if rule.measure == "count" else share_bound(count, n, rule.threshold)
    return Verdict(rule, start, end, count, n, value, interval, chance)


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
