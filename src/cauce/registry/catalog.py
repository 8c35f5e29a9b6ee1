"""The names and the versions that they have: rows of the registry's database."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from cauce.errors import UnknownName, nearest
from cauce.registry import pointers
from cauce.registry.names import Reference
from cauce.registry.records import Version, now

SHOWN = 10  # names in a hint


def names(connection: sqlite3.Connection) -> list[str]:
    """Every name that has a version."""
    return [name for (name,) in connection.execute("SELECT DISTINCT name FROM registration ORDER BY name")]


def check_known(connection: sqlite3.Connection, name: str) -> None:
    """Refuse a name without a version.

    Raises:
        UnknownName: with the nearest name.

    """
    if connection.execute("SELECT 1 FROM registration WHERE name = ? LIMIT 1", (name,)).fetchone():
        return
    known = names(connection)
    listed = f"registered are: {', '.join(known[:SHOWN])}" if known else "register one: cauce models register NAME FOLDER"
    raise UnknownName(f'no model is registered as "{name}"', hint=nearest(name, known) or listed)


def versions(connection: sqlite3.Connection, folders: Path, name: str, prefix: str = "") -> list[Version]:
    """The versions of a name that begin with `prefix`, in the order in which they came."""
    aliases: dict[str | None, list[str]] = {}
    for _, alias, latest in pointers.standing(connection, name=name):
        aliases.setdefault(latest.version, []).append(alias)
    rows = connection.execute(
        """SELECT version, source, time, actor, pruned FROM registration JOIN version USING (version)
           WHERE name = ? AND version >= ? AND version < ? ORDER BY registration.rowid""",
        (name, prefix, f"{prefix}g"),  # g: after every hexadecimal digit
    ).fetchall()
    return [
        Version(
            name=name,
            version=version,
            folder=folders / version,
            source=source,
            time=time,
            actor=actor,
            aliases=tuple(aliases.get(version, ())),
            quarantine=pointers.quarantine(connection, version),
            pruned=pruned,
        )
        for version, source, time, actor, pruned in rows
    ]


def find(connection: sqlite3.Connection, folders: Path, reference: Reference) -> Version:
    """The version that a reference names.

    Raises:
        UnknownName: no such name, alias or version, or the beginning of several.

    """
    check_known(connection, reference.name)
    prefix: str | None = reference.which
    if not reference.is_prefix:
        latest = pointers.current(connection, reference.name, reference.which)
        prefix = latest.version if latest else None
    found = versions(connection, folders, reference.name, prefix) if prefix else []
    if len(found) > 1:
        several = ", ".join(one.version[:20] for one in found)
        raise UnknownName(f"{reference} names {len(found)} versions", hint=f"write more of it: {several}")
    if not found:
        raise _not_found(connection, reference)
    return found[0]


def enter(connection: sqlite3.Connection, name: str, version: str, actor: str, source: Path) -> bool:
    """Enter a version whose folder is there; True where the name did not have it."""
    connection.execute("INSERT INTO version VALUES (?, NULL) ON CONFLICT (version) DO UPDATE SET pruned = NULL", (version,))
    entered = connection.execute(
        "INSERT OR IGNORE INTO registration VALUES (?, ?, ?, ?, ?)", (name, version, now(), actor, str(source.absolute()))
    )
    return entered.rowcount == 1


def judge(connection: sqlite3.Connection, version: str, actor: str, reason: str, *, quarantined: bool) -> None:
    """Enter a verdict: into quarantine, or out of it."""
    connection.execute("INSERT INTO verdict VALUES (NULL, ?, ?, ?, ?, ?)", (version, quarantined, actor, reason, now()))


def _not_found(connection: sqlite3.Connection, reference: Reference) -> UnknownName:
    if reference.is_prefix:
        return UnknownName(
            f"{reference.name} has no version {reference.which}", hint=f"see `cauce models list {reference.name}`"
        )
    aliases = [alias for _, alias, _ in pointers.standing(connection, name=reference.name)]
    known = f"it has: {', '.join(aliases)}" if aliases else f"promote one first: cauce models promote {reference.name}@VERSION"
    return UnknownName(f'{reference.name} has no "{reference.which}"', hint=nearest(reference.which, aliases) or known)
