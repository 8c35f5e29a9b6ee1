"""What the registry knows, as it is handed out: a version under a name, a move of a pointer, a verdict."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A pointer was moved. The latest move says where it stands; `version` is None where an alias was removed."""

    generation: int
    version: str | None
    action: str  # promote, rollback, quarantine, remove
    actor: str
    reason: str
    time: str

    def as_dict(self) -> dict[str, Any]:
        """The move for a program."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Somebody put a version into quarantine."""

    actor: str
    reason: str
    time: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version under a name.

    Attributes:
        folder: where its model folder lies.
        source: the folder that it was copied from.
        aliases: the pointers of this name that name it now.
        quarantine: the verdict that keeps it from serving.
        pruned: when its folder was removed.

    """

    name: str
    version: str
    folder: Path
    source: str
    time: str
    actor: str
    aliases: tuple[str, ...]
    quarantine: Verdict | None
    pruned: str | None

    def __str__(self) -> str:
        return f"{self.name}@{self.version[:12]}"

    def as_dict(self) -> dict[str, Any]:
        """The version for a program."""
        return {**asdict(self), "folder": str(self.folder), "aliases": list(self.aliases)}


def now() -> str:
    """The time in UTC, to the millisecond; as texts, later is greater."""
    return stamp(datetime.now(UTC))


def stamp(moment: datetime) -> str:
    """A moment as the registry writes it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
