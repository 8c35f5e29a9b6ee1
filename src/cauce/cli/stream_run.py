"""What `cauce stream run` does: one worker in this process, or several in processes of their own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import typer

from cauce.cli import show
from cauce.cli.models import open_model
from cauce.cli.stopping import GRACE, stoppable
from cauce.errors import BadSetting, CauceError, need
from cauce.model.model import Model
from cauce.registry import named
from cauce.registry.follow import Follower
from cauce.settings import Stream, read
from cauce.settings import settings as of_process
from cauce.stream import places, process, schemes
from cauce.stream.crew import Crew
from cauce.stream.patience import Patience
from cauce.stream.process import Process, Reports
from cauce.stream.schemes import Opening
from cauce.stream.worker import Counts, Worker
from cauce.text.threads import available

if TYPE_CHECKING:
    from cauce.stream.windows.windows import Windows

DEAD_LETTERS = 5  # exit code: the source ended, and some messages were not answered
EVERY = 5.0  # seconds between two lines of progress
LEFT = 3  # deaths that a worker has left where a message has killed all whom it may kill
ENDING = "ending: what was fetched is answered; once more ends at once"
AGAIN = "run the same command again: what was not acknowledged is answered then"


def settings_of(given: dict[str, Any]) -> Stream:
    """The settings of a stream: `name` is the NAME of a `[stream.NAME]`, the others are flags.

    Raises:
        BadSetting: one is wrong, or it is not said what answers, or where messages come from and go to.

    """
    settings = read(Stream, given.get("name"), **{key: value for key, value in given.items() if key != "name"})
    needed = {"MODEL": settings.model, "--from": settings.from_, "--to": settings.to}
    if missing := [name for name, value in needed.items() if not value]:
        raise BadSetting(f"{' and '.join(missing)} is missing", hint="give it, or --name NAME of a [stream.NAME] in cauce.toml")
    if settings.worker_name and not schemes.of(settings.from_).named:
        raise BadSetting("workers have no names there", hint="leave out --worker-name; workers of Redis have one")
    return settings


def alone(settings: Stream) -> None:
    """Answer in this process."""
    with stoppable(ENDING, hint=AGAIN, within=settings.drain) as stop, _worker(settings, 1, stop, show.note) as worker:
        progress = _progress(lambda: worker.counts)
        worker.watch.append(lambda handled: progress())
        counts = worker.run(stop)
    _finish(settings, counts)
    if counts.dead and not stop.is_set():
        raise typer.Exit(DEAD_LETTERS)


def several(settings: Stream, given: dict[str, Any]) -> None:
    """Answer in `workers` processes."""
    together(settings, crew_of(settings, given, settings.workers, settings.workers))


def together(settings: Stream, crew: Crew, beside: Callable[[threading.Event], None] = lambda stop: None) -> None:
    """Let a crew work until all sources ended or this process is told to end.

    Args:
        beside: what is done in another thread meanwhile.

    """
    with stoppable(ENDING, hint=AGAIN, within=settings.drain + 2 * GRACE) as stop:
        threading.Thread(target=beside, args=(stop,), name="cauce-beside", daemon=True).start()
        code = crew.run(stop.is_set)
    _finish(settings, crew.counts)
    if code:
        raise typer.Exit(code)


def crew_of(settings: Stream, given: dict[str, Any], wanted: int, most: int) -> Crew:
    """Workers that share the messages, and the processors of this machine.

    Raises:
        InputError: one of the places is for one worker alone.

    """
    places.shared(settings.from_, settings.to, _dead(settings))
    threads = str(of_process().threads or max(1, available() // most))

    def start(number: int) -> Process:
        return Process(("stream", "worker"), {"number": number, "given": given}, {"CAUCE_THREADS": threads})

    crew = Crew(start, wanted, settings.max_attempts + LEFT, show.note)
    crew.watch = _progress(lambda: crew.counts)
    return crew


def one_of_several() -> None:
    """Be a worker of a crew: what its parent says on stdin is done."""
    job = process.job()
    name, settings = f"worker {job['number']}", settings_of(job["given"])
    if settings.worker_name:
        settings = settings.model_copy(update={"worker_name": f"{settings.worker_name}-{job['number']}"})
    try:
        with (
            stoppable("", hint=AGAIN, within=settings.drain) as stop,
            _worker(settings, job["number"], stop, lambda line: show.note(f"{name}: {line}")) as worker,
        ):
            reports = Reports(worker.counts)
            try:
                counts = worker.run(stop)
            finally:
                reports.close(told=stop.is_set())
    except CauceError as error:
        error.where = error.where or name
        raise
    if counts.dead and not stop.is_set():
        raise typer.Exit(DEAD_LETTERS)


@contextmanager
def _worker(settings: Stream, number: int, stop: threading.Event, tell: Callable[[str], None]) -> Iterator[Worker]:
    """A worker between its places, with its metrics."""
    with ExitStack() as opened:
        current = _followed(settings, opened)
        opening = Opening(settings, Patience(settings.wait, tell, stop))
        sink = places.sink(settings.to, opening)
        opened.callback(sink.close)
        letterbox = places.dead(_dead(settings), opening)
        opened.callback(letterbox.close)
        source = places.source(settings.from_, opening)
        opened.callback(source.close)
        output = places.joined(source, sink, letterbox)
        worker = Worker(current, source, sink, output, settings, rescore=settings.rescore, tell=tell)
        windows = _counted(worker, settings, current().labels, opening, opened)
        if settings.metrics:
            _measure(worker, settings, number, windows, opened)
        yield worker


def _counted(worker: Worker, settings: Stream, labels: Sequence[str], opening: Opening, opened: ExitStack) -> Windows | None:
    """Count results in windows, where that is asked for."""
    if not (settings.windows or settings.terms or settings.alerts):
        return None
    from cauce.stream.windows.windows import watching

    stream = settings.TABLE.partition(".")[2] or f"{schemes.without_password(settings.from_)} {settings.group}"
    windows = watching(opening, stream, labels)
    if windows is not None:
        opened.callback(windows.close)
        worker.watch.append(lambda handled: windows.see(handled.results, handled.received))
    return windows


def _measure(worker: Worker, settings: Stream, number: int, windows: Windows | None, opened: ExitStack) -> None:
    """Let Prometheus read what the worker does."""
    need("prometheus_client", extra="stream", what="--metrics")
    from cauce.stream.metrics import Counted, Lag, Metrics, Server

    metrics = Metrics(worker.counts)
    if windows is not None:
        metrics.registry.register(Counted(windows))
    if schemes.of(settings.from_).groups is not None:
        opening = Opening(settings, Patience(0.0, lambda line: None, threading.Event()))
        metrics.registry.register(Lag(lambda: places.groups(settings.from_, opening), settings.group))
    server = Server(settings.metrics, metrics.registry, number)
    opened.callback(server.close)
    worker.watch.append(metrics)
    show.note(f"metrics are at {server.url}")


def _followed(settings: Stream, opened: ExitStack) -> Callable[[], Model]:
    """The model that answers now: of a registered name the one that its pointer names, from batch to batch."""
    if not named.moves(settings.model):
        model = open_model(settings.model, settings.variant)
        model.warm_up()
        return lambda: model
    follower = opened.enter_context(Follower(settings.model, variant=settings.variant))
    return lambda: follower.model


def _dead(settings: Stream) -> str:
    return settings.dead or places.dead_beside(settings.from_, settings.to)


def _progress(counts: Callable[[], Counts]) -> Callable[[], None]:
    """A line now and then, where something was done since the last."""
    told, before, begun = time.monotonic(), 0, time.monotonic()

    def progress() -> None:
        nonlocal told, before, begun
        now = time.monotonic()
        if now - told < EVERY:
            return
        if (found := counts()).read > before:
            show.say(f"{_line(found)}  {(found.read - before) / (now - begun):,.0f}/s")
            begun, before = now, found.read
        told = now

    return progress


def _finish(settings: Stream, counts: Counts) -> None:
    """The last lines: what was done."""
    show.say(_line(counts))
    if counts.dead:
        codes = ", ".join(f"{code} ({count})" for code, count in counts.dead.most_common())
        show.note(f"dead letters are in {schemes.without_password(_dead(settings))}: {codes}")


def _line(counts: Counts) -> str:
    parts = [f"{counts.read:,} messages", f"{counts.out:,} answered"]
    parts += [f"{counts.duplicates:,} known already"] * bool(counts.duplicates)
    parts += [f"{counts.dead.total():,} dead letters"] * bool(counts.dead)
    return ", ".join(parts)
