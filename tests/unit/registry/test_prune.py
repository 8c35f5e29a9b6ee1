"""Only what nobody points at goes; rows and history stay."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from cauce import errors
from cauce.registry.prune import STALE_SECONDS, prune
from cauce.registry.registry import Registry


def gone(registry: Registry, **options: object) -> list[str]:
    return [version.version for version in prune(registry, **options)]  # type: ignore[arg-type]


def folders(registry: Registry) -> set[str]:
    return {path.name for path in registry.folders.iterdir()}


def test_a_dry_run_touches_nothing(filled: Registry) -> None:
    first, second, third = (version.version for version in filled.versions("m"))
    assert gone(filled, keep=1) == [first, second]
    assert folders(filled) == {first, second, third}
    assert all(version.pruned is None for version in filled.versions("m"))


def test_old_versions_go_and_can_come_back(filled: Registry) -> None:
    first, second, third = filled.versions("m")
    filled.quarantine(f"m@{first.version}", reason="bad")
    assert gone(filled, keep=1, dry_run=False) == [first.version, second.version]
    assert folders(filled) == {third.version}
    assert gone(filled, keep=1, dry_run=False) == []
    with pytest.raises(errors.FileGone, match="was pruned at"):
        filled.promote(f"m@{second.version}", reason="x")
    assert filled.register("m", Path(second.source)) == (second, False)
    assert filled.promote(f"m@{second.version}", reason="x").version == second.version
    filled.register("m", Path(first.source))
    with pytest.raises(errors.Quarantined):  # its verdict outlived its folder
        filled.promote(f"m@{first.version}", reason="x")


def test_what_a_pointer_names_or_named_lately_stays(filled: Registry) -> None:
    first, second, third = (version.version for version in filled.versions("m"))
    filled.promote(f"m@{first}", reason="x")
    filled.promote(f"m@{second}", reason="x")
    filled.promote(f"m@{third}", alias="next", reason="x")
    assert gone(filled, keep=0) == []
    with filled.database.writing() as connection:
        connection.execute("UPDATE move SET time = '2020-01-01T00:00:00.000Z'")
    assert gone(filled, keep=0) == [first]  # pointed at until long ago; the others are pointed at now
    assert len(filled.history("m")) == 2


def test_what_another_name_keeps_stays(filled: Registry) -> None:
    first, second, third = filled.versions("m")
    filled.register("other", first.folder)
    assert gone(filled, name="m", keep=0) == [second.version, third.version]
    assert gone(filled, name="other", keep=0) == []
    with pytest.raises(errors.UnknownName):
        prune(filled, name="nobody")


def test_what_killed_processes_left_goes(filled: Registry) -> None:
    for name, age in ((".tmp-old", STALE_SECONDS + 60), (".tmp-new", 0), (".gone-x", 0), ("f" * 64, 0)):
        (filled.folders / name).mkdir()
        os.utime(filled.folders / name, (time.time() - age,) * 2)
    prune(filled, dry_run=False)
    assert folders(filled) == {".tmp-new", *(version.version for version in filled.versions("m"))}
