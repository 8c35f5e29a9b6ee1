"""What workers share in a database: the counts of windows, the states of alerts, and the messages that are not sent yet."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateTable

from cauce.stream.sinks.database import Database, making
from cauce.stream.windows.outbox import Message
from cauce.stream.windows.tally import Cell

LEFT = timedelta(seconds=30)  # after which a message that no worker says it holds is another's to send
METADATA = sa.MetaData()
WINDOWS = sa.Table(
    "windows",
    METADATA,
    sa.Column("stream", sa.Text, primary_key=True),
    sa.Column("start", sa.DateTime(timezone=True), primary_key=True),
    sa.Column("seconds", sa.Integer, primary_key=True),
    sa.Column("term", sa.Text, primary_key=True),  # empty: of all texts
    sa.Column("label", sa.Text, primary_key=True),  # empty: of all results
    sa.Column("worker", sa.Text, primary_key=True),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Column("late", sa.BigInteger, nullable=False),
)
STATES = sa.Table(
    "window_alerts",
    METADATA,
    sa.Column("stream", sa.Text, primary_key=True),
    sa.Column("rule", sa.Text, primary_key=True),
    sa.Column("firing", sa.Boolean, nullable=False),
    sa.Column("until", sa.DateTime(timezone=True), nullable=False),  # the end of what was seen
    sa.Column("worker", sa.Text, nullable=False),
)
MESSAGES = sa.Table(
    "window_messages",
    METADATA,
    sa.Column("stream", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("held", sa.DateTime(timezone=True), nullable=False),  # when a worker said last that it sends it
)
TOTALS = """create view {}window_totals as
select stream, start, seconds, term, label, cast(sum(count) as bigint) as count, cast(sum(late) as bigint) as late
from windows group by stream, start, seconds, term, label"""


class Ledger:
    """The counts of one stream.

    Each worker has rows of its own, under a name that no worker has again: what it writes replaces what it wrote before, so a
    write may be repeated. The view `window_totals` adds the workers up.

    Args:
        stream: its name: workers that share it are added up.
        width: seconds of a window.

    Raises:
        InputError, AccessDenied, BrokerGone, CannotWrite, StorageFull

    """

    def __init__(self, database: Database, stream: str, width: int) -> None:
        self._database, self._stream, self._width, self._worker = database, stream, width, uuid4().hex[:12]
        insert: Callable[[sa.Table], Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}[database.kind]
        windows = insert(WINDOWS)
        new = {name: windows.excluded[name] for name in ("count", "late")}
        self._put = windows.on_conflict_do_update(index_elements=[*WINDOWS.primary_key.columns], set_=new)
        self._first = insert(STATES).on_conflict_do_nothing()
        self._keep = insert(MESSAGES).on_conflict_do_nothing()
        database(_make)

    def write(self, counts: Mapping[Cell, tuple[int, int]]) -> None:
        """Put what this worker has counted, and how much of it late, in place of what it put before."""
        mine = {"stream": self._stream, "worker": self._worker, "seconds": self._width}
        rows = [  # in one order for all workers: so none waits for another in a circle
            {**mine, "start": self._start(window), "term": term, "label": label, "count": count, "late": late}
            for (window, term, label), (count, late) in sorted(counts.items())
        ]
        if rows:
            self._database(lambda connection: connection.execute(self._put, rows))

    def counts(self, since: int) -> dict[Cell, int]:
        """What all workers have counted, from a window on."""
        table = WINDOWS.c
        asked = (
            sa.select(table.start, table.term, table.label, sa.func.sum(table["count"]))
            .where(table.stream == self._stream, table.seconds == self._width, table.start >= self._start(since))
            .group_by(table.start, table.term, table.label)
        )
        rows = self._database(lambda connection: connection.execute(asked).all())
        return {Cell(round(_utc(start).timestamp()) // self._width, term, label): int(n) for start, term, label, n in rows}

    def turn(self, rule: str, until: int, message: Message, *, firing: bool) -> bool:
        """Change the state of an alert, for what was seen before the window `until`, and keep the message until it is sent.

        Returns:
            whether it changed: not where another worker changed it already, or saw more.

        """
        mine = {"stream": self._stream, "rule": rule}
        new = {"firing": firing, "until": self._start(until), "worker": self._worker}
        never = {"firing": False, "until": datetime.fromtimestamp(0, UTC), "worker": ""}
        older = (STATES.c.firing != firing, STATES.c.until < new["until"])

        def turned(connection: sa.Connection) -> bool:
            connection.execute(self._first, mine | never)
            connection.execute(sa.update(STATES).filter_by(**mine).where(*older).values(new))
            # Asked for, not taken from the update: this may run again because the answer to its first commit was lost.
            changed = connection.scalar(sa.select(sa.func.count()).select_from(STATES).filter_by(**mine, **new)) == 1
            if changed:
                kept = {"stream": self._stream, **message._asdict(), "held": datetime.now(UTC)}
                connection.execute(self._keep, kept)
            return changed

        return self._database(turned)

    def left(self, held: Collection[str]) -> list[Message]:
        """Messages that nobody sends: their worker died, or gave up. From here on they are this worker's.

        Args:
            held: ids of those that this worker is sending already.

        """
        table, now = MESSAGES.c, datetime.now(UTC)
        own = sa.update(MESSAGES).where(table.stream == self._stream).values(held=now)
        others = own.where(table.held < now - LEFT).returning(table.body, table.id)

        def claimed(connection: sa.Connection) -> list[Message]:
            connection.execute(own.where(table.id.in_(held)))
            return [Message(*row) for row in connection.execute(others)]

        return self._database(claimed)

    def forget(self, ids: Collection[str]) -> None:
        """Messages that are over."""
        table = MESSAGES.c
        gone = sa.delete(MESSAGES).where(table.stream == self._stream, table.id.in_(ids))
        self._database(lambda connection: connection.execute(gone))

    def close(self) -> None:
        """Close the connections."""
        self._database.close()

    def _start(self, window: int) -> datetime:
        return datetime.fromtimestamp(max(0, window) * self._width, UTC)


def _utc(stamp: datetime) -> datetime:
    """SQLite keeps no zone."""
    return stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)


def _make(connection: sa.Connection) -> None:
    there, lite = making(connection), connection.dialect.name == "sqlite"
    for table in METADATA.sorted_tables:
        if not there.has_table(table.name):
            connection.execute(CreateTable(table, if_not_exists=True))
    if "window_totals" not in there.get_view_names():
        connection.execute(sa.text(TOTALS.format("if not exists " if lite else "")))
