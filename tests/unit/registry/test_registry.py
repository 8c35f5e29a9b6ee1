"""Versions are copied whole and never changed; the pointer moves only from where it was seen; nothing is forgotten."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

import cauce
from cauce import errors
from cauce.registry.registry import Registry

Make = Callable[[str], Path]


def names(registry: Registry) -> list[str]:
    return sorted(path.name for path in registry.folders.iterdir())


def versions(registry: Registry) -> list[str]:
    return [version.version for version in registry.versions("m")]


def test_a_version_is_a_copy_under_its_hash(registry: Registry, make: Make) -> None:
    source = make("a")
    (source / "notes.txt").write_text("somebody's own")
    version, new = registry.register("m", source)
    assert (version.name, version.actor, version.source, version.aliases) == ("m", "ana", str(source), ())
    assert new
    assert names(registry) == [version.version]
    assert not (version.folder / "notes.txt").exists()
    shutil.rmtree(source)
    assert cauce.load(version.folder).version == version.version


def test_registering_again_changes_nothing(registry: Registry, make: Make) -> None:
    first, _ = registry.register("m", make("a"), actor="ana")
    again, new = registry.register("m", first.folder, actor="eve")
    assert (again, new) == (first, False)
    other, new = registry.register("other", first.folder)
    assert (other.folder, new) == (first.folder, True)
    assert registry.names() == ["m", "other"]


def test_a_damaged_copy_is_healed(filled: Registry, make: Make) -> None:
    version = filled.versions("m")[0]
    (version.folder / "golden.jsonl").write_bytes(b"")
    filled.register("m", Path(version.source))
    assert cauce.load("m@" + version.version).version == version.version


@pytest.mark.parametrize("damage", ["golden.jsonl", "weights.safetensors", "evidence/metrics.json"])
def test_a_damaged_folder_is_not_registered(registry: Registry, make: Make, damage: str) -> None:
    source = make("a")
    (source / damage).write_bytes((source / damage).read_bytes()[:-1])
    with pytest.raises(errors.ModelFolderError):
        registry.register("m", source)
    assert registry.names() == []
    assert not registry.room.exists()


def test_a_folder_that_changes_while_it_is_copied_is_refused(
    registry: Registry, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = make("a"), make("b")
    copy = shutil.copyfile
    monkeypatch.setattr(shutil, "copyfile", lambda a, b: copy(second / Path(a).relative_to(first), b))
    with pytest.raises(errors.FileChanged):
        registry.register("m", first)
    assert names(registry) == []


def test_references(filled: Registry) -> None:
    first, second, _ = versions(filled)
    filled.promote(f"m@{first[:8]}", reason="x")
    filled.promote(f"m@{second}", reason="x", alias="next")
    assert filled.find("m").version == filled.find("m@champion").version == filled.find(f"m@{first[:4]}").version == first
    assert filled.find("m@next").aliases == ("next",)
    for wrong, hint in [("n", "are: m"), ("m@nxt", 'did you mean "next"'), ("m@00000000", "models list m"), ("zzzz", "are: m")]:
        with pytest.raises(errors.UnknownName) as caught:
            filled.find(wrong)
        assert hint in caught.value.hint + caught.value.message


def test_a_beginning_that_two_versions_share_is_refused(filled: Registry) -> None:
    shared = ["abcd" + digit * 60 for digit in "12"]
    with filled.database.writing() as connection:
        for version in shared:
            connection.execute("INSERT INTO version VALUES (?, NULL)", (version,))
            connection.execute("INSERT INTO registration VALUES ('m', ?, 't', 'ana', '/x')", (version,))
    with pytest.raises(errors.UnknownName, match="names 2 versions") as caught:
        filled.find("m@abcd")
    assert all(version[:20] in caught.value.hint for version in shared)


def test_a_promotion_says_who_why_and_when(filled: Registry) -> None:
    first, second, _ = versions(filled)
    filled.promote(f"m@{first}", reason="the first")
    moved = filled.promote(f"m@{second}", reason="better by 2 points", actor="eve")
    assert (moved.generation, moved.version, moved.action, moved.actor) == (2, second, "promote", "eve")
    history = filled.history("m")
    assert [(move.generation, move.version, move.reason) for move in history] == [
        (1, first, "the first"),
        (2, second, "better by 2 points"),
    ]
    assert history[0].time < history[1].time
    assert filled.pointer("m") == moved


def test_a_promotion_of_what_serves_moves_nothing(filled: Registry) -> None:
    first, *_ = versions(filled)
    moved = filled.promote(f"m@{first}", reason="x")
    assert filled.promote(f"m@{first}", reason="again") == moved
    assert len(filled.history("m")) == 1


def test_of_many_who_promote_from_one_generation_one_wins(filled: Registry) -> None:
    first, second, third = versions(filled)
    filled.promote(f"m@{first}", reason="x")
    told: list[str] = []

    def promote(number: int) -> None:
        try:
            filled.promote(f"m@{(second, third)[number % 2]}", reason=str(number), expect=1)
            told.append("won")
        except errors.PointerMoved as moved:
            told.append(moved.code)

    threads = [threading.Thread(target=promote, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == ["pointer_moved"] * 7 + ["won"]
    assert [move.generation for move in filled.history("m")] == [1, 2]


def test_somebody_who_moves_between_the_look_and_the_move_is_noticed(filled: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    _, second, third = versions(filled)
    check = Registry.check_folder

    def meanwhile(self: Registry, version: object) -> None:
        monkeypatch.setattr(Registry, "check_folder", check)
        Registry().promote(f"m@{third}", reason="faster")

    monkeypatch.setattr(Registry, "check_folder", meanwhile)
    with pytest.raises(errors.PointerMoved, match="generation 1"):
        filled.promote(f"m@{second}", reason="slow")
    assert filled.find("m").version == third


def test_rollback_goes_back_step_by_step(filled: Registry) -> None:
    first, second, third = versions(filled)
    for version in (first, second, third):
        filled.promote(f"m@{version}", reason="x")
    assert filled.rollback("m", reason="worse").version == second
    assert filled.rollback("m").version == first
    with pytest.raises(errors.NoEarlierVersion):
        filled.rollback("m")
    assert [(move.generation, move.action) for move in filled.history("m")][3:] == [(4, "rollback"), (5, "rollback")]


def test_rollback_passes_over_what_cannot_serve(filled: Registry) -> None:
    first, second, third = versions(filled)
    for version in (first, second, third):
        filled.promote(f"m@{version}", reason="x")
    shutil.rmtree(filled.folders / second)
    assert filled.rollback("m").version == first


def test_a_version_in_quarantine_never_serves(filled: Registry) -> None:
    first, *_ = versions(filled)
    filled.quarantine(f"m@{first}", reason="leaks names")
    with pytest.raises(errors.Quarantined, match="leaks names"):
        filled.promote(f"m@{first}", reason="x")
    assert filled.pointer("m") is None
    filled.release(f"m@{first}", reason="mended")
    assert filled.promote(f"m@{first}", reason="x").version == first
    with pytest.raises(errors.InputError, match="not in quarantine"):
        filled.release(f"m@{first}", reason="x")


def test_quarantine_is_of_the_content_under_every_name(filled: Registry) -> None:
    first, *_ = filled.versions("m")
    filled.register("other", first.folder)
    filled.quarantine(f"m@{first.version}", reason="bad")
    with pytest.raises(errors.Quarantined):
        filled.promote(f"other@{first.version}", reason="x")


def test_what_serves_is_not_put_into_quarantine_unless_the_pointers_go_back(filled: Registry) -> None:
    first, second, _ = versions(filled)
    for version in (first, second):
        filled.promote(f"m@{version}", reason="x")
    filled.promote(f"m@{second}", alias="next", reason="x")
    with pytest.raises(errors.StillServes) as caught:
        filled.quarantine("m", reason="bad")
    assert "--rollback" in caught.value.hint
    with pytest.raises(errors.NoEarlierVersion, match="next"):  # the alias has nothing before: nothing is moved at all
        filled.quarantine("m", reason="bad", rollback=True)
    assert filled.find("m").version == second
    filled.promote(f"m@{first}", alias="next", reason="x")
    moved = filled.quarantine("m", reason="bad", rollback=True)
    assert [(name, alias, move.version, move.action) for name, alias, move in moved] == [("m", "champion", first, "quarantine")]
    with pytest.raises(errors.Quarantined):
        filled.promote(f"m@{second}", reason="x")


def test_an_alias_is_taken_away_and_its_history_stays(filled: Registry) -> None:
    first, second, _ = versions(filled)
    filled.promote(f"m@{first}", alias="next", reason="x")
    assert filled.remove_alias("m", "next").version is None
    assert filled.versions("m")[0].aliases == ()
    with pytest.raises(errors.UnknownName):
        filled.find("m@next")
    with pytest.raises(errors.UnknownName):
        filled.remove_alias("m", "next")
    with pytest.raises(errors.NoEarlierVersion):
        filled.rollback("m", alias="next")
    assert filled.promote(f"m@{second}", alias="next", reason="y").generation == 3
    with pytest.raises(errors.InputError, match="champion"):
        filled.remove_alias("m", "champion")


def test_a_folder_that_is_gone_is_neither_promoted_nor_loaded(filled: Registry) -> None:
    first, second, _ = versions(filled)
    filled.promote(f"m@{first}", reason="x")
    for version in (first, second):
        shutil.rmtree(filled.folders / version)
    for attempt in (lambda: filled.promote(f"m@{second}", reason="x"), lambda: cauce.load("m")):
        with pytest.raises(errors.FileGone, match="gone") as caught:
            attempt()
        assert "models register m" in caught.value.hint
    assert filled.find("m").version == first


def test_another_version_in_its_folder_is_refused(filled: Registry) -> None:
    first, second, _ = versions(filled)
    shutil.rmtree(filled.folders / first)
    shutil.copytree(filled.folders / second, filled.folders / first)
    for attempt in (lambda: filled.promote(f"m@{first}", reason="x"), lambda: cauce.load(f"m@{first}")):
        with pytest.raises(errors.Tampered, match="another version"):
            attempt()


def test_a_registry_of_a_later_cauce_is_refused(filled: Registry) -> None:
    with closing(sqlite3.connect(filled.database.path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    for attempt in (filled.names, lambda: filled.rollback("m"), lambda: cauce.load("m")):
        with pytest.raises(errors.NewerFormat, match="schema 99"):
            attempt()
