"""`cauce stream`: messages in, answers out, without losing one."""

from __future__ import annotations

import re
import signal
import sys
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cauce.cli import show
from cauce.errors import BadSetting, need
from cauce.text.visible import visible

if TYPE_CHECKING:
    from cauce.settings import Stream
    from cauce.stream.schemes import Opening

SHOWN = 10  # messages that `tail` has room for at least
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}
EXAMPLES = """\b
Examples:
  cauce stream run model/ --from redis://localhost/raw --to redis://localhost/scored
  cauce stream run sentiment --from redis://localhost/raw --to file:scored/?format=parquet
  cauce stream run model/ --from file:posts.jsonl?rate=100 --to -
  cauce stream status --from redis://localhost/raw
  cauce stream tail redis://localhost/scored
  cauce stream redrive --dead redis://localhost/raw:dead --to redis://localhost/raw"""
RUN = """\b
Addresses:
  redis://[user:password@]host[:port]/stream?db=0    in and out
  file:posts.jsonl?rate=100   in: at 100 a second; ?speed=2: twice as fast as recorded; ?loop: again and again
  file:folder/?format=parquet out: parts of Parquet, or of jsonl
  http://127.0.0.1:9000/messages   in: what others send there by POST
  console:?last=10            out: a table that is kept up to date
  -                           stdin, stdout

\b
Exit codes:
  0  the source ended and every message is answered, or it was told to end
  5  the source ended; some messages are dead letters
  4  the broker is gone or the disk is full: run the same command again, it goes on where it stopped
  2  an address, an option or a password is wrong; 3 the model folder is"""

From = Annotated[str | None, typer.Option("--from", help="Where messages come from.", show_default=False)]
Name = Annotated[str | None, typer.Option(help="Of a [stream.NAME] in cauce.toml; flags go before what it says.")]
To = Annotated[str | None, typer.Option(help="Where answers go.", show_default=False)]
Dead = Annotated[str | None, typer.Option(help="Where dead letters go. [default: the stream FROM:dead, or OUT/dead_letters]")]
Model = Annotated[
    str | None, typer.Argument(metavar="MODEL", help="A model folder, a registered name that is followed, or `echo`.")
]
Group = Annotated[str | None, typer.Option(help="Whose position in the messages. [default: cauce]")]
WorkerName = Annotated[
    str | None, typer.Option(help="What it is called in its group; a second one is refused. [default: its own each time]")
]
Metrics = Annotated[
    str | None,
    typer.Option(metavar="[HOST:]PORT", help="Where Prometheus reads; of several workers each has the next port."),
]
MaxDelay = Annotated[str | None, typer.Option(metavar="50ms", help="How long a message may wait for others. [default: 50ms]")]
Rescore = Annotated[bool, typer.Option("--rescore", help="Another version's answer is another result; give a new --group too.")]
Variant = Annotated[
    str | None, typer.Option(help="Which variant answers. [default: auto, the best that is proven on this processor]")
]
Wait = Annotated[
    float | None, typer.Option(min=0, help="Seconds that a broker which is gone is waited for; 0: not at all. [default: 300]")
]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]

app = typer.Typer(
    help="Answer messages as they come, and lose none.", rich_markup_mode=None, no_args_is_help=True, epilog=EXAMPLES
)


@app.command("run", epilog=RUN)
def run(
    model: Model = None,
    from_: From = None,
    to: To = None,
    dead: Dead = None,
    name: Name = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes that share the messages. [default: 1]")] = None,
    worker_name: WorkerName = None,
    metrics: Metrics = None,
    max_delay: MaxDelay = None,
    windows: Annotated[str | None, typer.Option(help="The database of the counts by label and minute: sql:…")] = None,
    term: Annotated[list[str] | None, typer.Option(help="A word or phrase whose messages are counted too.")] = None,
    alert: Annotated[
        list[str] | None, typer.Option(metavar="RULE", help='Such as "share(negative) > 40 % over 10 min, n >= 50".')
    ] = None,
    alert_to: Annotated[str | None, typer.Option(help="Where alerts go: webhook:https://…")] = None,
    group: Group = None,
    rescore: Rescore = False,
    wait: Wait = None,
    variant: Variant = None,
) -> None:
    """Answer messages until the source ends or SIGTERM comes. The same command again goes on where it stopped."""
    _needed()
    from cauce.cli import stream_run

    flags: dict[str, Any] = {"name": name, "model": model, "from_": from_, "to": to, "dead": dead, "variant": variant}
    flags |= {"group": group, "wait": wait, "workers": workers, "worker_name": worker_name, "metrics": metrics}
    flags |= {"rescore": rescore or None, "max_delay": None if max_delay is None else _seconds(max_delay)}
    flags |= {"windows": windows, "terms": term, "alerts": alert, "alert_to": alert_to}
    settings = stream_run.settings_of(flags)
    if settings.workers > 1:
        stream_run.several(settings, flags)
    else:
        stream_run.alone(settings)


@app.command("autoscale")
def autoscale(
    model: Model = None,
    from_: From = None,
    to: To = None,
    least: Annotated[int, typer.Option("--min", min=1, help="Workers in any case.")] = 1,
    most: Annotated[int | None, typer.Option("--max", min=1, help="Workers at most. [default: one a processor]")] = None,
    target_lag: Annotated[str, typer.Option(metavar="5s", help="How long a message should wait for a worker at most.")] = "5s",
    dead: Dead = None,
    name: Name = None,
    worker_name: WorkerName = None,
    metrics: Metrics = None,
    max_delay: MaxDelay = None,
    group: Group = None,
    rescore: Rescore = False,
    wait: Wait = None,
    variant: Variant = None,
) -> None:
    """Answer messages with as many workers as keep them from waiting: more at once, fewer after a calm."""
    _needed()
    from cauce.cli import stream_run, stream_scale

    flags: dict[str, Any] = {"name": name, "model": model, "from_": from_, "to": to, "dead": dead, "variant": variant}
    flags |= {"group": group, "wait": wait, "worker_name": worker_name, "metrics": metrics}
    flags |= {"rescore": rescore or None, "max_delay": None if max_delay is None else _seconds(max_delay)}
    stream_scale.scaled(stream_run.settings_of(flags), flags, least, most, _seconds(target_lag))


@app.command("worker", hidden=True)
def worker() -> None:
    """One of several workers: `--workers` starts them."""
    _needed()
    from cauce.cli import stream_run

    stream_run.one_of_several()


@app.command("status")
def status(from_: From = None, name: Name = None, group: Group = None, wait: Wait = 0.0, json: Json = False) -> None:
    """How many messages wait, how long already, and how many are held by workers."""
    from dataclasses import asdict

    settings = _settings(name, from_=from_, group=group, wait=wait)
    if not settings.from_:
        raise BadSetting("--from is missing", hint="give it, or --name NAME of a [stream.NAME] in cauce.toml")
    from cauce.stream import places

    groups = places.groups(settings.from_, _opening(settings))
    if json:
        show.as_json([asdict(one) for one in groups])
        return
    names = ("group", "waiting", "seconds", "held", "workers")
    rows = [(one.name, one.waiting, one.waiting_seconds, one.held, one.workers) for one in groups]
    show.table(names, [["" if cell is None else str(cell) for cell in row] for row in rows])


@app.command("redrive")
def redrive(
    dead: Annotated[str, typer.Option(help="Where the dead letters are.", show_default=False)],
    to: Annotated[str, typer.Option(help="The topic that their messages go back to, or - for stdout.", show_default=False)],
    code: Annotated[str | None, typer.Option(help="Only those with this code.")] = None,
    wait: Wait = 0.0,
    json: Json = False,
) -> None:
    """Give the messages of dead letters out again, once what was wrong is mended."""
    from cauce.stream.redrive import redrive as moved

    done = moved(_opening(_settings(wait=wait)), dead, to, code=code)
    if json:
        show.as_json({"redriven": dict(done.went), "left": dict(done.stayed)})
        return
    show.note(f"{done.went.total():,} messages are given out again; {done.stayed.total():,} letters are left")


@app.command("tail")
def tail(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="A topic, or a folder of parts: as behind --to.")],
    last: Annotated[int, typer.Option(min=0, max=1000, help="How many of those that are there already.")] = 10,
    wait: Wait = 0.0,
    json: Json = False,
) -> None:
    """Show what is written to a topic, as it comes, until Ctrl-C. Nobody gets a message less for it."""
    settings = _settings(wait=wait)
    from cauce.stream import places

    messages = places.tail(address, _opening(settings), last)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        if json or not sys.stdout.isatty():
            for one in messages:
                typer.echo(_as_line(one))
            return
        from rich.console import Console

        from cauce.stream.sinks.screen import Screen, document_of

        with closing(Screen(Console(), max(last, SHOWN))) as screen:
            for one in messages:
                screen.add([document_of(one)])


def _needed() -> None:
    need("orjson", extra="stream", what="cauce stream")


def _settings(name: str | None = None, **given: Any) -> Stream:
    _needed()
    from cauce.settings import Stream, read

    return read(Stream, name, **given)


def _opening(settings: Stream) -> Opening:
    import threading

    from cauce.stream.patience import Patience
    from cauce.stream.schemes import Opening

    return Opening(settings, Patience(settings.wait, show.note, threading.Event()))


def _as_line(message: bytes) -> str:
    """A message as JSON on one line that a terminal does not obey; what is no JSON as a text."""
    import orjson

    try:
        found = orjson.loads(message)
    except ValueError:
        found = message.decode(errors="replace")
    line = message if b"\n" not in message and not isinstance(found, str) else orjson.dumps(found)
    return visible(line.decode()) if sys.stdout.isatty() else line.decode()


def _seconds(written: str) -> float:
    """Seconds of `50ms`, `2s`, `1m` or a bare number of seconds.

    Raises:
        BadSetting: it is none of these.

    """
    found = re.fullmatch(r"([0-9]*\.?[0-9]+)(ms|s|m)?", written.strip())
    if found is None:
        raise BadSetting(f'"{written}" is no time', hint="write it as 50ms, 2s or 1m")
    return float(found[1]) * UNITS[found[2] or "s"]
