"""`console:`: results for people: a live table on a terminal, a short line for each elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TextIO

import orjson
from rich.console import Console

from cauce.errors import InputError
from cauce.stream.contract import AtOnce
from cauce.stream.message import Document
from cauce.stream.records import Records
from cauce.stream.schemes import Opening, Place, Scheme
from cauce.stream.sinks.screen import Screen, cells

LAST, MOST = 10, 1000  # results that are shown


class Shown(AtOnce):
    """Results on a screen."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def write(self, records: Records) -> None:
        """Show them."""
        self._screen.add(_documents(records))

    def close(self) -> None:
        """Leave the last ones on the terminal."""
        self._screen.close()


class Plain(AtOnce):
    """A line for each result: time, label, score and text, with tabs between them."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, records: Records) -> None:
        """Write them."""
        self._file.writelines("\t".join(cells(one)) + "\n" for one in _documents(records))

    def flush(self) -> None:
        """Hand them over."""
        self._file.flush()

    def close(self) -> None:
        """Nothing to do: the stream is not ours."""


def _documents(records: Records) -> Iterator[Document]:
    return map(orjson.loads, records.lines.to_pylist())


def _sink(place: Place, opening: Opening) -> Shown | Plain:
    last = place.number("last") if "last" in place.options else LAST
    if not 1 <= last <= MOST or last % 1:
        raise InputError(
            f"{last:g} results cannot be shown", hint=f"give a whole number from 1 to {MOST}: console:?last={LAST}"
        )
    return Shown(Screen(Console(file=sys.stdout), int(last))) if sys.stdout.isatty() else Plain(sys.stdout)


SCHEME = Scheme("console:", writes=("last",), sink=_sink, one_writer="it is one terminal")
