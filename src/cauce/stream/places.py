"""What `--from`, `--to` and `--dead` name."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from cauce.errors import InputError, UnknownScheme, nearest, need
from cauce.settings import Stream
from cauce.stream.broker import Apart, Output, Sink, Source
from cauce.stream.pace import Pace
from cauce.stream.parts import FORMATS, Parts
from cauce.stream.patience import Patience
from cauce.stream.replay import Replay
from cauce.stream.standard import Lines, Stdin

if TYPE_CHECKING:
    from cauce.stream.redis import Server

SCHEMES = ("redis", "rediss", "file", "-")
Options = Mapping[str, tuple[str, ...]]
READ: Options = {"file": ("rate", "speed", "loop"), "redis": ("db",)}
WRITTEN: Options = {"file": ("format",), "redis": ("db",)}


@dataclass(frozen=True)
class Place:
    """An address, taken apart.

    Attributes:
        scheme: one of `SCHEMES`; `rediss` is `redis` here.
        path: a file, a folder or a stream.

    """

    scheme: str
    path: str
    options: dict[str, str]
    url: SplitResult

    def number(self, name: str) -> float:
        """An option that is a number, 0 where it was not given.

        Raises:
            InputError: it is none, or below 0.

        """
        try:
            value = float(self.options.get(name, 0))
        except ValueError:
            value = -1.0
        if not 0 <= value < float("inf"):
            raise InputError(f'{name}="{self.options[name]}" is no number from 0 on', hint=f"write it as {name}=10")
        return value


def read(text: str, known: Options) -> Place:
    """Take an address apart.

    Args:
        known: the options of each scheme.

    Raises:
        UnknownScheme: it names none of `SCHEMES`.
        InputError: an option that the scheme does not have, or no path.

    """
    if text == "-":
        return Place("-", "", {}, urlsplit(""))
    url = urlsplit(text)
    if url.scheme not in SCHEMES:
        which = f'"{url.scheme}:"' if url.scheme else f'"{text}" without a scheme'
        hint = nearest(url.scheme, SCHEMES) or "known are redis://host/stream, file:PATH, and - for stdin and stdout"
        raise UnknownScheme(f"{which} is no place of a stream", hint=hint)
    scheme = url.scheme.replace("rediss", "redis")
    options = dict(parse_qsl(url.query, keep_blank_values=True))
    for name in options:
        if name not in known[scheme]:
            hint = nearest(name, known[scheme]) or f"{scheme} has: {', '.join(known[scheme]) or 'none'}"
            raise InputError(f'{scheme}: has no option "{name}"', hint=hint)
    path = unquote(url.path)
    path = path.removeprefix("/") if scheme == "redis" else url.netloc + path
    if not path:
        raise InputError(f"{scheme}: names no {'stream' if scheme == 'redis' else 'file'}", hint="write it behind the scheme")
    return Place(scheme, path, options, url)


@dataclass
class Places:
    """Opens places; two streams of one Redis server share its connections."""

    settings: Stream
    patience: Patience
    _servers: dict[str, Server] = field(default_factory=dict)

    def source(self, text: str) -> Source:
        """Where messages come from.

        Raises:
            InputError, Unavailable, MissingExtra

        """
        place, settings = read(text, READ), self.settings
        if place.scheme == "-":
            return Stdin(settings.max_message_bytes)
        if place.scheme == "file":
            pace, loop = Pace(place.number("rate"), place.number("speed")), "loop" in place.options
            return Replay(Path(place.path), settings.group, settings.max_message_bytes, pace, loop=loop)
        from cauce.stream.redis import RedisSource

        return RedisSource(self.server(place), place.path, settings.group, settings.takeover)

    def sink(self, text: str, *, letters: bool = False) -> Sink:
        """Where documents go.

        Args:
            letters: they are dead letters: always JSON lines, and shown on stderr.

        Raises:
            InputError, Unavailable, MissingExtra

        """
        place, settings = read(text, WRITTEN), self.settings
        if place.scheme == "-":
            return Lines((sys.stderr if letters else sys.stdout).buffer)
        if place.scheme == "file":
            kind = place.options.get("format", "jsonl")
            if kind not in FORMATS or (letters and kind != "jsonl"):
                hint = "dead letters are jsonl" if letters else nearest(kind, FORMATS) or f"known are: {', '.join(FORMATS)}"
                raise InputError(f'a stream is not written as "{kind}"', hint=hint)
            return Parts(Path(place.path), kind, settings.part_seconds, settings.part_rows)
        from cauce.stream.redis import RedisSink

        return RedisSink(self.server(place), place.path, settings.remember)

    def server(self, place: Place) -> Server:
        """The Redis server of a place.

        Raises:
            AccessDenied, BrokerGone, MissingExtra

        """
        need("redis", extra="stream", what="redis://")
        from cauce.stream.redis import Server

        db = place.options.get("db", "0")
        name = f"{place.url.scheme}://{place.url.netloc}/{db}"
        if name not in self._servers:
            self._servers[name] = Server(place.url, db, self.patience)
        return self._servers[name]


def joined(source: Source, sink: Sink, dead: Sink) -> Output:
    """The safest way from a source to a sink: in one step, where one server holds both."""
    if "cauce.stream.redis" in sys.modules:
        from cauce.stream.redis import Exchange, RedisSink, RedisSource

        if isinstance(source, RedisSource) and isinstance(sink, RedisSink) and source.server is sink.server:
            return Exchange(source, sink, dead)
    return Apart(source, sink, dead)


def dead_beside(from_: str, to: str) -> str:
    """Where dead letters go if nobody said: beside the messages or, if those come from no broker, beside the results."""
    place, out = read(from_, READ), read(to, WRITTEN)
    if place.scheme == "redis":
        return place.url._replace(path=f"{place.url.path}:dead").geturl()
    return f"file:{Path(out.path) / 'dead_letters'}" if out.scheme == "file" else "-"
