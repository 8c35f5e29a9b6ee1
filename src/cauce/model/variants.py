"""The variants of a model folder: `variants/<name>/`, each added by one rename. They change no version."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cauce.errors import CauceError, FileGone, OutputExists, Tampered, UnknownName, nearest, writing
from cauce.faults import fault
from cauce.model import files, manifest, variant
from cauce.model.files import GOLDEN, MANIFEST
from cauce.model.sealed import check_path
from cauce.model.variant import NAME, Variant

ROOM, FILE = "variants", "variant.json"
STALE_SECONDS = 86_400  # what a killed process left a day ago
AGAIN = "make it again: cauce optimize MODEL"


def names(folder: Path) -> list[str]:
    """The variants that the folder has beside the model as it was saved. They are not looked into."""
    room = folder / ROOM
    return sorted(path.name for path in room.iterdir() if NAME.fullmatch(path.name)) if room.is_dir() else []


def place(folder: Path, name: str) -> Path:
    """Where a variant lies."""
    return folder / ROOM / name


def read(folder: Path, name: str) -> Variant:
    """A variant of which every file is as it was written. The model's own files are not looked at.

    Raises:
        UnknownName: the folder has none of this name.
        ModelFolderError: one of its kinds; see `cauce.errors`.

    """
    where, file = str(folder), f"{ROOM}/{name}/{FILE}"
    model = manifest.parse((folder / MANIFEST).read_bytes(), where)
    known = names(folder)
    if name not in known:
        listed = f"it has: {', '.join([model.variant, *known])}"
        raise UnknownName(f'the model has no variant "{name}"', where=where, hint=nearest(name, known) or listed)
    files.check_inside(folder, file)
    found = variant.parse((folder / file).read_bytes(), file, where)
    if found.version != model.version:
        raise Tampered(f"the variant {name} belongs to the version {found.version[:12]}", where=where, hint=AGAIN)
    if found.name != name:
        raise Tampered(f"the variant {name} is called {found.name} in its {FILE}", where=where, hint=AGAIN)
    if GOLDEN not in found.files:
        raise FileGone(f"the variant {name} has no {GOLDEN}", where=where, hint=AGAIN)
    files.refuse_pickles(place(folder, name).rglob("*"), where)
    for path, expected in found.files.items():
        files.check(folder, f"{ROOM}/{name}/{path}", expected)
    return found


def add(folder: Path, made: Variant, source: Path, *, replace: bool = False) -> Variant:
    """Give a model another variant. It has to answer first: what it says to the golden rows is kept with it.

    Args:
        made: what the variant is; its `files` are found here.
        source: a folder of its files alone. `variant.json` and `golden.jsonl` are written here, and not taken from there.
        replace: put it in the place of one of the same name.

    Returns:
        The variant as it lies in the folder.

    Raises:
        NameInvalid: no name, or one that is taken.
        OutputExists: the model has one of this name.
        Tampered: it is a variant of another version.
        ModelFolderError: the runtime cannot read it, or does not keep its `batching`.
        CannotWrite, StorageFull

    """
    from cauce.model import golden
    from cauce.model.model import open_variant

    model = manifest.parse((folder / MANIFEST).read_bytes(), str(folder))
    variant.check_name(made.name, model.variant)
    if made.version != model.version:
        raise Tampered(f"the variant {made.name} belongs to the version {made.version[:12]}", where=str(folder), hint=AGAIN)
    target = place(folder, made.name)
    if target.exists() and not replace:
        raise OutputExists(f'the model has a variant "{made.name}" already', where=str(folder), hint="remove it, or replace it")
    with _aside(folder, made.name) as room:
        for path in sorted(path for path in source.rglob("*") if path.is_file()):
            to = room / path.relative_to(source)
            if to not in (room / FILE, room / GOLDEN):
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, to)
        fault("variants.copied")
        own = [str(path.relative_to(room)) for path in room.rglob("*") if path.is_file()]
        for name in own:
            check_path(name, str(source), "the variant")
        draft = made.model_copy(update={"files": files.describe(room, own)})
        (room / FILE).write_bytes(draft.render())
        golden.write(open_variant(folder, model, draft, room.name), room / GOLDEN, golden.rows(folder / GOLDEN))
        sealed = made.model_copy(update={"files": files.describe(room, [*own, GOLDEN])})
        (room / FILE).write_bytes(sealed.render())
        files.sync(room)
        fault("variants.sealed")
        _swap(room, target, replace=replace)
        fault("variants.added")
    return sealed


def remove(folder: Path, name: str) -> None:
    """Take a variant away, damaged or not.

    Raises:
        UnknownName: the folder has none of this name.
        CannotWrite

    """
    if name not in names(folder):
        hint = nearest(name, names(folder)) or f"it has: {', '.join(names(folder)) or 'none'}"
        raise UnknownName(f'the model has no variant "{name}"', where=str(folder), hint=hint)
    with _aside(folder, name) as room:
        place(folder, name).rename(room / name)
        files.sync_one(folder / ROOM)
        fault("variants.removed")


def adopt(folder: Path, copied: Path) -> None:
    """Move the variants of another copy of the same version here: those that are not here as they are there."""
    for name in names(copied):
        with suppress(CauceError):
            if read(folder, name).seal == read(copied, name).seal:
                continue
        with _aside(folder, name) as room:
            place(copied, name).rename(room)
            _swap(room, place(folder, name), replace=True)


@contextmanager
def _aside(folder: Path, name: str) -> Iterator[Path]:
    """A hidden room beside the variants, on the same disk; gone at the end, as is what a killed process left in one."""
    with writing(folder, instead="a copy of it: cp -r MODEL COPY"):
        (folder / ROOM).mkdir(exist_ok=True)
        for path in (folder / ROOM).glob(".*.tmp-*"):
            with suppress(FileNotFoundError):  # another that adds a variant has ended meanwhile
                if path.stat().st_mtime < time.time() - STALE_SECONDS:
                    shutil.rmtree(path, ignore_errors=True)
        room = Path(tempfile.mkdtemp(prefix=f".{name}.tmp-", dir=folder / ROOM))
        try:
            yield room
        finally:
            shutil.rmtree(room, ignore_errors=True)


def _swap(room: Path, target: Path, *, replace: bool) -> None:
    """Give the room its name. A variant that is replaced is moved aside first: no moment shows half of either.

    Raises:
        OutputExists: another process was first.

    """
    old = room.with_name(f"{room.name}.old") if replace and target.exists() else None
    if old is not None:
        target.rename(old)
        fault("variants.aside")
    try:
        room.rename(target)
    except OSError as error:
        if target.exists():
            raise OutputExists(
                f'a variant "{target.name}" was added meanwhile', hint="see what it is: cauce doctor MODEL"
            ) from error
        if old is not None:
            old.rename(target)
        raise
    finally:
        if old is not None:
            shutil.rmtree(old, ignore_errors=True)
    files.sync_one(target.parent)
