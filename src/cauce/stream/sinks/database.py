"""A database that results go to: opened, waited for while it is gone, its errors turned into ours."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import psycopg
import sqlalchemy as sa

from cauce.errors import (
    AccessDenied,
    BrokerGone,
    CannotWrite,
    CauceError,
    InputError,
    StorageFull,
    Unavailable,
    UnreadableData,
    nearest,
)  # fmt: skip
from cauce.stream.patience import Patience

T = TypeVar("T")
MAKING = 0xCA0CE  # the number of the lock in PostgreSQL for making tables
KINDS = ("sqlite", "postgresql")
FORM = "sqlite:///file.db or postgresql://user@host/database"
LOCKED_SECONDS = 10  # how long a transaction waits for another's
SQLITE = {"timeout": LOCKED_SECONDS}
POSTGRESQL = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # milliseconds until a server that vanished is given up
    "prepare_threshold": None,  # behind a pooler a prepared statement may be on another connection
}
FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE)  # the last two: a quota, a limit
# SQLSTATE: gone, read-only while it is replaced, deadlock, too much at once, locked, shut down.
WAITED_FOR = ("08", "25006", "40", "53", "55P03", "57")
DENIED = ("28", "42501")
# What is no use to wait for, where no SQLSTATE says so: while connecting.
REFUSED = re.compile(
    "authentication failed|no password|no pg_hba.conf entry|does not exist|not permitted|permission denied"
    "|invalid [a-z_]+ value|SSL was required|certificate verify failed"
)


class Database:
    """SQLite or PostgreSQL, which may be gone for a while.

    Args:
        url: `sqlite:///file.db` or `postgresql://[user[:password]@]host[:port]/database`, percent-encoded.
        options: of PostgreSQL's own library, such as `sslmode`.

    Attributes:
        name: what it is called in messages: never with its password.
        kind: `sqlite` or `postgresql`.

    Raises:
        InputError: the URL cannot be read.

    """

    def __init__(self, url: str, options: Mapping[str, str], patience: Patience) -> None:
        self._patience = patience
        try:
            read = sa.make_url(url)
        except (sa.exc.ArgumentError, ValueError):
            raise InputError("cannot read the address of the database", hint=f"write it as {FORM}") from None
        self.kind = read.drivername
        if self.kind not in KINDS:
            hint = nearest(self.kind, KINDS) or f"write it as {FORM}"
            raise InputError(f'"{self.kind}" is no database that results go to', hint=hint)
        if not read.database:
            raise InputError(f"the address of {self.kind} names no database", hint=f"write it as {FORM}")
        if self.kind == "sqlite" and options:
            raise InputError(f"sqlite: has no option {', '.join(options)}", hint="leave it out")
        place = f"{read.host or 'localhost'}:{read.port or 5432}/"
        self.name = f"{place if self.kind == 'postgresql' else ''}{read.database}"
        self._engine = _engine(read, options)

    def __call__(self, work: Callable[[sa.Connection], T]) -> T:
        """What the work returns, in one transaction. It may run twice: the answer of the first may have been lost.

        Raises:
            AccessDenied: a wrong password, or no right to what is done.
            BrokerGone: it cannot be used, for longer than `patience` waits.
            StorageFull, CannotWrite
            InputError: it cannot do what it is told.

        """
        return self._patience(lambda: self._translated(work))

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def _translated(self, work: Callable[[sa.Connection], T]) -> T:
        try:
            with self._engine.begin() as connection:
                return work(connection)
        except sa.exc.DBAPIError as error:
            cause = error.orig
            known = _of_sqlite(cause, self.name) if isinstance(cause, sqlite3.Error) else _of_postgresql(cause, self.name)
            raise known from None  # the cause may quote a text


def making(connection: sa.Connection) -> sa.Inspector:
    """What is there, while nobody else makes tables: in PostgreSQL `if not exists` fails for the second of two at once."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MAKING)))
    return sa.inspect(connection)


def _engine(url: sa.URL, options: Mapping[str, str]) -> sa.Engine:
    if url.drivername == "sqlite":
        engine = sa.create_engine(url, pool_size=1, max_overflow=0, hide_parameters=True, connect_args=SQLITE)
        sa.event.listen(engine, "connect", _safe)
    else:
        url = url.set(drivername="postgresql+psycopg", query=options)
        engine = sa.create_engine(url, pool_size=1, max_overflow=0, hide_parameters=True, connect_args=POSTGRESQL)
        sa.event.listen(engine, "begin", _hurried)
    return engine


def _safe(connection: Any, record: object) -> None:
    """A commit waits for the disk; readers do not wait for a writer; what is deleted is overwritten."""
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _hurried(connection: sa.Connection) -> None:
    """A lock that others hold is not waited for in silence."""
    connection.execute(sa.select(sa.func.set_config("lock_timeout", f"{LOCKED_SECONDS}s", True)))


def _of_sqlite(error: sqlite3.Error, name: str) -> CauceError:
    code = getattr(error, "sqlite_errorcode", 0)
    kind = code & 0xFF
    if kind in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return BrokerGone(f"{name} is locked by another process", hint="end what writes to it, or wait longer with --wait")
    if code in FULL:
        return StorageFull(f"no space left to write {name}: {error}", hint="free some space, or write elsewhere with --to")
    if kind in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH):
        return CannotWrite(f"cannot write {name}: {error}", hint="name a file that you may write to with --to")
    if kind in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return UnreadableData(f"{name} is no SQLite database, or a damaged one: {error}", hint="name another file with --to")
    if kind == sqlite3.SQLITE_IOERR:
        return Unavailable(f"cannot use {name}: {error}", hint="look after the disk, then run the same command again")
    return InputError(f"{name} takes no results: {error}", hint="name another table")


def _of_postgresql(error: BaseException | None, name: str) -> CauceError:
    state = getattr(error, "sqlstate", None) or ""
    # Of an error the server's first line is told: those below may quote a row.
    told = (isinstance(error, psycopg.Error) and error.diag.message_primary) or " ".join(str(error).split())
    if state == "53100":
        return StorageFull(f"no space left in the database {name}: {told}", hint="free some space there")
    if state.startswith(DENIED) or (not state and _refused(error, told)):
        hint = "see to user, password and rights: postgresql://user:password@host/database"
        return AccessDenied(f"the database {name} refuses: {told}", hint=hint)
    if not state or state.startswith(WAITED_FOR):
        return BrokerGone(f"the database {name} cannot be used: {told}", hint="start it, or wait longer with --wait")
    return InputError(f"the database {name} takes no results: {told}", hint="name another table")


def _refused(error: BaseException | None, told: str) -> bool:
    """Whether a connection was refused for good; the server may say so in another language than English."""
    tried = getattr(error, "pgconn", None)
    return bool(REFUSED.search(told)) or (tried is not None and bool(tried.used_password) and "FATAL" in told)
