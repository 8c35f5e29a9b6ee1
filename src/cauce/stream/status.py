"""How far the groups of a source are, and how much lies dead beside it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cauce.errors import FileMissing, InputError
from cauce.stream.places import READ, Place, Places, read
from cauce.stream.replay import position_file, read_position


@dataclass(frozen=True)
class Group:
    """Where a group stands.

    Attributes:
        waiting: messages that nobody was given yet; of a file, bytes. None where the broker cannot say.
        waiting_seconds: age of the oldest of these; None where nothing waits or no time is known.
        held: messages that were given out and are not acknowledged.
        workers: how many have a name in the group, alive or not.

    """

    name: str
    waiting: int | None
    waiting_seconds: float | None = None
    held: int = 0
    workers: int = 0


def status(places: Places, from_: str) -> list[Group]:
    """The groups that read a source.

    Raises:
        InputError: there is no such source, or it has no groups.
        Unavailable, MissingExtra

    """
    place = read(from_, READ)
    if place.scheme == "redis":
        return _redis(places, place)
    if place.scheme == "file":
        path = Path(place.path)
        if not path.is_file():
            raise FileMissing(f"there is no file {path}", hint="name a file of JSON lines: file:posts.jsonl")
        group = places.settings.group
        known = read_position(position_file(path, group)) or {"at": 0}
        return [Group(group, path.stat().st_size - int(known["at"]))]
    raise InputError("stdin has no position", hint="name redis://host/stream, or file:PATH")


def _redis(places: Places, place: Place) -> list[Group]:
    server = places.server(place)
    if not server(server.client.exists, place.path):
        raise InputError(f"there is no stream {place.path} in {server.name}", hint="it is made by the first worker or message")
    found: list[dict[str, Any]] = server(server.client.xinfo_groups, place.path)
    groups = []
    for one in found:
        last, seconds = one["last-delivered-id"].decode(), None
        if first := server(server.client.xrange, place.path, f"({last}", "+", 1):
            seconds = round(time.time() - int(first[0][0].split(b"-")[0]) / 1000, 3)
        groups.append(Group(one["name"].decode(), one["lag"], seconds, one["pending"], one["consumers"]))
    return groups
