"""Dead letters back to where their messages came from: once what was wrong is mended."""

from __future__ import annotations

from collections import Counter
from typing import Any

import orjson

from cauce.errors import InputError
from cauce.stream.letter import raw
from cauce.stream.places import READ, Place, Places, read

AT_A_TIME = 500  # letters


def redrive(places: Places, dead: str, to: str, *, code: str | None = None) -> tuple[Counter[str], Counter[str]]:
    """Add the messages of dead letters to a stream, and delete the letters, both in one step.

    Args:
        code: only letters with this code.

    Returns:
        How many went, and how many stayed, by code: one that was cut cannot go.

    Raises:
        InputError: the two are not streams of one Redis server, or a letter is none of ours.
        Unavailable, MissingExtra

    """
    source, target = read(dead, READ), read(to, READ)
    if (source.scheme, target.scheme) != ("redis", "redis") or _where(source) != _where(target):
        raise InputError("dead letters are redriven between two streams of one Redis", hint="name both: redis://host/stream")
    server = places.server(source)
    went, stayed, start = Counter[str](), Counter[str](), "-"
    newest = server(server.client.xrevrange, source.path, count=1)
    end = newest[0][0] if newest else b"+"  # what dies again meanwhile is for another time
    while entries := server(server.client.xrange, source.path, start, end, AT_A_TIME):
        chosen = []
        for place, fields in entries:
            letter = _letter(place, fields)
            goes = not letter["cut"] and code in (None, letter["code"])
            (went if goes else stayed)[letter["code"]] += 1
            if goes:
                chosen.append((place, raw(letter)))
        if chosen:
            _move(server, source.path, target.path, chosen)
        start = "(" + entries[-1][0].decode()
    return went, stayed


def _move(server: Any, source: str, target: str, chosen: list[tuple[bytes, bytes]]) -> None:
    with server.client.pipeline(transaction=True) as together:
        for place, data in chosen:
            together.xadd(target, {"data": data})
            together.xdel(source, place)
        server(together.execute)


def _letter(place: bytes, fields: dict[bytes, bytes]) -> dict[str, Any]:
    try:
        found: dict[str, Any] = orjson.loads(fields[b"data"])
        if {"code", "cut"} <= found.keys() and {"raw", "raw_base64"} & found.keys():
            return found
    except (KeyError, ValueError, AttributeError):
        pass
    raise InputError(f"the entry {place.decode()} is no dead letter", hint="name the stream that `--dead` named")


def _where(place: Place) -> tuple[str, str]:
    return place.url.netloc, place.options.get("db", "0")
