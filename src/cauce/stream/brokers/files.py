"""`file:`: JSON lines or Arrow as messages, a folder of parts for results."""

from __future__ import annotations

from pathlib import Path

from cauce.errors import FileMissing, InputError, nearest
from cauce.stream.brokers.arrow_file import SUFFIXES, ArrowFile
from cauce.stream.brokers.pace import Pace
from cauce.stream.brokers.position import position_file, read_position
from cauce.stream.brokers.replay import Replay
from cauce.stream.contract import Sink, Source
from cauce.stream.records import Records
from cauce.stream.results import Results
from cauce.stream.schemes import Group, Opening, Place, Scheme
from cauce.stream.sinks.parts import JsonLines, Parquet, Parts
from cauce.stream.sinks.parts_tail import tail


def _source(place: Place, opening: Opening) -> Source:
    if Path(place.path).suffix in SUFFIXES:
        if place.options:
            raise InputError(f"{place.path} is given out as fast as it is answered", hint="leave out the options")
        return ArrowFile(Path(place.path), opening.settings.group)
    pace, settings = Pace(place.number("rate"), place.number("speed")), opening.settings
    return Replay(Path(place.path), settings.group, settings.max_message_bytes, pace, loop="loop" in place.options)


def _sink(place: Place, opening: Opening) -> Sink[Results]:
    kind, settings = place.options.get("format", "jsonl"), opening.settings
    if kind == "parquet":
        return Parts(Path(place.path), Parquet, kind, settings.part_seconds, settings.part_rows)
    if kind != "jsonl":
        hint = nearest(kind, ("jsonl", "parquet")) or "known are: jsonl, parquet"
        raise InputError(f'a stream is not written as "{kind}"', hint=hint)
    return _lines(place, opening)


def _dead(place: Place, opening: Opening) -> Sink[Records]:
    if place.options.get("format", "jsonl") != "jsonl":
        raise InputError("dead letters are JSON lines", hint="leave out the format")
    return _lines(place, opening)


def _lines(place: Place, opening: Opening) -> Parts[Records]:
    return Parts(Path(place.path), JsonLines, "jsonl", opening.settings.part_seconds, opening.settings.part_rows)


def _groups(place: Place, opening: Opening) -> list[Group]:
    path = Path(place.path)
    if not path.is_file():
        raise FileMissing(f"there is no file {path}", hint="name a file of JSON lines: file:posts.jsonl")
    group = opening.settings.group
    known = read_position(position_file(path, group)) or {"read": 0}
    return [Group(group, path.stat().st_size - int(known["read"]))]


SCHEME = Scheme(
    "file:PATH",
    ("rate", "speed", "loop"),
    ("format",),
    source=_source,
    sink=_sink,
    dead=_dead,
    groups=_groups,
    tail=lambda place, opening, last: tail(Path(place.path), last),
    one_reader="its lines are read in order, by whoever holds the position in it",
)
