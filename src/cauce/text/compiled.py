"""How our kernels are compiled: without the GIL, never `parallel`, and cached in a folder that we choose.

numba would write next to the package, and fail where that is read-only. The folder here is, in this order: the setting
`kernel_cache`, the user's cache, one of our own under the temporary folder. numba's cache holds pickles, so a folder
that somebody else owns or may write to is never used. Where none is left the kernels are compiled in memory, said once.
"""

from __future__ import annotations

import hashlib
import logging
import os
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core.caching import FunctionCache

from cauce.settings import settings

F = TypeVar("F", bound=Callable[..., Any])
log = logging.getLogger("cauce")
numba_config: Any = numba.core.config


class _Cache(FunctionCache):
    """numba's cache, for which a full disk is no reason to fail: the kernel is compiled, only not kept."""

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled kernel, if that is possible."""
        with suppress(OSError):
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]


def kernel(function: F) -> F:
    """Compile a function at its first call; it then runs without the GIL."""
    compiled: Any = numba.njit(nogil=True, error_model="numpy")(function)
    if folder := cache_folder():
        before = numba_config.CACHE_DIR
        try:
            numba_config.CACHE_DIR = str(folder)  # read by the cache while it is made; others use numba too
            compiled._cache = _Cache(function)  # type: ignore[no-untyped-call]
        finally:
            numba_config.CACHE_DIR = before
    return cast("F", compiled)


@cache
def cache_folder() -> Path | None:
    """The folder of the compiled kernels, or None where nothing can be written."""
    for place in candidates():
        if _usable(place):
            return place / _fingerprint()
    log.warning(
        "no folder for compiled kernels can be written: they are compiled in memory at each start (about 10 s); "
        "set CAUCE_KERNEL_CACHE to a folder of your own"
    )
    return None


def candidates() -> list[Path]:
    """Where the compiled kernels may live, best first."""
    chosen = settings().kernel_cache
    if chosen is not None:
        return [chosen]
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    places = [base / "cauce" / "kernels"]
    with suppress(FileNotFoundError):  # a disk that is full has no temporary folder
        places.append(Path(tempfile.gettempdir()) / f"cauce-kernels-{os.getuid()}")
    return places


def _usable(place: Path) -> bool:
    """Make the folder; True when it is ours alone and a file can be written into it."""
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = place.stat()
        if facts.st_uid != os.getuid() or stat.S_IMODE(facts.st_mode) & 0o022:
            return False
        with tempfile.NamedTemporaryFile(dir=place):
            return True
    except OSError:
        return False


def _fingerprint() -> str:
    """Names the sources and the compiler: numba itself does not notice a change in a function that it has inlined."""
    digest = hashlib.sha256(numba.__version__.encode())
    for source in sorted(Path(__file__).parent.parent.rglob("*.py")):
        if "kernel" in (text := source.read_text(encoding="utf-8")):
            digest.update(text.encode())
    return digest.hexdigest()[:16]
