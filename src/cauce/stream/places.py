"""Opens what `--from`, `--to` and `--dead` name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, runtime_checkable

from cauce.errors import InputError
from cauce.stream import schemes
from cauce.stream.contract import Apart, Output, Sink, Source
from cauce.stream.records import Records
from cauce.stream.results import Results
from cauce.stream.schemes import Group, Opening


@runtime_checkable
class Exchanges(Protocol):
    """A source whose server can take results and acknowledgements in one step."""

    def exchange(self, sink: Sink[Results], dead: Sink[Records]) -> Output | None:
        """The output that does so, or None where this sink is elsewhere."""
        ...


def source(text: str, opening: Opening) -> Source:
    """Where messages come from.

    Raises:
        InputError, Unavailable, MissingExtra

    """
    scheme, place = schemes.of(text), schemes.read(text, written=False)
    if scheme.source is None:
        raise InputError(f"{place.scheme}: gives no messages", hint="it can only be written: name it behind --to")
    return scheme.source(place, opening)


def sink(text: str, opening: Opening) -> Sink[Results]:
    """Where results go.

    Raises:
        InputError, Unavailable, MissingExtra

    """
    scheme, place = schemes.of(text), schemes.read(text, written=True)
    if scheme.sink is None:
        raise InputError(f"{place.scheme}: takes no results", hint="it can only be read: name it behind --from")
    return scheme.sink(place, opening)


def dead(text: str, opening: Opening) -> Sink[Records]:
    """Where dead letters go.

    Raises:
        InputError, Unavailable, MissingExtra

    """
    scheme, place = schemes.of(text), schemes.read(text, written=True)
    if scheme.dead is None:
        raise InputError(f"{place.scheme}: takes no dead letters", hint="name a folder or a topic behind --dead")
    return scheme.dead(place, opening)


def groups(text: str, opening: Opening) -> list[Group]:
    """Who reads a source, and how far they are.

    Raises:
        InputError: there is no such source, or it has no groups.
        Unavailable, MissingExtra

    """
    scheme, place = schemes.of(text), schemes.read(text, written=False)
    if scheme.groups is None:
        raise InputError(f"{place.scheme}: has no position", hint="name a broker, or file:PATH")
    return scheme.groups(place, opening)


def tail(text: str, opening: Opening, last: int) -> Iterator[bytes]:
    """The last messages of a topic, then those that come.

    Raises:
        InputError: there is no such topic, or it cannot be looked at.
        Unavailable, MissingExtra

    """
    scheme, place = schemes.of(text), schemes.read(text, written=True)
    if scheme.tail is None:
        raise InputError(f"{place.scheme}: cannot be looked at as it comes", hint="name a topic, or a folder of parts")
    return scheme.tail(place, opening, last)


def shared(from_: str, *written: str) -> None:
    """Whether several workers can share these.

    Raises:
        InputError: one of them is for one worker alone.
        UnknownScheme, MissingExtra

    """
    reasons = ((from_, schemes.of(from_).one_reader), *((text, schemes.of(text).one_writer) for text in written))
    for text, reason in reasons:
        if reason:
            raise InputError(
                f'several workers cannot share "{schemes.without_password(text)}": {reason}',
                hint="start one worker, or put a broker there such as redis://host/stream",
            )


def joined(source: Source, sink: Sink[Results], dead: Sink[Records]) -> Output:
    """The safest way from a source to a sink: in one step, where one server holds both."""
    output = source.exchange(sink, dead) if isinstance(source, Exchanges) else None
    return output or Apart(source, sink, dead)


def dead_beside(from_: str, to: str) -> str:
    """Where dead letters go if nobody said: beside the messages or, if those come from no broker, beside the results."""
    place = schemes.read(from_, written=False)
    if beside := schemes.of(from_).beside:
        return beside(place)
    out = schemes.read(to, written=True)
    return f"file:{Path(out.path) / 'dead_letters'}" if out.scheme == "file" else "-"
