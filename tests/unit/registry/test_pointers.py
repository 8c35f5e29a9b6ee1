"""Pointers against a plain list of what was undone and what was not."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cauce.errors import PointerMoved
from cauce.registry import catalog, pointers
from cauce.registry.schema import STEPS

VERSIONS = [letter * 64 for letter in "abcd"]


@pytest.fixture
def tables() -> Iterator[sqlite3.Connection]:
    with closing(empty()) as connection:
        yield connection


def empty() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for statement in (statement for step in STEPS for statement in step):
        connection.execute(statement)
    for version in VERSIONS:
        connection.execute("INSERT INTO version VALUES (?, NULL)", (version,))
        connection.execute("INSERT INTO registration VALUES ('m', ?, 't', 'ana', '/x')", (version,))
    return connection


def move(connection: sqlite3.Connection, version: str | None, action: str, expect: int | None = None) -> pointers.Move:
    latest = pointers.current(connection, "m", "champion")
    generation = (latest.generation if latest else 0) if expect is None else expect
    return pointers.move(connection, "m", "champion", version, expect=generation, action=action, actor="ana", reason="")


@given(st.lists(st.one_of(st.sampled_from(VERSIONS), st.none()), max_size=30))
def test_rollbacks_undo_promotions_in_order(steps: list[str | None]) -> None:
    """None stands for a rollback."""
    expected: list[str] = []
    with closing(empty()) as connection:
        generation = 0
        for step in steps:
            moves = pointers.history(connection, "m", "champion")
            earlier = list(pointers.earlier(moves))
            if step is not None:
                if not expected or expected[-1] != step:
                    expected.append(step)
                    generation += 1
                move(connection, step, "promote")
            elif earlier:
                while expected[-1] == moves[-1].version:
                    expected.pop()
                assert earlier[0] == expected[-1]
                move(connection, earlier[0], "rollback")
                generation += 1
            else:
                assert len(set(expected)) <= 1
            latest = pointers.current(connection, "m", "champion")
            assert (latest.version if latest else None) == (expected[-1] if expected else None)
            assert (latest.generation if latest else 0) == generation
        assert [one.generation for one in pointers.history(connection, "m", "champion")] == [*range(1, generation + 1)]


def test_a_move_from_another_generation_is_refused(tables: sqlite3.Connection) -> None:
    move(tables, VERSIONS[0], "promote", expect=0)
    for expect in (0, 2):
        with pytest.raises(PointerMoved, match=f"generation 1, moved by ana .*; generation {expect} was expected"):
            move(tables, VERSIONS[1], "promote", expect=expect)
    assert len(pointers.history(tables, "m", "champion")) == 1


def test_the_table_itself_refuses_a_second_move_of_one_generation(tables: sqlite3.Connection) -> None:
    move(tables, VERSIONS[0], "promote")
    with pytest.raises(sqlite3.IntegrityError):
        tables.execute("INSERT INTO move VALUES ('m', 'champion', 1, ?, 'promote', 'eve', '', 't')", (VERSIONS[1],))


def test_the_latest_verdict_counts(tables: sqlite3.Connection) -> None:
    assert pointers.quarantine(tables, VERSIONS[0]) is None
    catalog.judge(tables, VERSIONS[0], "ana", "bad", quarantined=True)
    found = pointers.quarantine(tables, VERSIONS[0])
    assert found is not None
    assert (found.actor, found.reason) == ("ana", "bad")
    catalog.judge(tables, VERSIONS[0], "ana", "fine after all", quarantined=False)
    assert pointers.quarantine(tables, VERSIONS[0]) is None


def test_the_pointer_is_read_through_its_index(tables: sqlite3.Connection) -> None:
    asked: list[str] = []
    tables.set_trace_callback(asked.append)
    pointers.current(tables, "m", "champion")
    plan = tables.execute(f"EXPLAIN QUERY PLAN {asked[0]}").fetchall()
    assert "SEARCH move USING" in str(plan)
    assert "TEMP B-TREE" not in str(plan)
