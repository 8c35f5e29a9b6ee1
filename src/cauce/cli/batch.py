"""`cauce batch`: whole files of rows into files of answers."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from cauce.cli import options as option
from cauce.cli import show
from cauce.cli.models import open_model
from cauce.cli.stopping import stoppable
from cauce.errors import InputError, UnknownName

if TYPE_CHECKING:
    from cauce.batch.run import Progress
    from cauce.batch.summary import Summary

DEAD_LETTERS = 5  # exit code: done, and some rows were not answered
EVERY = 5.0  # seconds between two lines of progress where there is no terminal
STOPPING = "stopping after this fragment; once more stops now"
AGAIN = "run the same command again: it goes on after the last whole fragment"
EXAMPLES = """\b
Examples:
  cauce batch model/ messages.csv scored/
  cauce batch model/ 'in/*.parquet' scored/ --select "score > 0.8 and label = 'negative'"
  cauce batch model/ in/ scored/ --append                 (only the files that are new)
  cauce batch model/ in/ /shared/scored/ --shard 2/4      (on the second of four machines)

\b
Exit codes:
  0  every row is answered (or, with --shard, every row of this share)
  5  done; some rows are in OUT/dead_letters, not more than --max-error-rate
  4  stopped, disk full, or in use: run the same command again, it goes on where it stopped
  2  the files, the options or the folder are wrong, or too many rows could not be answered; 3 the model folder is"""


def batch(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model folder, a registered name, or `echo`.")],
    sources: Annotated[
        list[str],
        typer.Argument(metavar="IN... OUT", help="Files, folders, globs or URLs; last, the output folder or its URL."),
    ],
    to: Annotated[str | None, typer.Option(help="parquet, arrow, csv or jsonl. [default: as the first input]")] = None,
    text: Annotated[str | None, typer.Option(help="The column of the text, if the model calls it otherwise.")] = None,
    columns: Annotated[str | None, typer.Option(help="The columns to keep, a comma between them. [default: all]")] = None,
    where: Annotated[str | None, typer.Option(help="Score only rows like: lang = 'es' and likes > 10")] = None,
    select: Annotated[str | None, typer.Option(help="Write only answers like: score > 0.8 and label in ('a', 'b')")] = None,
    max_error_rate: Annotated[float, typer.Option(min=0, max=1, help="Stop over this share of dead letters.")] = 0.01,
    append: Annotated[bool, typer.Option("--append", help="Add the files that the job in OUT does not have.")] = False,
    mixed_versions: Annotated[
        bool, typer.Option("--mixed-versions", help="With --append: OUT may hold another version's answers.")
    ] = False,
    shard: Annotated[str | None, typer.Option(help="i/n: of n machines that share OUT, this is the i-th.")] = None,
    finish: Annotated[bool, typer.Option("--finish", help="Only check that all shards are done; write the manifest.")] = False,
    variant: option.Variant = "auto",
    json: Annotated[bool, typer.Option("--json", help="The manifest as JSON on stdout.")] = False,
) -> None:
    """Score every row of files into a folder. The same command again goes on where a run was stopped."""
    from cauce.batch import run as job
    from cauce.batch.options import Options

    *files, out = sources
    if not files:
        raise InputError("there is no output folder", hint="cauce batch MODEL IN OUT")
    if finish:
        _tell(job.finish(out), out, as_json=json)
        return
    options = Options(
        format=to or "",
        columns=tuple(name.strip() for name in (columns or "").split(",") if name.strip()),
        text=text or "",
        where=where or "",
        select=select or "",
    )
    opened = open_model(model, variant)
    with stoppable(STOPPING, hint=AGAIN) as stop, _progress() as progress:
        summary = job.run(
            opened,
            files,
            out,
            options,
            max_error_rate=max_error_rate,
            shard=_shard(shard),
            append=append,
            mixed_versions=mixed_versions,
            progress=progress,
            stop=stop,
        )
    _tell(summary, out, as_json=json)


def _shard(written: str | None) -> tuple[int, int] | None:
    if written is None:
        return None
    number, _, shards = written.partition("/")
    if not (number.isdecimal() and shards.isdecimal()):
        raise UnknownName(f'"{written}" is no shard', hint="the second of four machines is 2/4")
    return int(number), int(shards)


@contextmanager
def _progress() -> Iterator[Callable[[Progress], None]]:
    """Rows, rows a second and time left: a bar on a terminal, a line now and then elsewhere."""
    with show.bar() as bar:
        told = time.monotonic()

        def progress(now: Progress) -> None:
            nonlocal told
            if not sys.stderr.isatty() and time.monotonic() - told < EVERY:
                return
            told = time.monotonic()
            speed = now.scored / max(now.seconds, 1e-9)
            left = (now.total - now.done) / speed if speed else 0.0
            dead = f"  {now.dead} dead letters" if now.dead else ""
            what = f"{now.done:,} of {now.total:,} rows  {speed:,.0f} rows/s  {_clock(left)} left{dead}"
            bar(now.done / max(now.total, 1), what)

        yield progress


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _tell(summary: Summary, out: str, *, as_json: bool) -> None:
    for note in summary.notes:
        show.note(note)
    manifest = summary.manifest
    if manifest is None:
        show.say(f"this share is done; {len(summary.missing)} fragments are left to the other shards")
        return
    if as_json:
        show.as_json(manifest)
    else:
        rows = manifest["rows"]
        left_out = "".join(
            f", {count:,} {what}"
            for what, count in (
                ("left out by --where", rows["read"] - rows["in"]),
                ("not selected", rows["unselected"]),
                ("dead letters", rows["dead_letters"]),
            )
            if count
        )
        speed = f"{manifest['seconds']:.1f} s, {manifest['rows_per_second']:,} rows/s"
        show.say(f"{out}  {rows['read']:,} rows read, {rows['out']:,} written{left_out}  ({speed})\n")
        show.table(("label", "rows"), [(label, str(count)) for label, count in manifest["labels"].items()])
    if manifest["rows"]["dead_letters"]:
        show.next_command(f"head {shlex.quote(out.rstrip('/') + '/dead_letters/')}*")
        raise typer.Exit(DEAD_LETTERS)
