"""The pointers: where each stands is its latest move, and a move names the generation that it was made from."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from cauce.errors import PointerMoved, Quarantined
from cauce.registry.records import Move, Verdict, now

Standing = tuple[str, str, Move]

FIELDS = "generation, version, action, actor, reason, time"


def current(connection: sqlite3.Connection, name: str, alias: str) -> Move | None:
    """The latest move of a pointer; None where it was never set."""
    found = connection.execute(
        f"SELECT {FIELDS} FROM move WHERE name = ? AND alias = ? ORDER BY generation DESC LIMIT 1",  # noqa: S608  (constants)
        (name, alias),
    ).fetchone()
    return _move(found) if found else None


def history(connection: sqlite3.Connection, name: str, alias: str) -> list[Move]:
    """Every move of a pointer, the first one first."""
    rows = connection.execute(
        f"SELECT {FIELDS} FROM move WHERE name = ? AND alias = ? ORDER BY generation",  # noqa: S608  (constants)
        (name, alias),
    )
    return [_move(row) for row in rows]


def standing(connection: sqlite3.Connection, *, name: str | None = None, version: str | None = None) -> list[Standing]:
    """Name, alias and latest move of every pointer: those of a name, or those that name a version."""
    rows = connection.execute(
        f"""SELECT first.name, first.alias, {", ".join(f"latest.{field}" for field in FIELDS.split(", "))}
            FROM move AS first INDEXED BY first_move
            CROSS JOIN move AS latest ON latest.name = first.name AND latest.alias = first.alias AND latest.generation =
                (SELECT max(generation) FROM move WHERE name = first.name AND alias = first.alias)
            WHERE first.generation = 1 AND latest.version IS NOT NULL
                AND (? IS NULL OR first.name = ?) AND (? IS NULL OR latest.version = ?)""",  # noqa: S608  (constants)
        (name, name, version, version),
    )
    return [(str(row[0]), str(row[1]), _move(row[2:])) for row in rows]


def move(
    connection: sqlite3.Connection,
    name: str,
    alias: str,
    version: str | None,
    *,
    expect: int,
    action: str,
    actor: str,
    reason: str,
) -> Move:
    """Move a pointer from generation `expect` (0: never set) to the next. A version where it stands already moves nothing.

    Raises:
        PointerMoved: it stands at another generation.
        Quarantined: the version may not serve.

    """
    latest = current(connection, name, alias)
    generation = latest.generation if latest else 0
    if generation != expect:
        stands = f"at generation {generation}, moved by {latest.actor} at {latest.time}" if latest else "not set"
        raise PointerMoved(
            f"the {alias} of {name} is {stands}; generation {expect} was expected",
            hint=f"see `cauce models history {name}`, and decide anew",
        )
    if latest and latest.version == version:
        return latest
    if version is not None and (verdict := quarantine(connection, version)):
        raise Quarantined(
            f"{name}@{version[:12]} is in quarantine since {verdict.time}: {verdict.reason}",
            hint=f"promote another version, or release it: cauce models quarantine {name}@{version[:12]} --release --reason …",
        )
    made = Move(generation=generation + 1, version=version, action=action, actor=actor, reason=reason, time=now())
    connection.execute(
        "INSERT INTO move VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (name, alias, made.generation, version, action, actor, reason, made.time),
    )
    return made


def quarantine(connection: sqlite3.Connection, version: str) -> Verdict | None:
    """The verdict that keeps a version from serving."""
    found = connection.execute(
        "SELECT quarantined, actor, reason, time FROM verdict WHERE version = ? ORDER BY number DESC LIMIT 1", (version,)
    ).fetchone()
    return Verdict(actor=found[1], reason=found[2], time=found[3]) if found and found[0] else None


def earlier(moves: Sequence[Move]) -> Iterable[str]:
    """The versions to go back to, the nearest first: as an editor undoes, a second rollback goes one further back."""
    trail: list[str] = []
    for one in moves:
        if one.version is None:
            trail.clear()
        elif one.action == "promote":
            trail.append(one.version)
        else:
            while trail and trail[-1] != one.version:
                trail.pop()
    now_there = moves[-1].version if moves else None
    return [version for version in reversed(trail) if version != now_there]


def _move(row: Sequence[object]) -> Move:
    generation, version, action, actor, reason, time = row
    return Move(
        generation=int(str(generation)),
        version=None if version is None else str(version),
        action=str(action),
        actor=str(actor),
        reason=str(reason),
        time=str(time),
    )
