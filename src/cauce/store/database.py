"""A SQLite file under `CAUCE_HOME`: opened for one transaction, brought to the newest schema, its errors turned into ours."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from cauce.errors import CannotWrite, DatabaseDamaged, InUse, NewerFormat, StorageFull, Unavailable, writing

BUSY_SECONDS = 10.0  # how long a transaction waits for another process's

Steps = Sequence[Sequence[str]]


class Database:
    """Tables that many processes read and write. Each transaction has a connection of its own, so threads and forks share this.

    Args:
        path: the file; made, with its folder, by the first transaction that writes.
        steps: the SQL statements that lead from each schema to the next. A step that was released is never changed.

    """

    def __init__(self, path: Path, steps: Steps) -> None:
        self.path, self._steps = path, steps

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One consistent view. A file that is not there reads as empty tables.

        Raises:
            NewerFormat: a later Cauce wrote it.
            DatabaseDamaged, InUse, CannotWrite, Unavailable

        """
        with self._translated():
            if not self.path.exists():
                with closing(sqlite3.connect(":memory:", isolation_level=None)) as empty:
                    self._upgrade(empty, 0)
                    yield empty
                return
            with closing(self._open()) as connection:
                connection.execute("BEGIN")
                yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that no other writes during; committed at the end, undone on any error.

        Raises:
            NewerFormat: a later Cauce wrote it.
            DatabaseDamaged, InUse, CannotWrite, StorageFull, Unavailable

        """
        with writing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._translated(), closing(self._open()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep the file open meanwhile: a write then waits for the disk once. Whoever closes it last waits several times."""
        with self._translated(), closing(self._open()):
            yield

    def _open(self) -> sqlite3.Connection:
        connection = self._connect()
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA synchronous = FULL")  # a commit outlives a power cut
            if (schema := self._schema(connection)) < len(self._steps):
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("BEGIN IMMEDIATE")
                self._upgrade(connection, self._schema(connection))  # another process may have done it meanwhile
                connection.execute("COMMIT")
            elif schema > len(self._steps):
                raise NewerFormat(
                    f"{self.path.name} has schema {schema}, this Cauce reads up to {len(self._steps)}",
                    where=str(self.path),
                    hint="update Cauce: pip install --upgrade cauce",
                )
        except BaseException:
            connection.close()
            raise
        return connection

    def _connect(self) -> sqlite3.Connection:
        """The file, read alone where its folder is read-only.

        SQLite cannot make the two files beside a WAL there. Where they are missing nobody writes: the file stands for itself.
        """
        if os.access(self.path.parent, os.W_OK) and (not self.path.exists() or os.access(self.path, os.W_OK)):
            return sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
        alone = not self.path.with_name(f"{self.path.name}-wal").exists()
        address = f"{self.path.absolute().as_uri()}?mode=ro{'&immutable=1' if alone else ''}"
        return sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, isolation_level=None)

    def _schema(self, connection: sqlite3.Connection) -> int:
        (schema,) = connection.execute("PRAGMA user_version").fetchone()
        return int(schema)

    def _upgrade(self, connection: sqlite3.Connection, schema: int) -> None:
        for step in self._steps[schema:]:
            for statement in step:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(self._steps)}")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the kind
            if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise InUse(f"{self.path} is held by another process", hint="try again in a moment") from error
            if code == sqlite3.SQLITE_FULL:
                raise StorageFull(f"no space left to write {self.path}", hint="free some space") from error
            if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH):
                hint = "set CAUCE_HOME to a folder that you may write to"
                raise CannotWrite(f"cannot write {self.path}: {error}", hint=hint) from error
            if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                hint = "restore the file from a backup, or move it away to start anew"
                raise DatabaseDamaged(f"{self.path.name}: {error}", where=str(self.path), hint=hint) from error
            if code == sqlite3.SQLITE_IOERR:
                raise Unavailable(f"cannot use {self.path}: {error}", hint="look after the disk, then try again") from error
            raise
