"""A model that is served: its queue, the version that follows it, a canary and a shadow beside it."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from cauce.errors import CauceError, NameInvalid, NotComparable, UnknownModel
from cauce.model.model import Model
from cauce.online.admission import Load
from cauce.online.scheduler import Scheduler, Seen
from cauce.online.speed import Speed
from cauce.registry import named, names
from cauce.registry.follow import Follower

log = logging.getLogger("cauce.online")

FRESH = 30.0  # seconds for which an answer to a golden row proves that the model answers


@dataclass(frozen=True, slots=True)
class Beside:
    """Another version that gets a share of the requests (canary) or a copy of them (shadow).

    Attributes:
        model: as for `cauce.load`.
        share: of the requests, 0 to 1.

    """

    model: str
    share: float = 1.0


@dataclass(eq=False)
class Version:
    """A loaded version and its queue, under the name that is served."""

    name: str
    model: Model
    queue: Scheduler


class Served:
    """A name under which requests are answered.

    Args:
        place: a folder, a registered name (followed: each promotion is taken over without a request lost), `echo`, or a model.
        name: what clients call it; without it the registered name, or that in the folder.
        seen: called with the name after each call.
        max_wait: see `Scheduler`.

    """

    def __init__(
        self,
        place: str | Model,
        *,
        name: str = "",
        variant: str = "auto",
        canary: Beside | None = None,
        shadow: Beside | None = None,
        seen: Callable[[str, Seen], None] = lambda name, one: None,
        max_wait: float = 0.0,
    ) -> None:
        self.place, self.name, self._max_wait = place, name, max_wait
        self._variant, self._seen = variant, seen
        self._canary, self._shadow = canary, shadow
        self._follower: Follower | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._retired: list[Version] = []
        self.canary: Version | None = None
        self.shadow: Version | None = None

    def load(self) -> None:
        """Open the models and measure them: takes seconds, on a thread that may wait.

        Raises:
            NameInvalid: the name cannot be a part of an address.
            NotComparable: the canary or the shadow reads or answers something else.
            UnknownName, ModelFolderError: see `cauce.load`.

        """
        place = self.place
        if isinstance(place, Model):
            model, name = place, place.name
        elif named.moves(place):
            self._follower = Follower(place, variant=self._variant, on_swap=self._swap)
            model, name = self._follower.model, place.partition("@")[0]
        else:
            model = _opened(place, self._variant)
            name = place.partition("@")[0] if _pinned(place) else model.name
        self.name = self.name or name
        if not self.name.isprintable() or set(self.name) & set("/@"):
            raise NameInvalid(f"{self.name!r} cannot be served under this name", hint="give another: cauce serve NAME=MODEL")
        self._first = model, Speed(model)
        self._besides = [self._beside(one.model, model) if one else None for one in (self._canary, self._shadow)]

    def start(self, load: Load) -> None:
        """Take work, on the event loop that runs now; `load` is that of all models."""
        self._loop, self._load = asyncio.get_running_loop(), load
        self.current = self._version(*self._first)
        self.canary, self.shadow = (self._version(*one) if one else None for one in self._besides)
        self.proven, self.steady = time.monotonic(), True
        if self._follower is not None and self._follower.model is not self.current.model:  # promoted while others were loaded
            self._loop.run_in_executor(None, self._swap, self._follower.model)

    @property
    def versions(self) -> list[Version]:
        """Those that take work now: the one that serves first."""
        return [one for one in (self.current, self.canary, self.shadow) if one]

    @property
    def queues(self) -> list[Scheduler]:
        """Those of all versions, of those too that finish what they have."""
        self._retired = [one for one in self._retired if one.queue.requests]
        return [one.queue for one in (*self.versions, *self._retired)]

    def version(self, prefix: str | None = None, sticky: str | None = None) -> Version:
        """The version that answers a request.

        Args:
            prefix: the beginning of a version that the request asks for.
            sticky: whose requests all go to the same version, where there is a canary.

        Raises:
            UnknownModel: no such version is loaded.

        """
        if prefix:
            for one in self.versions:
                if one.model.version.startswith(prefix):
                    return one
            served = ", ".join(one.model.version[:12] for one in self.versions)
            raise UnknownModel(f'the version "{prefix}" of {self.name} is not served', hint=f"served: {served}")
        if self.canary is not None and self._canary is not None and _place(sticky) < self._canary.share:
            return self.canary
        return self.current

    @property
    def problem(self) -> str:
        """Why it is not ready; empty where it is."""
        if not self.steady:
            return "a golden row gets another answer than before"
        late = time.monotonic() - self.proven
        return f"no golden row was answered for {late:.0f} s" if late > FRESH else ""

    def close(self) -> None:
        """Stop following."""
        if self._follower is not None:
            self._follower.close()

    @property
    def followed(self) -> dict[str, object] | None:
        """What the follower says, where a pointer is followed."""
        return self._follower.status.as_dict() if self._follower else None

    def _version(self, model: Model, speed: Speed) -> Version:
        return Version(
            self.name,
            model,
            Scheduler(model, speed, self._load, lambda one: self._seen(self.name, one), max_wait=self._max_wait),
        )

    def _beside(self, place: str, main: Model) -> tuple[Model, Speed]:
        model = _opened(place, self._variant)
        if any(getattr(model.manifest, part) != getattr(main.manifest, part) for part in ("task", "labels", "inputs")):
            raise NotComparable(
                f"{place} is no version of {self.name}: its task, labels or inputs are others",
                hint="serve it under its own name",
            )
        return model, Speed(model)

    def _swap(self, model: Model) -> None:
        """On the follower's thread: the model is warm; it is measured here, so that requests do not wait."""
        if self._loop is None:
            return  # `start` will see it
        speed = Speed(model)
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._hand_over, model, speed)

    def _hand_over(self, model: Model, speed: Speed) -> None:
        if model is self.current.model:
            return
        self._retired.append(self.current)
        self.current = self._version(model, speed)
        log.info("%s serves version %s", self.name, model.version[:12])


def _pinned(place: str) -> bool:
    """Whether the name is that of a version, which never moves."""
    with suppress(CauceError):
        return names.parse(place).is_prefix
    return False


def _opened(place: str, variant: str) -> Model:
    model = named.load(place, variant) if place == "echo" else named.open_place(named.find(place), variant)
    for note in model.notes:
        log.warning("%s: %s", place, note)
    model.warm_up()
    return model


def _place(sticky: str | None) -> float:
    """A number from 0 to 1: always the same for the same sender."""
    if sticky is None:
        return random.random()  # noqa: S311  (no secret)
    return int.from_bytes(hashlib.sha256(sticky.encode()).digest()[:8], "big") / 2**64
