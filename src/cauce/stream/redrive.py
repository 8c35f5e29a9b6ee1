"""Dead letters back to where their messages came from: once what was wrong is mended."""

from __future__ import annotations

import secrets
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from cauce.errors import FileMissing, InputError, writing
from cauce.model import files
from cauce.stream import places
from cauce.stream.brokers.standard import Lines
from cauce.stream.contract import Sink
from cauce.stream.letter import raw
from cauce.stream.message import Document
from cauce.stream.records import Records
from cauce.stream.schemes import Opening, Place, read

AT_A_TIME = 500  # letters
QUIET = 1.0  # seconds without a letter that is old enough after which there are no more
GROUP = "redrive"  # whose position in a broker's dead letters it is


class Redrive:
    """What goes, and what stays.

    Args:
        code: only letters with this code go; those that were cut never do.

    Attributes:
        went, stayed: how many, by code.

    """

    def __init__(self, code: str | None) -> None:
        self._code = code
        self.went, self.stayed = Counter[str](), Counter[str]()

    def goes(self, letter: Document) -> bool:
        """Whether a letter goes. It is counted."""
        chosen = not letter["cut"] and self._code in (None, letter["code"])
        (self.went if chosen else self.stayed)[letter["code"]] += 1
        return chosen


def redrive(opening: Opening, dead: str, to: str, *, code: str | None = None) -> Redrive:
    """Give the messages of dead letters out again, and take the letters away.

    A letter is taken away once its message is safe: whoever is stopped between the two gives some out twice, and a message
    that has an `id` has the same key then. Within one Redis both are one step.

    Args:
        to: a topic, or `-` for stdout.
        code: only letters with this code.

    Raises:
        InputError: what is there is no dead letter.
        Unavailable, MissingExtra

    """
    source, target, chosen = read(dead, written=False), read(to, written=True), Redrive(code)
    if {source.scheme, target.scheme} <= {"redis", "rediss"} and _where(source) == _where(target):
        _within_redis(source, target, opening, chosen)
        return chosen
    if target.scheme == "file":
        raise InputError("a folder is no source of messages", hint="name a topic, or - to write the messages to stdout")
    sink: Sink[Records] = Lines(sys.stdout.buffer) if to == "-" else places.dead(to, opening)
    try:
        if source.scheme == "file":
            _from_folder(Path(source.path), sink, chosen)
        else:
            _from_broker(dead, sink, replace(opening, settings=opening.settings.model_copy(update={"group": GROUP})), chosen)
    finally:
        sink.close()
    return chosen


def _from_folder(folder: Path, sink: Sink[Records], chosen: Redrive) -> None:
    """Part by part; one of which all went is deleted."""
    if not folder.is_dir():
        raise FileMissing(f"there is no folder {folder}", hint="name the one that --dead named, or OUT/dead_letters")
    for part in sorted(folder.glob("part-*.jsonl")):
        lines = part.read_bytes().splitlines()
        letters = [_letter(line, f"{part.name}, line {number}") for number, line in enumerate(lines, 1)]
        goes = [chosen.goes(one) for one in letters]
        _write(sink, [one for one, go in zip(letters, goes, strict=True) if go])
        left = b"".join(line + b"\n" for line, go in zip(lines, goes, strict=True) if not go)
        with writing(part, instead="--dead"):
            if left:
                files.put(part, left)
            else:
                part.unlink()


def _from_broker(dead: str, sink: Sink[Records], opening: Opening, chosen: Redrive) -> None:
    """What stays is added to the letters again, behind those that there are.

    What died or was added since this began is for another time. It is left where it is, and no sign that all was seen: a topic
    of several partitions has no order.
    """
    source, back, begun = places.source(dead, opening), places.dead(dead, opening), datetime.now(UTC)
    found_one = time.monotonic()
    try:
        while (found := source.fetch(AT_A_TIME, opening.settings.max_bytes, QUIET)) is not None:
            names = found.places.to_pylist()
            letters = [(name, _letter(data, name)) for name, data in zip(names, found.data.to_pylist(), strict=True)]
            old = [(name, one) for name, one in letters if datetime.fromisoformat(str(one.get("kept", one["at"]))) <= begun]
            if old:
                found_one = time.monotonic()
            elif time.monotonic() > found_one + QUIET:
                return
            goes = [chosen.goes(one) for _, one in old]
            _write(sink, [one for (_, one), go in zip(old, goes, strict=True) if go])
            stays = [one for (_, one), go in zip(old, goes, strict=True) if not go]
            if stays:
                now = datetime.now(UTC).isoformat()
                kept = [{**one, "kept": now, "key": secrets.token_hex(16)} for one in stays]  # a known key would be left out
                back.write(_records([one["key"] for one in kept], [orjson.dumps(one) for one in kept]))
                back.flush()
            if old:
                source.acknowledge([name for name, _ in old])
    finally:
        source.close()
        back.close()


def _write(sink: Sink[Records], letters: Sequence[Document]) -> None:
    """The messages of letters, safe once this returns."""
    if letters:
        sink.write(_records([secrets.token_hex(16) for _ in letters], [raw(one) for one in letters]))
        sink.flush()


def _records(keys: list[str], lines: list[bytes]) -> Records:
    return Records(pa.array(keys, pa.string()), pa.array(lines, pa.large_binary()))


def _within_redis(source: Place, target: Place, opening: Opening, chosen: Redrive) -> None:
    from cauce.stream.brokers.redis_server import server_of

    server, start = server_of(source, opening), "-"
    newest = server(server.client.xrevrange, source.path, count=1)
    end = newest[0][0] if newest else b"+"  # what dies again meanwhile is for another time
    while entries := server(server.client.xrange, source.path, start, end, AT_A_TIME):
        letters = [(place, _letter(fields.get(b"data", b""), place.decode())) for place, fields in entries]
        goes = [(place, raw(letter)) for place, letter in letters if chosen.goes(letter)]
        if goes:
            _move(server, source.path, target.path, goes)
        start = "(" + entries[-1][0].decode()


def _move(server: Any, source: str, target: str, chosen: list[tuple[bytes, bytes]]) -> None:
    with server.client.pipeline(transaction=True) as together:
        for place, data in chosen:
            together.xadd(target, {"data": data})
            together.xdel(source, place)
        server(together.execute)


def _letter(data: bytes, place: str) -> Document:
    try:
        found: Document = orjson.loads(data)
        if {"code", "cut", "at"} <= found.keys() and {"raw", "raw_base64"} & found.keys():
            return found
    except (ValueError, AttributeError):
        pass
    raise InputError(f"at {place} there is no dead letter", hint="name what `--dead` named")


def _where(place: Place) -> tuple[str, str]:
    return place.url.netloc, place.options.get("db", "0")
