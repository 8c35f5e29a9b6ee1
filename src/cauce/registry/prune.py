"""Taking away the folders of versions that nobody will ask for again."""

from __future__ import annotations

import shutil
import sqlite3
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cauce.errors import writing
from cauce.faults import fault
from cauce.registry import catalog
from cauce.registry.records import Version, now, stamp
from cauce.registry.registry import Registry

STALE_SECONDS = 86_400  # a copy that nobody finished in a day


def prune(registry: Registry, *, name: str | None = None, keep: int = 5, days: int = 30, dry_run: bool = True) -> list[Version]:
    """Remove the folders of old versions, and what killed processes left. Rows and history stay.

    Kept is every version that a pointer names, or named within the last days, and the newest of each name.

    Args:
        name: only versions that no other name has.
        keep: how many of the newest of each name stay.
        days: how long a version stays after it was pointed at.
        dry_run: say what would go, and touch nothing.

    Returns:
        The versions that went, or would.

    Raises:
        UnknownName: no such name.
        CannotWrite, InUse

    """
    since = stamp(datetime.now(UTC) - timedelta(days=days))
    if dry_run:
        with registry.database.reading() as connection:
            return _superfluous(connection, registry.folders, name, keep, since)
    with writing(registry.room, instead="CAUCE_HOME"):
        with registry.database.writing() as connection:
            going = _superfluous(connection, registry.folders, name, keep, since)
            for version in going:
                connection.execute("UPDATE version SET pruned = ? WHERE version = ?", (now(), version.version))
        fault("registry.pruned")
        _sweep(registry)
    return going


def _superfluous(connection: sqlite3.Connection, folders: Path, name: str | None, keep: int, since: str) -> list[Version]:
    if name is not None:
        catalog.check_known(connection, name)
    needed = _pointed_at(connection, since)
    candidates = []
    for each in catalog.names(connection):
        versions = [version for version in catalog.versions(connection, folders, each) if not version.pruned]
        newest = versions[len(versions) - keep :] if keep < len(versions) else versions
        needed |= {version.version for version in (newest if name in (None, each) else versions)}
        candidates += versions
    return [version for version in candidates if version.version not in needed]


def _pointed_at(connection: sqlite3.Connection, since: str) -> set[str]:
    """What the pointers name, and what they named at any moment since then."""
    rows = connection.execute(
        """SELECT version FROM (
               SELECT version, lead(time) OVER (PARTITION BY name, alias ORDER BY generation) AS until FROM move)
           WHERE version IS NOT NULL AND (until IS NULL OR until >= ?)""",
        (since,),
    )
    return {version for (version,) in rows}


def _sweep(registry: Registry) -> None:
    """Remove folders that have no living row, and copies that were never finished.

    Folders are taken out of their place inside a transaction, so none goes that is being registered.
    """
    with registry.database.writing() as connection:
        living = {version for (version,) in connection.execute("SELECT version FROM version WHERE pruned IS NULL")}
        for path in list(registry.folders.iterdir()):
            if not path.name.startswith(".") and path.name not in living:
                path.rename(path.with_name(f".gone-{path.name}"))
        fault("registry.sweeping")
    for path in registry.folders.glob(".*"):
        if path.name.startswith(".gone-") or path.stat().st_mtime < time.time() - STALE_SECONDS:
            shutil.rmtree(path, ignore_errors=True)
