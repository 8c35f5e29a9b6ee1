"""What the body of a request holds: one JSON object, an array of them, or JSON lines. Each message stays as it was written."""

from __future__ import annotations

import json
import re

from cauce.errors import BodyTooLarge, WrongBody, WrongMediaType

JSON, LINES = "application/json", "application/x-ndjson"
BLANK = re.compile(r"[ \t\r\n]*")
DECODER = json.JSONDecoder(parse_int=str, parse_float=str)  # it only says where a value ends: numbers may be of any length


def kind_of(header: str) -> str:
    """The kind of a body: `JSON`, `LINES`, or empty where its sender does not say.

    Raises:
        WrongMediaType

    """
    kind = header.partition(";")[0].strip().lower()
    if kind not in (JSON, LINES, ""):
        hint = f"send {JSON} (an object, or an array of them) or {LINES} (one on each line)"
        raise WrongMediaType(f'the body is "{kind[:40]}"', hint=hint)
    return kind


def messages_of(body: bytes, kind: str, most: int) -> list[bytes]:
    """The messages of a body. Without a kind it is an array if it begins like one, else lines.

    Args:
        most: how many it may hold.

    Raises:
        WrongBody: an array that does not end well.
        BodyTooLarge: more than `most`.

    """
    if not body or body.isspace():
        return []
    if kind != LINES and body[:1024].lstrip()[:1] == b"[":
        return _elements(body, most)
    if kind == JSON:
        return [body]
    if body.count(b"\n") > most:
        raise _too_many(most)
    return [line for line in body.split(b"\n") if line and not line.isspace()]


def _elements(body: bytes, most: int) -> list[bytes]:
    """The elements of an array."""
    found: list[bytes] = []
    try:
        text = body.decode()
        at = _next(text, text.index("[") + 1)
        while text[at] != "]" or found:
            end = DECODER.raw_decode(text, at)[1]
            found.append(text[at:end].encode())
            if len(found) > most:
                raise _too_many(most)
            at = _next(text, end)
            if text[at] == "]":
                break
            if text[at] != ",":
                raise WrongBody(f"there is no comma at character {at} of the array", hint="send a JSON array, or JSON lines")
            at = _next(text, at + 1)
        if _next(text, at + 1) != len(text):
            raise WrongBody(f"the array ends at character {at}, and more follows", hint="send one array, or JSON lines")
    except (ValueError, IndexError, RecursionError):  # of which a wrong encoding is one
        raise WrongBody("the body begins as a JSON array and is none", hint="send it whole, in UTF-8") from None
    return found


def _next(text: str, at: int) -> int:
    """The next place that is not blank."""
    found = BLANK.match(text, at)
    return found.end() if found else at


def _too_many(most: int) -> BodyTooLarge:
    return BodyTooLarge(f"the body holds more than {most} messages", hint="send fewer at once")
