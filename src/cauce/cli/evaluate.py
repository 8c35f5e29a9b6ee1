"""`cauce evaluate`: what a model is worth on labeled rows."""

from __future__ import annotations

import shlex
from typing import Annotated, Any

import typer

from cauce.cli import options, show
from cauce.cli.models import open_model

EXAMPLES = """\b
Examples:
  cauce evaluate model/ test.csv
  cauce evaluate model/ dev.csv --precision 0.95     (finds the score; then measure it on other rows:)
  cauce evaluate model/ test.csv --min-score 0.71
  cauce evaluate model/ test_text.txt --json"""


def evaluate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model folder, or a registered model (`name@…`).")],
    data: Annotated[str, typer.Argument(metavar="DATA", help="A labeled file, as for training.")],
    text: Annotated[str | None, typer.Option(help="The column of the text. [default: the model's, or guessed]")] = None,
    label: options.Label = None,
    label_delimiter: options.Delimiter = None,
    precision: Annotated[
        float | None,
        typer.Option(help="Find the lowest score at which this share of the answers is right; rows under it get no label."),
    ] = None,
    min_score: Annotated[float | None, typer.Option(help="Measure the answers of this score or more.")] = None,
    variant: options.Variant = "auto",
    json: Annotated[bool, typer.Option("--json", help="The figures as JSON.")] = False,
) -> None:
    """Measure a model on labeled rows, with intervals."""
    from cauce.api import abstain
    from cauce.api import evaluate as measure
    from cauce.runtimes.base import Explains

    opened = open_model(model, variant)
    report = measure(opened, data, text=text, label=label, label_delimiter=label_delimiter)
    sure = None
    if precision is not None or min_score is not None:
        sure = abstain(opened, data, precision=precision, min_score=min_score, text=text, label=label)
    if json:
        extra: dict[str, Any] = {"model": {"name": opened.name, "version": opened.version, "variant": opened.variant}}
        if precision is not None or min_score is not None:
            extra["abstention"] = sure.as_dict() if sure else None
        show.as_json({**report.as_dict(), **extra})
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
    if sure:
        right = f", of which {sure.precision} are right" if sure.precision else ""
        show.say(f"\nwith --min-score {sure.min_score:.4g}, {sure.coverage} of the rows get a label{right}")
    elif precision is not None:
        show.say(f"\nno score was shown to make {precision:.0%} of the answers right: more rows, or a better model, may")
    explain = " --explain" if isinstance(opened.runtime, Explains) else ""
    show.next_command(f"cauce predict {shlex.quote(model)}{explain} TEXT")
