"""A model that follows its pointer: each new version is loaded, warmed up and tested aside, then handed over; or refused."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from cauce.errors import CauceError, UnknownName
from cauce.model.model import Model
from cauce.registry import named, names
from cauce.registry.names import Reference
from cauce.registry.records import now
from cauce.registry.registry import Registry

LOG = logging.getLogger("cauce.registry")
LONGEST_WAIT = 60.0  # seconds between two tries to load a version that was refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What a follower serves.

    Attributes:
        generation: of the pointer, when it named the version that is served.
        since: when that version was handed over.
        swaps: how many versions were handed over after the first.
        last_error: why the pointer could not be followed; None while it is.
        refused: the generation that the error is about; None where the pointer itself cannot be read.

    """

    name: str
    version: str
    generation: int
    since: str
    swaps: int = 0
    last_error: str | None = None
    refused: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """The status for a program."""
        return asdict(self)


class Follower:
    """Serves the version that a pointer names, and swaps when the pointer moves.

    `model` is one attribute read: whoever took it keeps it for as long as it likes, and a swap waits for nobody. A version that
    cannot be loaded, or does not answer as it was saved, is refused: the old one stays, and `status` says why.

    Args:
        name: `name` or `name@alias`.
        poll: seconds between two looks at the pointer.
        variant: as for `cauce.load`.
        on_swap: called with the new model, from the follower's thread, after each swap.

    Raises:
        UnknownName: nothing was promoted yet, or a version is named rather than a pointer.
        ModelFolderError: the first version cannot be served, and there is none to keep.

    """

    def __init__(
        self,
        name: str,
        *,
        poll: float = 1.0,
        variant: str = "auto",
        on_swap: Callable[[Model], None] | None = None,
        registry: Registry | None = None,
    ) -> None:
        self._reference = names.parse(name)
        if self._reference.is_prefix:
            raise UnknownName(f"{name} is a version: it never moves", hint=f"follow {self._reference.name}, or load it")
        self._registry, self._poll, self._variant, self._on_swap = registry or Registry(), poll, variant, on_swap
        self._wait, self._next_try = poll, 0.0
        self._ended = threading.Event()
        self._registry.find(self._reference)  # says what is wrong with the name
        move = self._registry.pointer(self._reference.name, self._reference.which)
        if move is None or move.version is None:
            raise UnknownName(f"{name} was removed just now", hint=f"see `cauce models list {self._reference.name}`")
        status = Status(name=str(self._reference), version=move.version, generation=move.generation, since=now())
        self._serving = self._load(move.version), status
        self._thread = threading.Thread(target=self._run, name=f"follow {self._reference}", daemon=True)
        self._thread.start()

    @property
    def current(self) -> tuple[Model, Status]:
        """The model that serves now and its status, of one moment."""
        return self._serving

    @property
    def model(self) -> Model:
        """The model that serves now."""
        return self._serving[0]

    @property
    def status(self) -> Status:
        """What is served, since when, and why a newer version is not."""
        return self._serving[1]

    def close(self) -> None:
        """Stop following; the model stays usable. Waits for a version that is being loaded."""
        self._ended.set()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def __enter__(self) -> Follower:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        with ExitStack() as open_file:
            with suppress(CauceError):  # only to look faster
                open_file.enter_context(self._registry.held())
            while not self._ended.wait(self._poll):
                self._look()

    def _look(self) -> None:
        """Read the pointer, and follow it where it moved."""
        status = self.status
        try:
            move = self._registry.pointer(self._reference.name, self._reference.which)
        except Exception as error:
            self._refuse(error, None)
            return
        if move is None or move.version is None:
            self._refuse(UnknownName(f"the pointer {self._reference} was removed"), move.generation if move else None)
        elif move.version == status.version:
            if (move.generation, None) != (status.generation, status.last_error):
                self._serving = self.model, replace(status, generation=move.generation, last_error=None, refused=None)
        elif move.generation != status.refused or time.monotonic() >= self._next_try:
            self._swap(move.version, move.generation)

    def _swap(self, version: str, generation: int) -> None:
        """Hand over a version, or refuse it and try again later: after twice as long each time."""
        status = self.status
        try:
            model = self._load(version)
        except Exception as error:
            self._wait = min(self._wait * 2, LONGEST_WAIT) if generation == status.refused else self._poll
            self._next_try = time.monotonic() + self._wait
            self._refuse(error, generation)
            return
        status = Status(name=status.name, version=version, generation=generation, since=now(), swaps=status.swaps + 1)
        self._serving = model, status
        if self._on_swap is not None:
            try:
                self._on_swap(model)
            except Exception:
                LOG.exception("what is called after a swap failed")

    def _refuse(self, error: Exception, generation: int | None) -> None:
        reason = error.message if isinstance(error, CauceError) else f"{type(error).__name__}: {error}"
        if (reason, generation) != (self.status.last_error, self.status.refused):
            LOG.warning("%s stays at %s: %s", self._reference, self.status.version[:12], reason)
        self._serving = self.model, replace(self.status, last_error=reason, refused=generation)

    def _load(self, version: str) -> Model:
        found = self._registry.find(Reference(self._reference.name, version))
        self._registry.check_folder(found)
        model = named.open_place(named.Place(found.folder, version), self._variant)
        model.warm_up()
        for note in model.notes:
            LOG.warning("%s: %s", self._reference, note)
        return model
