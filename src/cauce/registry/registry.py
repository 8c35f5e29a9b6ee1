"""`Registry`: names, versions, and the pointer to the one that serves, with its history."""

from __future__ import annotations

import getpass
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cauce.errors import (
    CauceError,
    FileChanged,
    FileGone,
    InputError,
    NoEarlierVersion,
    StillServes,
    Tampered,
    UnknownName,
    writing,
)
from cauce.faults import fault
from cauce.model import files, folder, gates, variants
from cauce.model.manifest import parse as parse_manifest
from cauce.registry import catalog, names, pointers
from cauce.registry.names import CHAMPION, Reference
from cauce.registry.records import Move, Version
from cauce.registry.schema import STEPS
from cauce.settings import settings
from cauce.store.database import Database


class Registry:
    """Versions of models under `CAUCE_HOME`, shared by every process of the machine.

    A version is a folder under its hash, copied once and never changed. SQLite holds the names, and the moves of the pointers.
    """

    def __init__(self, home: Path | None = None) -> None:
        self.room = (home or settings().home) / "registry"
        self.folders = self.room / "versions"
        self.database = Database(self.room / "registry.db", STEPS)

    @contextmanager
    def held(self) -> Iterator[Registry]:
        """Keep the database open meanwhile, for whoever comes often."""
        with self.database.held():
            yield self

    def register(self, name: str, source: Path, *, actor: str | None = None) -> tuple[Version, bool]:
        """Copy a model folder in, once it has proven on this machine that it answers as it was saved.

        Returns:
            The version, and whether the name did not have it before. A whole folder of that version stays as it is, but for
            variants that are new, and what was measured of them. A damaged variant is left behind.

        Raises:
            NameInvalid, FileMissing, ModelFolderError, CannotWrite, StorageFull, InUse

        """
        from cauce.model.model import load

        names.check_name(name)
        version = folder.read(source).version
        with self._writing():
            self.folders.mkdir(parents=True, exist_ok=True)
            copied = Path(tempfile.mkdtemp(prefix=".tmp-", dir=self.folders))
            try:
                for path in folder.contents(source):
                    (copied / path).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(source / path, copied / path)
                fault("registry.copied")
                if load(copied).version != version:
                    raise FileChanged(f"{source} was changed while it was copied", hint="register it again")
                files.sync(copied)
                with self.database.writing() as connection:
                    self._place(copied, version)
                    fault("registry.placed")
                    made = catalog.enter(connection, name, version, actor or login(), source)
                    fault("registry.entered")
                fault("registry.registered")
            finally:
                shutil.rmtree(copied, ignore_errors=True)
        return self.find(Reference(name, version)), made

    def names(self) -> list[str]:
        """Every name that has a version."""
        with self.database.reading() as connection:
            return catalog.names(connection)

    def versions(self, name: str) -> list[Version]:
        """The versions of a name, the one that was registered first first; pruned ones too.

        Raises:
            UnknownName: nothing is registered under it.

        """
        names.check_name(name)
        with self.database.reading() as connection:
            catalog.check_known(connection, name)
            return catalog.versions(connection, self.folders, name)

    def find(self, reference: str | Reference) -> Version:
        """The version that a reference names.

        Raises:
            NameInvalid, UnknownName: no such name, alias or version, or a prefix of several.

        """
        if isinstance(reference, str):
            reference = names.parse(reference)
        with self.database.reading() as connection:
            return catalog.find(connection, self.folders, reference)

    def pointer(self, name: str, alias: str = CHAMPION) -> Move | None:
        """The latest move of a pointer: one indexed read. None where it was never set."""
        with self.database.reading() as connection:
            return pointers.current(connection, name, alias)

    def history(self, name: str, alias: str = CHAMPION) -> list[Move]:
        """Every move of a pointer, the first one first.

        Raises:
            UnknownName: nothing is registered under the name.

        """
        names.check_name(name)
        names.check_alias(alias)
        with self.database.reading() as connection:
            catalog.check_known(connection, name)
            return pointers.history(connection, name, alias)

    def promote(
        self,
        reference: str | Reference,
        *,
        reason: str,
        alias: str = CHAMPION,
        actor: str | None = None,
        expect: int | None = None,
    ) -> Move:
        """Point at a version, by compare-and-swap.

        Args:
            expect: the generation that the pointer must stand at, 0 where it was never set. Without it, the one read first.

        Raises:
            PointerMoved: somebody else moved it first.
            Quarantined: the version may not serve.
            UnknownName, FileGone, ModelFolderError, CannotWrite, InUse

        """
        if isinstance(reference, str):
            reference = names.parse(reference)
        names.check_alias(alias)
        with self.database.reading() as connection:
            version = catalog.find(connection, self.folders, reference)
            latest = pointers.current(connection, version.name, alias)
        self.check_folder(version)
        expect = (latest.generation if latest else 0) if expect is None else expect
        return self._move(version.name, alias, version.version, expect, "promote", actor, reason)

    def rollback(
        self, name: str, *, reason: str = "", alias: str = CHAMPION, actor: str | None = None, expect: int | None = None
    ) -> Move:
        """Go back to the version before, as a new generation; a second rollback goes one further back.

        Versions in quarantine, and those whose folder is gone, are passed over.

        Raises:
            NoEarlierVersion: there is none to go back to.
            PointerMoved, UnknownName, CannotWrite, InUse

        """
        moves = self.history(name, alias)
        with self.database.reading() as connection:
            version = self._earlier(connection, name, alias, moves)
        return self._move(name, alias, version, moves[-1].generation if expect is None else expect, "rollback", actor, reason)

    def remove_alias(self, name: str, alias: str, *, reason: str = "", actor: str | None = None) -> Move:
        """Take an alias away; its history stays.

        Raises:
            InputError: the champion has no such end.
            UnknownName, CannotWrite, InUse

        """
        if alias == CHAMPION:
            raise InputError(f"the {CHAMPION} cannot be removed", hint="promote another version, or roll back")
        moves = self.history(name, alias)
        if not moves or moves[-1].version is None:
            raise UnknownName(f'{name} has no alias "{alias}"', hint=f"see `cauce models list {name}`")
        return self._move(name, alias, None, moves[-1].generation, "remove", actor, reason)

    def quarantine(
        self, reference: str | Reference, *, reason: str, actor: str | None = None, rollback: bool = False
    ) -> list[pointers.Standing]:
        """Keep a version from serving, under every name that it has. A pointer never names a version in quarantine.

        Args:
            rollback: move the pointers that name it back, in the same transaction.

        Returns:
            The pointers that were moved: name, alias, move.

        Raises:
            StillServes: a pointer names it, and `rollback` is not given.
            NoEarlierVersion: a pointer names it, and has nothing to go back to.
            UnknownName, CannotWrite, InUse

        """
        version, who, moved = self.find(reference), actor or login(), []
        with self._writing(), self.database.writing() as connection:
            for name, alias, latest in pointers.standing(connection, version=version.version):
                if not rollback:
                    raise StillServes(
                        f"{name}@{version.version[:12]} is the {alias} of {name}",
                        hint="promote another version first, or add --rollback to go back in the same step",
                    )
                to = self._earlier(connection, name, alias, pointers.history(connection, name, alias))
                move = pointers.move(
                    connection, name, alias, to, expect=latest.generation, action="quarantine", actor=who, reason=reason
                )
                moved.append((name, alias, move))
            catalog.judge(connection, version.version, who, reason, quarantined=True)
            fault("registry.judging")
        return moved

    def release(self, reference: str | Reference, *, reason: str, actor: str | None = None) -> None:
        """Let a version out of quarantine.

        Raises:
            InputError: it is not in quarantine.
            UnknownName, CannotWrite, InUse

        """
        version = self.find(reference)
        if version.quarantine is None:
            raise InputError(f"{version} is not in quarantine", hint=f"see `cauce models list {version.name}`")
        with self._writing(), self.database.writing() as connection:
            catalog.judge(connection, version.version, actor or login(), reason, quarantined=False)

    def check_folder(self, version: Version) -> None:
        """Refuse a version whose folder is gone or is another's. Loading it checks every hash.

        Raises:
            FileGone, ModelFolderError

        """
        hint = f"register the model folder again: cauce models register {version.name} FOLDER"
        if version.pruned:
            raise FileGone(f"{version} was pruned at {version.pruned}", hint=hint)
        manifest = version.folder / folder.MANIFEST
        if not manifest.is_file():
            raise FileGone(f"the folder of {version} is gone", where=str(version.folder), hint=hint)
        if parse_manifest(manifest.read_bytes(), str(version.folder)).version != version.version:
            raise Tampered(f"the folder of {version} holds another version", where=str(version.folder), hint=hint)

    def _move(
        self, name: str, alias: str, version: str | None, expect: int, action: str, actor: str | None, reason: str
    ) -> Move:
        who = actor or login()
        with self._writing():
            with self.database.writing() as connection:
                fault("registry.checked")
                made = pointers.move(connection, name, alias, version, expect=expect, action=action, actor=who, reason=reason)
                fault("registry.moving")
            fault("registry.moved")
        return made

    def _earlier(self, connection: sqlite3.Connection, name: str, alias: str, moves: list[Move]) -> str:
        for version in pointers.earlier(moves):
            found = catalog.find(connection, self.folders, Reference(name, version))
            if found.quarantine or found.pruned or not (found.folder / folder.MANIFEST).is_file():
                continue
            return version
        raise NoEarlierVersion(
            f"the {alias} of {name} has no earlier version to go back to",
            hint=f"promote one: cauce models promote {name}@VERSION --reason …",
        )

    def _place(self, copied: Path, version: str) -> None:
        """Give a copy its name, unless a whole folder has it: that gets its variants. Inside a transaction: pruning waits."""
        place = self.folders / version
        try:
            folder.read(place)
        except CauceError:
            if place.exists():  # damaged: the copy heals it
                place.rename(place.with_name(f".gone-{copied.name.removeprefix('.')}"))
            copied.rename(place)
            files.sync_one(self.folders)
        else:
            variants.adopt(place, copied)
            for found in gates.published(copied, version, []):
                gates.publish(place, found)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with writing(self.room, instead="CAUCE_HOME"):
            yield


def login() -> str:
    """Who runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
