"""`cauce stream`: messages in, answers out, without losing one."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cauce.cli import options as option
from cauce.cli import show
from cauce.cli.models import open_model
from cauce.cli.stopping import stoppable
from cauce.errors import BadSetting, need

if TYPE_CHECKING:
    import threading

    from cauce.model.model import Model
    from cauce.settings import Stream
    from cauce.stream.places import Places
    from cauce.stream.worker import Counts

DEAD_LETTERS = 5  # exit code: the source ended, and some messages were not answered
EVERY = 5.0  # seconds between two lines of progress
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}
EXAMPLES = """\b
Examples:
  cauce stream run model/ --from redis://localhost/raw --to redis://localhost/scored
  cauce stream run sentiment --from redis://localhost/raw --to file:scored/?format=parquet
  cauce stream run model/ --from file:posts.jsonl?rate=100 --to -
  cauce stream status --from redis://localhost/raw
  cauce stream redrive --dead redis://localhost/raw:dead --to redis://localhost/raw"""
RUN = """\b
Addresses:
  redis://[user:password@]host[:port]/stream?db=0    in and out
  file:posts.jsonl?rate=100   in: at 100 a second; ?speed=2: twice as fast as recorded; ?loop: again and again
  file:folder/?format=parquet out: parts of Parquet, or of jsonl
  -                           stdin, stdout

\b
Exit codes:
  0  the source ended and every message is answered, or it was told to end
  5  the source ended; some messages are dead letters
  4  the broker is gone or the disk is full: run the same command again, it goes on where it stopped
  2  an address, an option or a password is wrong; 3 the model folder is"""

From = Annotated[str, typer.Option("--from", help="Where messages come from.", show_default=False)]
Group = Annotated[str | None, typer.Option(help="Whose position in the messages. [default: cauce]")]
Wait = Annotated[
    float | None, typer.Option(min=0, help="Seconds that a broker which is gone is waited for; 0: not at all. [default: 300]")
]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]

app = typer.Typer(
    help="Answer messages as they come, and lose none.", rich_markup_mode=None, no_args_is_help=True, epilog=EXAMPLES
)


@app.command("run", epilog=RUN)
def run(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A model folder, a registered name that is followed, or `echo`.")
    ],
    from_: From,
    to: Annotated[str, typer.Option(help="Where answers go.", show_default=False)],
    dead: Annotated[
        str | None, typer.Option(help="Where dead letters go. [default: the stream FROM:dead, or OUT/dead_letters]")
    ] = None,
    max_delay: Annotated[
        str | None, typer.Option(metavar="50ms", help="How long a message may wait for others. [default: 50ms]")
    ] = None,
    group: Group = None,
    rescore: Annotated[
        bool, typer.Option("--rescore", help="Another version's answer is another result; give a new --group too.")
    ] = False,
    wait: Wait = None,
    variant: option.Variant = "auto",
) -> None:
    """Answer messages until the source ends or SIGTERM comes. The same command again goes on where it stopped."""
    settings = _settings(group=group, wait=wait, max_delay=None if max_delay is None else _seconds(max_delay))
    from cauce.stream.places import Places, dead_beside, joined
    from cauce.stream.worker import Limits, Worker

    letters = dead or dead_beside(from_, to)
    limits = Limits(**{name: getattr(settings, name) for name in Limits.__dataclass_fields__})
    said = "ending: what was fetched is answered; once more ends at once"
    again = "run the same command again: what was not acknowledged is answered then"
    with stoppable(said, hint=again) as stop, ExitStack() as opened:
        current = _followed(model, variant, opened)
        places = Places(settings, _patience(settings, stop))
        sink = places.sink(to)
        opened.callback(sink.close)
        letterbox = places.sink(letters, letters=True)
        opened.callback(letterbox.close)
        source = places.source(from_)
        opened.callback(source.close)
        with _progress() as progress:
            worker = Worker(
                current,
                source,
                sink,
                joined(source, sink, letterbox),
                limits,
                rescore=rescore,
                tell=show.note,
                progress=progress,
            )
            counts = worker.run(stop)
        told_to_end = stop.is_set()
    show.say(_line(counts))
    if counts.dead:
        codes = ", ".join(f"{code} ({count})" for code, count in counts.dead.most_common())
        show.note(f"dead letters are in {_without_password(letters)}: {codes}")
        if not told_to_end:
            raise typer.Exit(DEAD_LETTERS)


@app.command("status")
def status(from_: From, group: Group = None, wait: Wait = 0.0, json: Json = False) -> None:
    """How many messages wait, how long already, and how many are held by workers."""
    from dataclasses import asdict

    from cauce.stream.status import status as found

    groups = found(_places(group, wait), from_)
    if json:
        show.as_json([asdict(one) for one in groups])
        return
    names = ("group", "waiting", "seconds", "held", "workers")
    rows = [(one.name, one.waiting, one.waiting_seconds, one.held, one.workers) for one in groups]
    show.table(names, [["" if cell is None else str(cell) for cell in row] for row in rows])


@app.command("redrive")
def redrive(
    dead: Annotated[str, typer.Option(help="The stream of the dead letters.", show_default=False)],
    to: Annotated[str, typer.Option(help="The stream that their messages go back to.", show_default=False)],
    code: Annotated[str | None, typer.Option(help="Only those with this code.")] = None,
    wait: Wait = 0.0,
    json: Json = False,
) -> None:
    """Give the messages of dead letters out again, once what was wrong is mended."""
    from cauce.stream.redrive import redrive as moved

    went, stayed = moved(_places(None, wait), dead, to, code=code)
    if json:
        show.as_json({"redriven": dict(went), "left": dict(stayed)})
        return
    show.say(f"{went.total():,} messages are given out again; {stayed.total():,} letters are left")


def _settings(**given: Any) -> Stream:
    need("orjson", extra="stream", what="cauce stream")
    from cauce.settings import Stream, read

    return read(Stream, **given)


def _places(group: str | None, wait: float | None) -> Places:
    import threading

    settings = _settings(group=group, wait=wait)
    from cauce.stream.places import Places

    return Places(settings, _patience(settings, threading.Event()))


def _patience(settings: Stream, stop: threading.Event) -> Any:
    from cauce.stream.patience import Patience

    return Patience(settings.wait, show.note, stop)


def _followed(name: str, variant: str, opened: ExitStack) -> Callable[[], Model]:
    """The model that answers now: of a registered name the one that its pointer names, from batch to batch."""
    from cauce.registry import named, names
    from cauce.registry.follow import Follower

    if name == "echo" or Path(name).is_dir() or named.find(name).version is None or names.parse(name).is_prefix:
        model = open_model(name, variant)
        model.warm_up()
        return lambda: model
    follower = opened.enter_context(Follower(name, variant=variant))
    return lambda: follower.model


@contextmanager
def _progress() -> Iterator[Callable[[Counts], None]]:
    """A line now and then, where something was done since the last."""
    told, before, begun = time.monotonic(), 0, time.monotonic()

    def progress(counts: Counts) -> None:
        nonlocal told, before, begun
        now = time.monotonic()
        if now - told >= EVERY and counts.read > before:
            show.say(f"{_line(counts)}  {(counts.read - before) / (now - begun):,.0f}/s")
            told = begun = now
            before = counts.read

    yield progress


def _line(counts: Counts) -> str:
    parts = [f"{counts.read:,} messages", f"{counts.out:,} answered"]
    parts += [f"{counts.duplicates:,} known already"] * bool(counts.duplicates)
    parts += [f"{counts.dead.total():,} dead letters"] * bool(counts.dead)
    return ", ".join(parts)


def _seconds(written: str) -> float:
    """Seconds of `50ms`, `2s`, `1m` or a bare number of seconds.

    Raises:
        BadSetting: it is none of these.

    """
    found = re.fullmatch(r"([0-9]*\.?[0-9]+)(ms|s|m)?", written.strip())
    if found is None:
        raise BadSetting(f'"{written}" is no time', hint="write it as 50ms, 2s or 1m")
    return float(found[1]) * UNITS[found[2] or "s"]


def _without_password(address: str) -> str:
    return re.sub(r"//[^@/]*@", "//", address)
