"""A SQLite file of ours: whole transactions, one schema, and errors that say what to do."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from cauce.errors import CannotWrite, DatabaseDamaged, InUse, NewerFormat
from cauce.store import database
from cauce.store.database import Database

FIRST = (
    "CREATE TABLE a (b INTEGER PRIMARY KEY, c TEXT)",
    "CREATE TABLE d (b INTEGER NOT NULL REFERENCES a)",
)
SECOND = ("ALTER TABLE a ADD COLUMN e TEXT",)

WRITE = """
import sys
from pathlib import Path
from cauce.store.database import Database
table = Database(Path(sys.argv[1]), [["CREATE TABLE a (b INTEGER PRIMARY KEY, c TEXT)"]])
for _ in range(10):
    with table.writing() as connection:
        connection.execute("INSERT INTO a (c) VALUES (?)", (sys.argv[2],))
"""


def rows(base: Database) -> list[tuple[object, ...]]:
    with base.reading() as connection:
        return connection.execute("SELECT * FROM a").fetchall()


@pytest.fixture
def base(tmp_path: Path) -> Database:
    made = Database(tmp_path / "new" / "a.db", [FIRST])
    with made.writing() as connection:
        connection.execute("INSERT INTO a (c) VALUES ('x')")
    return made


def test_what_is_not_there_reads_as_empty_and_is_not_made(tmp_path: Path) -> None:
    assert rows(Database(tmp_path / "none" / "a.db", [FIRST, SECOND])) == []
    assert list(tmp_path.iterdir()) == []


def test_an_error_undoes_the_whole_transaction(base: Database) -> None:
    with pytest.raises(ValueError, match="stop"), base.writing() as connection:
        connection.execute("INSERT INTO a (c) VALUES ('y')")
        raise ValueError("stop")
    assert rows(base) == [(1, "x")]


def test_a_row_that_refers_to_nothing_is_refused(base: Database) -> None:
    with pytest.raises(sqlite3.IntegrityError), base.writing() as connection:
        connection.execute("INSERT INTO d VALUES (7)")


def test_an_older_file_is_brought_to_the_newest_schema_and_keeps_its_rows(base: Database) -> None:
    newer = Database(base.path, [FIRST, SECOND])
    assert rows(newer) == [(1, "x", None)]
    with pytest.raises(NewerFormat, match="schema 2, this Cauce reads up to 1") as caught:
        rows(base)
    assert "pip install" in caught.value.hint
    with pytest.raises(NewerFormat), base.writing():
        pass


def test_a_step_that_fails_leaves_the_old_schema(base: Database) -> None:
    with pytest.raises(sqlite3.OperationalError):
        rows(Database(base.path, [FIRST, (*SECOND, "no SQL")]))
    assert rows(base) == [(1, "x")]


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_text("not a database, and longer than the head of one would be" * 20)
    with pytest.raises(DatabaseDamaged, match=r"a\.db") as caught:
        rows(Database(tmp_path / "a.db", [FIRST]))
    assert caught.value.exit_code == 3


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.db").mkdir()
    with pytest.raises(CannotWrite):
        rows(Database(tmp_path / "a.db", [FIRST]))


def test_whoever_waits_too_long_is_told(base: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    with base.writing():
        assert rows(base) == [(1, "x")]  # readers do not wait
        with pytest.raises(InUse), base.writing():
            pass


def test_processes_that_make_the_file_at_once_lose_nothing(tmp_path: Path) -> None:
    started = [
        subprocess.Popen([sys.executable, "-c", WRITE, tmp_path / "made" / "a.db", str(number)], stderr=subprocess.PIPE)
        for number in range(6)
    ]
    said = [process.communicate(timeout=60)[1].decode() for process in started]
    assert [process.returncode for process in started] == [0] * 6, said
    with closing(sqlite3.connect(tmp_path / "made" / "a.db")) as connection:
        assert connection.execute("SELECT c, count(*) FROM a GROUP BY c").fetchall() == [(str(n), 10) for n in range(6)]
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
