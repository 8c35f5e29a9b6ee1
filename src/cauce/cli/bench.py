"""`cauce bench`: how fast a server answers under a load that does not wait for it."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cauce.cli import show
from cauce.errors import EmptyData, Interrupted, OutputExists, Unavailable, need

if TYPE_CHECKING:
    from cauce.online.load import Measured

EVERY = 5.0  # seconds between two lines of progress where there is no terminal
DRAWN = (10, 25, 50, 75, 90, 95, 99, 99.9, 100)  # percentiles of the chart
EIGHTHS = " ▏▎▍▌▋▊▉"
EXAMPLES = """\b
Examples:
  cauce bench http://127.0.0.1:8000
  cauce bench http://127.0.0.1:8000 --rate 500 --seconds 30 --data messages.csv
  cauce bench http://127.0.0.1:8000/v1/models/topic/predict --out report.json

\b
Each request counts from when it was due, so a server that stalls pays for what came meanwhile.
refused: 429 or 503. failed: another status, no answer within --timeout, or no connection.
goodput: answers a second. late: how late this command itself was, on a machine that is busy."""


def bench(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="The server, or the whole address of a model: …/predict or …/embed.")
    ],
    rate: Annotated[float, typer.Option(min=0.001, help="Requests a second, one text each.")] = 100.0,
    seconds: Annotated[float, typer.Option(min=0.001, help="How long requests are sent.")] = 10.0,
    connections: Annotated[int, typer.Option(min=1, help="The most connections that are open at once.")] = 64,
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds after which a request has failed.")] = 10.0,
    data: Annotated[
        str | None, typer.Option(metavar="FILE", help="A file of texts, sent in turn. [default: some of our own]")
    ] = None,
    text: Annotated[str | None, typer.Option(help="The column of the text. [default: guessed]")] = None,
    token: Annotated[str | None, typer.Option(help="Where the server asks for one.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the figures to this file, as JSON.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the file that --out names.")] = False,
) -> None:
    """Send requests at a fixed rate, whether or not earlier ones were answered, and show how long answers take."""
    need("httptools", extra="serve", what="the bench")
    need("orjson", extra="serve", what="the bench")
    from cauce.online import load

    if out is not None and out.exists() and not replace:
        raise OutputExists(f"{out} exists already", hint="choose another --out, or replace the file with --replace")
    texts = _texts(data, text) if data else load.SAMPLES
    asked = load.Load(rate=rate, seconds=seconds, connections=connections, timeout=timeout)
    with _stoppable() as stop, _progress(asked.seconds) as progress:
        measured = load.run(url, texts, asked, token=token, stop=stop, progress=progress)
    _tell(measured)
    if out is not None:
        _write(out, {"url": url, **measured.as_dict()})
    if stop.is_set():
        raise Interrupted("stopped by Ctrl-C; the figures are of the requests that were sent")
    if not measured.answered:
        raise Unavailable("no request was answered", hint="ask for a lower --rate, or look at the server's log")


def _texts(file: str, text: str | None) -> Sequence[str]:
    """The texts of a file, those left out that a server refuses.

    Raises:
        EmptyData: none is left.

    """
    from cauce.data.columns import text_and_label
    from cauce.data.tables import read_table

    source = read_table(file)
    for said in source.notes:
        show.note(said)
    found = [str(one) for one in source.table.column(text_and_label(source, text, None)[0]).to_pylist() if one is not None]
    if not any(one.strip() for one in found):
        raise EmptyData("there is no text to send", where=file)
    return [one for one in found if one.strip()]


@contextmanager
def _stoppable() -> Iterator[threading.Event]:
    """Ctrl-C ends the load and keeps what was measured; a second one ends the command."""
    stop = threading.Event()

    def asked(signum: int, frame: Any) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        show.note("waiting for the requests on their way; once more stops now")

    before = {number: signal.signal(number, asked) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _progress(seconds: float) -> Iterator[Callable[[Measured, float], None]]:
    """A bar on a terminal, a line now and then elsewhere."""
    with show.bar() as bar:
        told = time.monotonic()

        def progress(now: Measured, elapsed: float) -> None:
            nonlocal told
            if not sys.stderr.isatty() and time.monotonic() - told < EVERY:
                return
            told = time.monotonic()
            refused, failed = len(now.refused), now.failed.total()
            bar(
                min(1.0, elapsed / seconds),
                f"{now.due:,} sent  {len(now.answered):,} answered  {refused:,} refused  {failed:,} failed",
            )

        yield progress


def _tell(measured: Measured) -> None:
    """Counts, a table of times, and on a terminal a chart."""
    from cauce.online.load import milliseconds

    counts = (("sent", measured.due), ("answered", len(measured.answered)), ("refused", len(measured.refused)))
    show.table(
        (*(name for name, _ in counts), "failed", "goodput"),
        [[*(str(count) for _, count in counts), str(measured.failed.total()), f"{measured.goodput:.1f}/s"]],
    )
    times = {"answered": measured.answered, "refused": measured.refused, "late": measured.late}
    shown = {name: milliseconds(one) for name, one in times.items() if one}
    names = tuple(next(iter(shown.values())))
    typer.echo()
    show.table(("ms", *names), [[name, *(f"{one[each]:.2f}" for each in names)] for name, one in shown.items()])
    for what, count in measured.failed.most_common():
        show.note(f"{count:,} failed: {what}")
    if sys.stdout.isatty() and measured.answered:
        typer.echo()
        for line in _chart(milliseconds(measured.answered, DRAWN), shutil.get_terminal_size().columns):
            typer.echo(line)


def _chart(times: dict[str, float], width: int) -> list[str]:
    """A bar for each percentile, the longest as wide as there is room."""
    most, room = max(times.values()), max(10, min(width, 100) - 24)
    lines = []
    for name, value in times.items():
        whole, part = divmod(round(8 * room * value / most) if most else 0, 8)
        lines.append(f"{name:>6}  {'█' * whole}{EIGHTHS[part].strip()}  {value:,.2f} ms")
    return lines


def _write(path: Path, report: dict[str, Any]) -> None:
    from cauce.data.write import aside

    with aside(path) as room:
        room.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    show.say(f"wrote the figures to {path}")
