"""Windows over results: an observer of a worker that counts them, writes the counts and looks after alerts."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlunsplit

from cauce.errors import CauceError, InputError
from cauce.evaluation.metrics import Figure
from cauce.evaluation.slices import wilson
from cauce.stream import schemes
from cauce.stream.results import Results
from cauce.stream.schemes import Opening
from cauce.stream.windows.alerts import Alerts, Own, Verdict
from cauce.stream.windows.moments import Floats
from cauce.stream.windows.outbox import Outbox
from cauce.stream.windows.rules import read
from cauce.stream.windows.tally import ALL, Cell, Tally

if TYPE_CHECKING:
    from cauce.stream.sinks.webhook import Hook
    from cauce.stream.windows.ledger import Ledger

EVERY = 1.0  # seconds between two writes
MOST = 10_000  # windows that may wait to be written
LEAST = 600.0  # seconds of which the counts are kept at least, for `Windows.shares`
LOOK = 10.0  # seconds between two looks for alerts that another worker left unsent
DRAIN = 10.0  # seconds that alerts have to go out when a worker ends


@dataclass(frozen=True)
class Totals:
    """What a worker has counted since it began, for its metrics.

    Attributes:
        counted, late: results by term and label, an empty one for all of them.
        sent, failed: alerts.
        verdicts: the last look of each rule: moving shares and counts with their intervals.

    """

    counted: Counter[tuple[str, str]]
    late: Counter[tuple[str, str]]
    sent: int
    failed: int
    verdicts: tuple[Verdict, ...]


class Windows:
    """Counts results by label, term and window.

    Counts are written each second, and not together with results: what a worker that is killed counted last may be missing,
    and what it had counted and not acknowledged is counted once more by whoever takes over.

    Args:
        ledger: where counts are written and workers added up; None: each worker stands for itself, and its counts are gone
            when it ends.
        keep: seconds of which the counts are kept at least.
        tell: told what cannot be written or judged, while it is tried again.

    """

    def __init__(
        self,
        tally: Tally,
        ledger: Ledger | None = None,
        alerts: Alerts | None = None,
        outbox: Outbox | None = None,
        *,
        keep: float = LEAST,
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._tally, self._ledger, self._alerts, self._outbox, self._tell = tally, ledger, alerts, outbox, tell
        self._keep = int(keep // tally.width)
        self._held: dict[int, dict[tuple[str, str], list[int]]] = {}
        self._changed = set[int]()
        self._counted, self._late = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
        self._next_look = time.monotonic()
        self._lock, self._turning, self._stop = threading.Lock(), threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="cauce-stream-windows", daemon=True)
        self._thread.start()

    def see(self, results: Results, received: Floats) -> None:
        """Count results.

        Args:
            received: (n,) when the broker took their messages, in seconds since 1970.

        Raises:
            BrokerGone, StorageFull, …: the database is gone, and too many windows wait for it.

        """
        with self._lock:
            for cell, count, late in self._tally.add(results, received):
                whose = cell.term, cell.label
                values = self._held.setdefault(cell.window, {}).setdefault(whose, [0, 0])
                values[0] += count
                values[1] += late
                self._counted[whose] += count
                self._late[whose] += late
                self._changed.add(cell.window)
        if len(self._changed) > MOST:
            self.turn()

    def counts(self, since: int) -> dict[Cell, int]:
        """What this worker has counted, from a window on."""
        with self._lock:
            held = [(window, row) for window, row in self._held.items() if window >= since]
            return {Cell(window, *whose): count for window, row in held for whose, (count, _) in row.items()}

    def shares(self, seconds: float) -> dict[tuple[str, str], Figure]:
        """The moving share of each label among all results of a term, by term and label, with its 95 % interval.

        Args:
            seconds: how much is looked at together, up to the last window that is closed; at most what is kept.

        """
        end = self._tally.open
        sums = Counter[tuple[str, str]]()
        for cell, count in self.counts(end - int(seconds // self._tally.width)).items():
            if cell.window < end:
                sums[cell.term, cell.label] += count
        return {(term, label): wilson(count, sums[term, ALL]) for (term, label), count in sums.items() if label != ALL}

    def totals(self) -> Totals:
        """What was counted, for metrics."""
        with self._lock:
            counted, late = self._counted.copy(), self._late.copy()
        sent, failed = (self._outbox.sent, self._outbox.failed) if self._outbox else (0, 0)
        return Totals(counted, late, sent, failed, tuple(self._alerts.verdicts.values()) if self._alerts else ())

    def close(self) -> None:
        """Write what is left, send what waits, and let go."""
        self._stop.set()
        self._thread.join()
        self._try(self.turn)
        if self._outbox:
            self._outbox.close(DRAIN)
        if self._ledger:
            self._try(self._forget_sent)
            self._ledger.close()

    def _work(self) -> None:
        while not self._stop.wait(EVERY):
            self._try(self.turn)
            if time.monotonic() >= self._next_look:
                self._try(self._send_left)
                self._next_look = time.monotonic() + LOOK

    def _try(self, work: Callable[[], object]) -> None:
        try:
            work()
        except CauceError as error:
            self._tell(f"windows are not written: {error.message}")

    def _send_left(self) -> None:
        """Send what another worker left unsent, or this one gave up."""
        self._forget_sent()
        if self._ledger and self._outbox:
            for message in self._ledger.left(set(self._outbox.held)):
                self._outbox(message)

    def _forget_sent(self) -> None:
        if self._ledger and self._outbox and (over := set(self._outbox.over)):
            self._ledger.forget(over)
            self._outbox.over -= over

    def turn(self) -> None:
        """Write what changed, forget what is old, and judge what is closed. Done each second by a thread of its own.

        Raises:
            BrokerGone, StorageFull, …: what was not written is written the next time.

        """
        with self._turning:
            with self._lock:
                closed, changed, self._changed = self._tally.open, self._changed, set()
                rows = {
                    Cell(window, *whose): (count, late)
                    for window in changed
                    for whose, (count, late) in self._held[window].items()
                }
                first = min(self._held, default=closed)
            try:
                if self._ledger:
                    self._ledger.write(rows)
            except CauceError:
                with self._lock:
                    self._changed |= changed
                raise
            if self._alerts:
                self._alerts.look(self._ledger or self, first, closed)
            with self._lock:
                for window in [one for one in self._held if one < closed - self._keep and one not in self._changed]:
                    del self._held[window]


def watching(opening: Opening, stream: str, labels: Sequence[str]) -> Windows | None:
    """What the settings ask for; None where they ask for nothing.

    Args:
        stream: the name of the stream: workers that share it are added up.
        labels: of the model.

    Raises:
        InputError: a rule, a term or an address cannot be read.
        UnknownScheme, MissingExtra, AccessDenied, BrokerGone, CannotWrite, StorageFull

    """
    settings, tell = opening.settings, opening.patience.tell
    rules = [read(one) for one in settings.alerts]
    for rule in rules:
        rule.check(labels, settings.window)
    if rules and not settings.alert_to:
        raise InputError("alerts have no place to go to", hint="name it: --alert-to webhook:https://host/path")
    if not (settings.windows or settings.terms or rules):
        return None
    tally = Tally(settings.window, settings.lateness, [*settings.terms, *(rule.term for rule in rules if rule.term)])
    hook = _hook(settings.alert_to, opening) if rules and settings.alert_to else None
    ledger = _ledger(settings.windows, stream, opening) if settings.windows else None
    if hook is None:
        return Windows(tally, ledger, tell=tell)
    outbox = Outbox(hook, tell)
    alerts = Alerts(rules, settings.window, stream, ledger or Own(), outbox)
    return Windows(tally, ledger, alerts, outbox, keep=max(LEAST, *(rule.over for rule in rules)), tell=tell)


def _ledger(address: str, stream: str, opening: Opening) -> Ledger:
    place = schemes.read(address, written=True)
    if place.scheme != "sql" or "table" in place.options:
        hint = "write it as sql:sqlite:///windows.db or sql:postgresql://host/database"
        raise InputError("windows go to a database, into tables of their own", hint=hint)
    from cauce.stream.sinks.database import Database
    from cauce.stream.windows.ledger import Ledger

    database = Database(place.url.path, place.options, opening.patience)
    try:
        return Ledger(database, stream, opening.settings.window)
    except BaseException:
        database.close()
        raise


def _hook(address: str, opening: Opening) -> Hook:
    place = schemes.read(address, written=True)
    if place.scheme != "webhook":
        raise InputError("alerts go to a webhook", hint="write it as webhook:https://host/path")
    from cauce.stream.sinks.webhook import Hook

    secret = opening.settings.webhook_secret
    url = urlunsplit(place.url._replace(scheme=""))
    return Hook(url, None if secret is None else secret.get_secret_value(), opening.patience)
