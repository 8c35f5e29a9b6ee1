"""Files elsewhere, by fsspec: read through a local copy; written by one whole put under a fixed name, the record last."""

from __future__ import annotations

import glob
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cauce.errors import FileMissing, InputError, Unavailable, need, writing
from cauce.faults import fault

STAMPS = (
    "ETag",
    "etag",
    "LastModified",
    "mtime",
    "created",
    "md5",
)  # of a file's change, in the words of the stores


def infos(source: str) -> list[tuple[str, int, str]]:
    """URL, size and stamp of each file that a URL names: one, those that match a glob, or those of a folder.

    Raises:
        FileMissing, InputError, Unavailable, MissingExtra

    """
    with _asking(source):
        store, path = _store(source)
        if glob.has_magic(source):
            found = [entry for entry in store.glob(path, detail=True).values() if entry["type"] == "file"]
        elif store.isdir(path):
            found = list(store.find(path, detail=True).values())
        else:
            found = [store.info(path)]
    return [(store.unstrip_protocol(entry["name"]), entry["size"] or 0, _stamp(entry)) for entry in found]


def fetch(source: str, to: Path) -> None:
    """Copy a file from its URL.

    Raises:
        FileMissing, InputError, Unavailable, StorageFull

    """
    with _asking(source), writing(to):
        store, path = _store(source)
        store.get_file(path, str(to))


class Remote:
    """A place of a store. Nothing locks it: no two runs may do the same shard at a time."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        with _asking(url):
            self._store, self._path = _store(self._url)
        self._aside: Path | None = None

    def aside(self, name: str) -> Path:
        """A local file, until it is put."""
        if self._aside is None:
            self._aside = Path(tempfile.mkdtemp(prefix="cauce-batch-"))
        return self._aside / name.replace("/", "-")

    def commit(self, name: str, step: str) -> None:
        """Put the whole file.

        Raises:
            Unavailable

        """
        aside = self.aside(name)
        fault(f"{step}.written")
        with self._at(name) as path:
            self._store.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._store.put_file(str(aside), path)
        aside.unlink()
        fault(f"{step}.renamed")

    def read(self, name: str) -> bytes | None:
        """A file's bytes, or None."""
        with self._at(name) as path:
            try:
                content: bytes = self._store.cat_file(path)
            except FileNotFoundError:
                return None
            return content

    def names(self, folder: str) -> list[str]:
        """Files and folders in a folder."""
        with self._at(folder) as path:
            try:
                found = self._store.ls(path.rstrip("/"), detail=False, refresh=True)
            except FileNotFoundError:
                return []
            return sorted(name for entry in found if (name := entry.rstrip("/").rpartition("/")[2]))

    def size(self, name: str) -> int:
        """A file's bytes."""
        with self._at(name) as path:
            return int(self._store.size(path))

    def remove(self, name: str) -> None:
        """Delete a file, if it is there, and what was written aside for it."""
        self.aside(name).unlink(missing_ok=True)
        with self._at(name) as path, suppress(FileNotFoundError):
            self._store.rm_file(path)

    @contextmanager
    def lock(self, shard: tuple[int, int] | None) -> Iterator[None]:
        """Nothing is locked; what was written aside is deleted at the end."""
        try:
            yield
        finally:
            if self._aside is not None:
                shutil.rmtree(self._aside, ignore_errors=True)
                self._aside = None

    @contextmanager
    def room(self, name: str) -> Iterator[Path]:
        """A temporary folder."""
        with tempfile.TemporaryDirectory(prefix="cauce-batch-") as path:
            yield Path(path)

    @contextmanager
    def _at(self, name: str) -> Iterator[str]:
        with _asking(f"{self._url}/{name}"):
            self._store.invalidate_cache()
            yield f"{self._path}/{name}"


def _store(url: str) -> tuple[Any, str]:
    fsspec = need("fsspec", extra="remote", what=f"{url.partition('://')[0]}://")
    store, path = fsspec.core.url_to_fs(url)
    return store, path


def _stamp(entry: dict[str, Any]) -> str:
    return next((str(entry[key]) for key in STAMPS if entry.get(key)), "")


@contextmanager
def _asking(url: str) -> Iterator[None]:
    """Turn a store's errors into ours.

    Raises:
        FileMissing: no such file.
        InputError: a protocol that fsspec does not know, or whose package is missing.
        Unavailable: anything else that the store says.

    """
    try:
        yield
    except FileNotFoundError:
        raise FileMissing(f"there is no file {url}", hint="check the URL") from None
    except (ImportError, ValueError) as error:
        raise InputError(f"{url} cannot be used: {error}", hint="check the beginning of the URL, and its package") from None
    except InputError:
        raise
    except Exception as error:  # each store has its own errors
        raise Unavailable(f"{url} does not answer: {error}", hint="check the address, the access and the network") from error
