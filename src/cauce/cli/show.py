"""How commands talk: data on stdout, talk on stderr, tables and bars on a terminal only."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer

from cauce.errors import CauceError
from cauce.text.visible import visible


def say(line: str) -> None:
    """A line of talk."""
    typer.echo(line, err=True)


def note(line: str) -> None:
    """A line of talk that something was decided or found."""
    say(f"{typer.style('note:', fg='yellow')} {line}")


def next_command(line: str) -> None:
    """What to type next."""
    say(f"\n{typer.style('next:', fg='cyan')} {line}")


def as_json(value: Any) -> None:
    """One JSON document on stdout."""
    typer.echo(json.dumps(value, ensure_ascii=False))


def error(wrong: CauceError) -> None:
    """An error: what, where, what to do."""
    say(f"{typer.style('error:', fg='red')} {wrong.message}")
    if wrong.where:
        say(f"  --> {wrong.where}")
    if wrong.hint:
        say(f"\n{typer.style('hint:', fg='cyan')} {wrong.hint}")


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on a terminal, tab-separated lines elsewhere."""
    if not sys.stdout.isatty():
        for row in (headers, *rows):
            typer.echo("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(*headers, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        drawn.add_row(*[Text(cell) for cell in row])
    Console().print(drawn)


def wrapped(text: str) -> str:
    """A text of several lines, indented and as wide as the terminal."""
    width = min(shutil.get_terminal_size().columns, 100)
    options: dict[str, Any] = {"initial_indent": "  ", "subsequent_indent": "  ", "replace_whitespace": False}
    return "\n".join(textwrap.fill(visible(line), width, **options) for line in text.replace("\r\n", "\n").split("\n"))


@contextmanager
def bar() -> Iterator[Callable[[float, str], None]]:
    """A progress bar on a terminal; elsewhere a line for each step."""
    if not sys.stderr.isatty():
        yield lambda share, what: say(f"{share:4.0%}  {what}")
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("starting", total=1.0)
        yield lambda share, what: progress.update(task, completed=share, description=what)
