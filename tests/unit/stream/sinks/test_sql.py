"""Results in a table: one row for each thing, its last revision, in SQLite and in a real PostgreSQL."""

from __future__ import annotations

import itertools
import json
import os
import resource
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from brokers import own_postgres, schema
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row

from cauce.errors import AccessDenied, BrokerGone, CannotWrite, InputError, StorageFull, UnreadableData
from cauce.model.model import echo_model
from cauce.settings import Stream
from cauce.stream import places
from cauce.stream.contract import Sink
from cauce.stream.deliveries import Deliveries
from cauce.stream.key import keys_of
from cauce.stream.message import Document
from cauce.stream.messages import read
from cauce.stream.patience import Patience
from cauce.stream.results import Results
from cauce.stream.schemes import Opening
from cauce.stream.sinks import database

LOCAL = "postgresql://postgres@127.0.0.1/test"


def results(messages: Sequence[Document], *, source: str = "posts", version: str = "", **predicted: Any) -> Results:
    """What a worker makes of messages; `predicted` replaces parts of the answers."""
    model, data = echo_model(), [json.dumps(one).encode() for one in messages]
    deliveries = Deliveries.of(source, data, [f"place-{n}" for n in range(len(data))])
    found = read(deliveries.data, 1 << 20, "text")
    assert not found.codes.any()
    answers = replace(model.predict([text or "-" for text in found.texts.to_pylist()]), **predicted)
    keys = keys_of(deliveries.source, deliveries.places, found, version)
    return Results(model, deliveries, found, keys, answers, np.arange(len(data)))


def sink(address: str, wait: float = 0) -> Sink[Results]:
    return places.sink(address, Opening(Stream(), Patience(wait, lambda line: None, threading.Event())))


@dataclass
class Table:
    """A table that is not there yet.

    Attributes:
        rows: what is in it.
        run: a statement on its database.

    """

    address: str
    name: str
    rows: Callable[[], list[Document]]
    run: Callable[[str], object]

    def write(self, *batches: Sequence[Document], **how: Any) -> None:
        with closing(sink(self.address)) as opened:
            for batch in batches:
                opened.write(results(batch, **how))


def in_sqlite(folder: Path) -> Table:
    path = folder / "a b.db"

    def run(statement: str) -> list[Document]:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(statement)]

    def rows() -> list[Document]:
        found = run("SELECT * FROM scored ORDER BY id")
        decoded = ("labels", "scores", "other")
        return [{**one, **{name: one[name] and json.loads(one[name]) for name in decoded}} for one in found]

    return Table(f"sql:sqlite:///{folder}/a%20b.db?table=scored", "scored", rows, run)


def in_postgresql(name: str) -> Table:
    def run(statement: str) -> psycopg.Cursor[Document]:
        with psycopg.connect(LOCAL, autocommit=True, row_factory=dict_row) as connection:
            return connection.execute(statement)

    table = f"{name}.scored"
    return Table(f"sql:{LOCAL}?table={table}", table, lambda: run(f"SELECT * FROM {table} ORDER BY id").fetchall(), run)


@pytest.fixture(params=["sqlite", "postgresql"])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Table]:
    if request.param == "sqlite":
        yield in_sqlite(tmp_path)
    else:
        with schema() as name:
            yield in_postgresql(name)


def test_a_result_is_a_row(table: Table) -> None:
    table.write([{"id": "a1", "text": "me encanta 🙂", "created_at": "2026-11-18", "user": {"name": "eva"}}, {"text": "x"}])
    expected = echo_model().predict(["me encanta 🙂"])[0]
    (row,) = [one for one in table.rows() if one["id"] == "a1"]
    scored_at = row.pop("scored_at")
    scored_at = datetime.fromisoformat(scored_at) if isinstance(scored_at, str) else scored_at
    assert abs((datetime.now(UTC) - scored_at).total_seconds()) < 60
    assert len(row.pop("about")) == len(row.pop("key")) == 32
    assert row.pop("score") == pytest.approx(expected.score, abs=1e-6)
    assert row.pop("scores") == pytest.approx(expected.scores, abs=1e-6)
    assert row == {
        "id": "a1", "rev": 0, "op": "upsert", "text": "me encanta 🙂", "created_at": "2026-11-18", "label": expected.label,
        "labels": None, "truncated": False, "model": "echo", "version": echo_model().version, "variant": "echo",
        "other": {"user": {"name": "eva"}},
    }  # fmt: skip
    assert len(table.rows()) == 2


def test_several_labels_and_none(table: Table) -> None:
    few, many = echo_model().labels
    scores = np.array([[0.9, 0.8], [0.1, 0.2]], np.float32)
    batch: list[Document] = [{"id": "1", "text": "a"}, {"id": "2", "text": "b"}]
    table.write(batch, task="multilabel", thresholds=(0.5, 0.5), scores=scores)
    assert [(one["labels"], one["score"]) for one in table.rows()] == [
        ([few, many], pytest.approx(0.9)),
        ([], pytest.approx(0.2)),
    ]
    table.write([{"id": "1", "text": "a", "rev": 1}], task="regression", scores=scores[:1])
    assert [one["label"] for one in table.rows()] == [None, many]


@pytest.mark.parametrize("together", [True, False])
def test_the_last_revision_stays(table: Table, together: bool) -> None:
    batch: list[Document] = [
        {"id": "a", "text": "first"},
        {"id": "a", "text": "third", "rev": 2},
        {"id": "a", "text": "second", "rev": 1},
        {"id": "b", "text": "alone", "rev": -5},
    ]
    table.write(*([batch] if together else [[one] for one in batch]))
    assert [(one["id"], one["rev"], one["text"]) for one in table.rows()] == [("a", 2, "third"), ("b", -5, "alone")]


def test_what_was_deleted_is_gone_and_an_older_message_does_not_bring_it_back(table: Table) -> None:
    table.write([{"id": "a", "text": "secret", "user": "eva", "rev": 3}])
    table.write([{"id": "a", "op": "delete", "rev": 3, "text": "secret", "user": "eva"}])
    table.write([{"id": "a", "text": "secret", "user": "eva", "rev": 3}, {"id": "a", "text": "secret", "rev": 1}])
    (row,) = table.rows()
    assert (row["op"], row["rev"]) == ("delete", 3)
    assert {row[name] for name in ("text", "label", "score", "scores", "truncated")} == {None}
    assert row["other"] is None
    table.write([{"id": "a", "text": "new", "rev": 4}])
    assert [(one["op"], one["text"]) for one in table.rows()] == [("upsert", "new")]


def test_the_same_batch_again_changes_nothing(table: Table) -> None:
    batch: list[Document] = [{"id": "a", "text": "x"}, {"id": "b", "op": "delete"}]
    table.write(batch)
    before = table.rows()
    table.write(batch, batch)
    assert table.rows() == before


def test_another_version_s_answer_replaces_that_of_the_same_revision(table: Table) -> None:
    table.write([{"id": "a", "text": "x", "rev": 1}], version="one")
    first = table.rows()[0]["key"]
    table.write([{"id": "a", "text": "x", "rev": 1}], version="two")
    assert [one["key"] != first for one in table.rows()] == [True]
    table.write([{"id": "a", "text": "x", "rev": 0}], version="three")
    assert table.rows()[0]["rev"] == 1


def test_one_id_of_two_sources_is_two_things(table: Table) -> None:
    table.write([{"id": "a", "text": "x"}], source="posts")
    table.write([{"id": "a", "text": "y"}], source="replies")
    assert sorted(one["text"] for one in table.rows()) == ["x", "y"]


STEPS = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(-1, 3), st.sampled_from(["upsert", "delete"])), min_size=1, max_size=12
)


def test_in_whatever_order_revisions_and_deletions_come_the_last_one_stays(table: Table) -> None:
    @settings(max_examples=50)
    @given(steps=STEPS, data=st.data())
    def holds(steps: list[tuple[str, int, str]], data: st.DataObject) -> None:
        source = os.urandom(8).hex()  # each example has things of its own
        come = data.draw(st.permutations([*steps, *data.draw(st.lists(st.sampled_from(steps)))]))
        messages = [{"id": f"{source}-{one}", "rev": rev, "op": op, "text": f"{one} {rev}"} for one, rev, op in come]
        cuts = sorted(data.draw(st.sets(st.integers(1, len(come)))))
        for start, end in itertools.pairwise([0, *cuts, len(come)]):
            opened.write(results(messages[start:end], source=source))
        expected: dict[str, tuple[int, bool]] = {}
        for one, rev, op in steps:
            expected[one] = max(expected.get(one, (rev, False)), (rev, op == "delete"))
        found = {one["id"][-1]: one for one in table.rows() if one["id"].startswith(source)}
        assert {one: (row["rev"], row["op"] == "delete") for one, row in found.items()} == expected
        texts = {one: None if gone else f"{one} {rev}" for one, (rev, gone) in expected.items()}
        assert {one: row["text"] for one, row in found.items()} == texts

    with closing(sink(table.address)) as opened:
        holds()


def test_odd_texts_arrive(table: Table) -> None:
    deep: Any = "bottom"
    for _ in range(150):
        deep = [deep]
    odd = "it's \"odd\" \\ %s %(rows)s :rows {} ñ 🙂 \n\t \u2028 '; DROP TABLE scored; --"
    batch: list[Document] = [
        {"id": "1", "text": odd, odd: [odd, None, 1e300, -0.0, 12345678901234567890]},
        {"id": "2\0", "text": "a\0b", "other": "\0\u0001", "created_at": "\0"},
        {"id": "3", "text": "x", "deep": deep},
        {"id": "4" * 5000, "text": "long", "created_at": "5" * 5000},
    ]
    table.write(batch)
    rows = table.rows()
    assert rows[0]["text"] == odd
    assert rows[0]["other"] == {odd: [odd, None, 1e300, -0.0, 12345678901234567890]}
    assert (rows[1]["id"], rows[1]["text"], rows[1]["created_at"]) == (
        "2\N{REPLACEMENT CHARACTER}",
        "a\N{REPLACEMENT CHARACTER}b",
        "\N{REPLACEMENT CHARACTER}",
    )
    assert rows[1]["other"] == {"other": "\0\u0001"}
    assert rows[2]["other"] == {"deep": deep}
    assert len(rows[3]["id"]) == len(rows[3]["created_at"]) == 5000


def test_workers_that_write_the_same_things_at_once_do_not_get_into_each_other_s_way(table: Table) -> None:
    """They also make the table at once."""
    failed: list[BaseException] = []
    barrier = threading.Barrier(3)

    def work(seed: int) -> None:
        try:
            order = np.random.default_rng(seed).permutation(200)
            batches = [results([{"id": int(n), "text": "x", "rev": rev} for n in order]) for rev in range(5)]
            barrier.wait()
            with closing(sink(table.address, wait=30)) as opened:
                for batch in batches:
                    opened.write(batch)
        except BaseException as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not failed
    assert [one["rev"] for one in table.rows()] == [4] * 200


def test_a_table_of_another_kind_is_left_alone(table: Table) -> None:
    table.write([{"id": "a", "text": "x"}])
    table.run(f"ALTER TABLE {table.name} DROP COLUMN rev")
    with pytest.raises(InputError, match='the table "scored" has no rev'):
        sink(table.address)
    table.run(f"DROP TABLE {table.name}")
    table.run(f"CREATE TABLE {table.name} (about TEXT, {', '.join(f'{name} TEXT' for name in COLUMNS)})")
    with pytest.raises(InputError, match="primary key"):
        sink(table.address)


COLUMNS = (
    "key", "id", "rev", "op", "text", "created_at", "label", "labels", "score", "scores", "truncated", "model", "version",
    "variant", "other", "scored_at",
)  # fmt: skip


def test_a_table_with_more_columns_will_do_and_one_that_takes_no_results_says_why(table: Table) -> None:
    table.write([{"id": "a", "text": "x"}])
    table.run(f"ALTER TABLE {table.name} ADD COLUMN note TEXT")
    table.write([{"id": "b", "text": "y"}])
    assert [one["note"] for one in table.rows()] == [None, None]
    with closing(sink(table.address)) as opened:
        table.run(f"DROP TABLE {table.name}")
        with pytest.raises(InputError, match="takes no results") as told:
            opened.write(results([{"id": "c", "text": "private words"}]))
        assert "private" not in str(told.value)


def test_a_table_that_others_lock_is_waited_for_but_not_in_silence(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "LOCKED_SECONDS", 0.2)
    monkeypatch.setattr(database, "SQLITE", {"timeout": 0.2})
    told: list[str] = []
    opened = places.sink(table.address, Opening(Stream(), Patience(60, told.append, threading.Event())))
    opened.write(results([{"id": "a", "text": "x"}]))
    if "sqlite" in table.address:
        holder: Any = sqlite3.connect(table.address.partition("///")[2].partition("?")[0].replace("%20", " "))
        holder.execute("BEGIN IMMEDIATE")
    else:
        holder = psycopg.connect(LOCAL)
        holder.execute(f"LOCK TABLE {table.name}")
    writer = threading.Thread(target=opened.write, args=[results([{"id": "b", "text": "y"}])])
    writer.start()
    time.sleep(0.7)
    holder.rollback()
    holder.close()
    writer.join()
    opened.close()
    assert len(table.rows()) == 2
    assert "trying again" in told[0]


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("sql:", "names nothing"),
        ("sql:scored.db", "cannot read the address"),
        ("sql:mysql://root:hunter2@host/db", '"mysql" is no database'),
        ("sql:postgres://u:hunter2@host/db", '"postgres" is no database'),
        ("sql:sqlite://", "names no database"),
        ("sql:postgresql://u:hunter2@host", "names no database"),
        ("sql:postgresql://u:hunter2@host:port/db", "cannot read the address"),
        ("sql:sqlite:///x.db?sslmode=require", "has no option sslmode"),
        ("sql:sqlite:///x.db?tabel=scored", 'has no option "tabel"'),
        ("sql:sqlite:///x.db?table=", "is no name of a table"),
        (f"sql:sqlite:///x.db?table={'x' * 64}", "is no name of a table"),
        ("sql:postgresql://u:hunter2@127.0.0.1/db?sslmode=odd", "invalid sslmode"),
    ],
)
def test_an_address_that_cannot_be_meant_is_refused(
    address: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=told) as error:
        sink(address)
    assert "hunter2" not in f"{error.value} {error.value.hint}"
    assert error.value.hint


def test_a_file_that_is_no_database_or_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("these are notes " * 100)
    with pytest.raises(UnreadableData, match="no SQLite database"):
        sink(f"sql:sqlite:///{tmp_path}/notes.db")
    with pytest.raises(CannotWrite, match="cannot write"):
        sink(f"sql:sqlite:///{tmp_path}/none/scored.db")
    with pytest.raises(CannotWrite, match="cannot write"):
        sink("sql:sqlite:////proc/version")


def test_a_full_disk_ends_the_work_and_what_was_there_stays(tmp_path: Path) -> None:
    table = in_sqlite(tmp_path)
    table.write([{"id": "a", "text": "x"}])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with closing(sink(table.address)) as opened:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        try:
            with pytest.raises(StorageFull, match="no space left"):
                opened.write(results([{"id": n, "text": "x" * 1000} for n in range(500)]))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [one["id"] for one in table.rows()] == ["a"]


def test_nothing_of_a_deleted_text_is_left_in_the_file(tmp_path: Path) -> None:
    table = in_sqlite(tmp_path)
    table.write([{"id": n, "text": f"secret words {n}"} for n in range(100)])
    assert b"secret words" in (tmp_path / "a b.db").read_bytes()
    table.write([{"id": n, "op": "delete"} for n in range(100)])
    assert b"secret words" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_who_may_not_write_is_told_so() -> None:
    with schema() as name, psycopg.connect(LOCAL, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN")
        try:
            with pytest.raises(AccessDenied, match="permission denied"):
                sink(f"sql:postgresql://{name}@127.0.0.1/test?table={name}.scored")
        finally:
            connection.execute(f"DROP ROLE {name}")
    with pytest.raises(AccessDenied, match="does not exist"):
        sink("sql:postgresql://postgres@127.0.0.1/cauce_no_such_database")


def test_a_server_that_goes_away_and_comes_back() -> None:
    with pytest.raises(BrokerGone, match="host"):  # a resolver may be gone too
        sink("sql:postgresql://u@cauce.invalid/db")
    with own_postgres() as server:
        good, bad = (
            f"sql:postgresql://postgres:{password}@127.0.0.1:{server.port}/postgres" for password in ("se%2Fcret", "wr%2Fong")
        )
        with pytest.raises(BrokerGone, match=rf"127.0.0.1:{server.port}/postgres cannot be used"):
            sink(good)
        server.start()
        for refused in (bad, good.replace(":se%2Fcret", "")):
            with pytest.raises(AccessDenied, match="refuses") as told:
                sink(refused, wait=60)
            assert "wr/ong" not in f"{told.value} {told.value.hint}"
        notes: list[str] = []
        with closing(places.sink(good, Opening(Stream(), Patience(60, notes.append, threading.Event())))) as opened:
            opened.write(results([{"id": 0, "text": "before"}]))
            for n, how in enumerate(["fast", "immediate"], 1):
                server.stop(how)
                writer = threading.Thread(target=opened.write, args=[results([{"id": n, "text": how}])])
                writer.start()
                time.sleep(0.3)
                server.start()
                writer.join(30)
                assert not writer.is_alive()
        assert "back" in notes[-1]
        assert "se/cret" not in "".join(notes)
        with psycopg.connect(good.removeprefix("sql:")) as connection:
            assert connection.execute("SELECT text FROM scored ORDER BY id").fetchall() == [
                ("before",),
                ("fast",),
                ("immediate",),
            ]
