"""`cauce report`: what a model is worth, as a page for people."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from cauce.cli import options, show
from cauce.cli.models import open_model
from cauce.text.visible import visible

EXAMPLES = """\b
Examples:
  cauce report model/
  cauce report model/ june.csv --lang es --out june.html
  cauce report sentiment june.csv --against sentiment@3f2a91
  cauce report model/ june.csv --out CARD.md      (the model card, with the figures on june.csv)"""


def report(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model folder, or a registered model (`name@…`).")],
    data: Annotated[
        str | None, typer.Argument(metavar="[DATA]", help="A labeled file to measure on. [default: what the training measured]")
    ] = None,
    lang: Annotated[str | None, typer.Option(help="en or es. [default: that of your system, else en]")] = None,
    out: Annotated[Path, typer.Option(help="The file to write: .html, or .md for the model card.")] = Path("report.html"),
    against: Annotated[
        str | None, typer.Option(help="Another model, asked the same rows of DATA. [default: the champion of its name]")
    ] = None,
    text: Annotated[str | None, typer.Option(help="The column of the text. [default: the model's, or guessed]")] = None,
    label: options.Label = None,
    label_delimiter: options.Delimiter = None,
    time: options.Time = None,
    replace: Annotated[bool, typer.Option("--replace", help="Write over the file that is there.")] = False,
) -> None:
    """Write a report: one HTML file that opens anywhere and needs no network."""
    from cauce.api import report as write
    from cauce.evaluation.sentences import headline, usual, verdict
    from cauce.evaluation.words import Words
    from cauce.registry.named import find, serving

    language, opened = lang or _language(), open_model(model)
    beside = find(against).folder if against is not None else None
    if data is not None and beside is None and (beside := serving(model, opened)):
        show.note("beside the version that serves under this name")
    found = write(
        find(model).folder,
        data,
        out=out,
        language=language,
        against=beside,
        text=text,
        label=label,
        label_delimiter=label_delimiter,
        time=time,
        replace=replace,
    )
    manifest, words = opened.manifest, Words(language)
    show.say(f"{out}  {manifest.name}@{manifest.version[:12]}\n")
    for line in (headline(manifest, found, words), usual(manifest, found, words), verdict(found, words)):
        show.say(visible(line))
    if found.training is None:
        show.note("the model folder says nothing of its training: the baseline is made of these rows")
    show.next_command(f"cauce predict {shlex.quote(model)} --explain TEXT")


def _language() -> str:
    """Spanish where the system speaks it."""
    spoken = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    return "es" if spoken.startswith("es") else "en"
