"""`cauce evaluate`: what a model is worth on labeled rows."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from cauce.cli import options, show
from cauce.cli.models import open_model

EXAMPLES = """\b
Examples:
  cauce evaluate model/ test.csv
  cauce evaluate model/ test_text.txt --json"""


def evaluate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model folder, or a registered model (`name@…`).")],
    data: Annotated[str, typer.Argument(metavar="DATA", help="A labeled file, as for training.")],
    text: Annotated[str | None, typer.Option(help="The column of the text. [default: the model's, or guessed]")] = None,
    label: options.Label = None,
    label_delimiter: options.Delimiter = None,
    json: Annotated[bool, typer.Option("--json", help="The figures as JSON.")] = False,
) -> None:
    """Measure a model on labeled rows, with intervals."""
    from cauce.api import evaluate as measure

    opened = open_model(model)
    report = measure(opened, data, text=text, label=label, label_delimiter=label_delimiter)
    if json:
        show.as_json({**report.as_dict(), "model": {"name": opened.name, "version": opened.version, "variant": opened.variant}})
        return
    show.say(
        f"{opened.name}@{opened.version[:12]}  {report.rows} rows"
        + (f", {report.errors} not answered" if report.errors else "")
        + "\n"
    )
    show.table(("metric, with 95 % interval", "value"), [(name, str(figure)) for name, figure in report.metrics.items()])
    if report.per_class:
        show.say("")
        show.table(
            ("label", "rows", "precision", "recall", "f1"),
            [
                (label, str(report.counts[label]), *(str(figures[part]) for part in ("precision", "recall", "f1")))
                for label, figures in report.per_class.items()
            ],
        )
    show.next_command(f"cauce predict {shlex.quote(model)} --explain TEXT")
