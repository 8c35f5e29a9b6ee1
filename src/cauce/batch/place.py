"""Where a job's output goes: a local folder, or a store that fsspec knows."""

from __future__ import annotations

from pathlib import Path

from cauce.batch.commit import Folder, Store
from cauce.data.files import is_url


def place(out: str) -> Store:
    """The store behind a path or a URL.

    Raises:
        MissingExtra: a URL without the extra `remote`.

    """
    if is_url(out):
        from cauce.batch.remote import Remote  # late: fsspec is optional

        return Remote(out)
    return Folder(Path(out))
