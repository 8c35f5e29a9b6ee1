"""What an address such as `redis://host/raw` opens. Ours and those of others are found by the same door: entry points."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from cauce.errors import InputError, MissingExtra, UnknownScheme, nearest
from cauce.settings import Stream
from cauce.stream.contract import Sink, Source
from cauce.stream.patience import Patience
from cauce.stream.records import Records
from cauce.stream.results import Results

GROUP = "cauce.streams"  # of entry points: each is named like its scheme, and names a `Scheme`
EXTRAS = {"nats": "nats", "kafka": "kafka", "sql": "sql"}  # where it is not `stream`


@dataclass(frozen=True)
class Place:
    """An address, taken apart.

    Attributes:
        path: a file, a folder, a stream, a topic.

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


@dataclass(frozen=True)
class Opening:
    """What those who open a place are given.

    Attributes:
        shared: connections of places that are opened together, by whatever tells them apart.

    """

    settings: Stream
    patience: Patience
    shared: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Group:
    """Where those stand who read a source together.

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


@dataclass(frozen=True)
class Scheme:
    """What a scheme can do; what is None it cannot.

    Attributes:
        form: how an address is written, for messages; one that ends with a colon has no path.
        reads, writes: the options of an address that is read, and of one that is written. None: any; they are another's.
        source: opens where messages come from.
        sink: opens where results go.
        dead: opens where dead letters go.
        groups: who reads, and how far they are.
        beside: the address for the dead letters of a source's messages.
        tail: the last messages, so many at most, then those that come, for as long as it is asked; nobody gets fewer for it.
        one_reader, one_writer: why one worker alone can read or write there; empty where several can.
        named: whether the broker keeps the names of workers, so that `worker_name` means something.

    All that open may raise InputError, AccessDenied, BrokerGone.

    """

    form: str
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] | None = ()
    source: Callable[[Place, Opening], Source] | None = None
    sink: Callable[[Place, Opening], Sink[Results]] | None = None
    dead: Callable[[Place, Opening], Sink[Records]] | None = None
    groups: Callable[[Place, Opening], list[Group]] | None = None
    beside: Callable[[Place], str] | None = None
    tail: Callable[[Place, Opening, int], Iterator[bytes]] | None = None
    one_reader: str = ""
    one_writer: str = ""
    named: bool = False


@cache
def known() -> dict[str, EntryPoint]:
    """The schemes that are installed, by name."""
    return {one.name: one for one in entry_points(group=GROUP)}


def of(text: str) -> Scheme:
    """The scheme of an address.

    Raises:
        UnknownScheme: there is none of its name.
        MissingExtra: what it needs is not installed.

    """
    name = urlsplit(text).scheme if text != "-" else "-"
    if name not in known():
        which = f'"{name}:"' if name else f'"{text}" without a scheme'
        hint = nearest(name, known()) or f"known are: {', '.join(sorted(known()))}; and - for stdin and stdout"
        raise UnknownScheme(f"{which} is no place of a stream", hint=hint)
    try:
        found: Scheme = known()[name].load()
    except ModuleNotFoundError as error:
        extra = EXTRAS.get(name, "stream")
        raise MissingExtra(f"{name}: needs {error.name}", hint=f'pip install "cauce[{extra}]"') from None
    return found


def read(text: str, *, written: bool) -> Place:
    """Take an address apart.

    Args:
        written: it is one that is written, not read.

    Raises:
        UnknownScheme, MissingExtra
        InputError: an option that the scheme does not have, or no path.

    """
    scheme = of(text)
    if text == "-":
        return Place("-", "", {}, urlsplit(""))
    url = urlsplit(text)
    options = dict(parse_qsl(url.query, keep_blank_values=True))
    names = scheme.writes if written else scheme.reads
    for name in options:
        if names is not None and name not in names:
            hint = nearest(name, names) or f"{url.scheme} has: {', '.join(names) or 'none'}"
            raise InputError(f'{url.scheme}: has no option "{name}"', hint=hint)
    path = unquote(url.path)
    path = path.removeprefix("/") if "://" in scheme.form else url.netloc + path
    if not path and not scheme.form.endswith(":"):
        raise InputError(f"{url.scheme}: names nothing", hint=f"write it as {scheme.form}")
    return Place(url.scheme, path, options, url)


def without_password(text: str) -> str:
    """An address as it may be shown."""
    return re.sub(r"//[^@/]*@", "//", text)
