"""`cauce import`: a folder of transformers as a model folder."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from cauce.cli import options, show

EXAMPLES = """\b
Examples:
  cauce import bert-sentiment/ --out sentiment/
  cauce import bert-sentiment/ --data dev.csv --out sentiment/
  cauce import sentence-encoder/ --task embedding --out vectors/"""


def import_(
    source: Annotated[
        str, typer.Argument(metavar="FOLDER", help="A folder that transformers wrote, or a hub id. [extra: train]")
    ],
    out: Annotated[Path, typer.Option(help="The model folder to write.")] = Path("model"),
    name: Annotated[str | None, typer.Option(help="The model's name, part of its version. [default: the folder's]")] = None,
    task: Annotated[
        str | None,
        typer.Option(help="classification, multilabel, regression or embedding. [default: from the configuration]"),
    ] = None,
    data: Annotated[str | None, typer.Option(help="Labeled rows to measure the model on; nothing is tuned on them.")] = None,
    text: Annotated[str | None, typer.Option(help="The column of the text in DATA. [default: guessed]")] = None,
    label: options.Label = None,
    label_delimiter: options.Delimiter = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the model that OUT holds.")] = False,
    json: Annotated[bool, typer.Option("--json", help="What was made, as JSON.")] = False,
) -> None:
    """Take in a classifier, a regression or a sentence encoder of Hugging Face as it is."""
    from cauce.data.columns import Columns
    from cauce.optimization.importing import take_in

    columns = Columns(label=tuple(label or ()), label_delimiter=label_delimiter).naming(text, None)
    with show.bar() as progress:
        taken = take_in(source, out=out, name=name, task=task, data=data, columns=columns, replace=replace, progress=progress)
    for line in taken.notes:
        show.note(line)
    model = taken.model
    if json:
        figures = taken.report.as_dict() if taken.report else None
        show.as_json(
            {"folder": str(out), "version": model.version, "task": model.task, "labels": model.labels, "metrics": figures}
        )
        return
    labels = f"  {', '.join(model.labels[:8])}{', …' if len(model.labels) > 8 else ''}" if model.labels else ""
    show.say(f"\n{out}/  {model.name}@{model.version[:12]}  {model.task}{labels}")
    show.say(f"its graph answers as its network does: {taken.proof['worst']:.1g} is the largest difference")
    if taken.report:
        show.say("")
        rows = [(name, str(figure)) for name, figure in taken.report.metrics.items()]
        show.table((f"on {taken.report.rows} rows, with 95 % interval", "value"), rows)
    place = shlex.quote(f"{out}/")
    asked = f"embed FILE OUT.parquet --model {place}" if model.task == "embedding" else f"predict {place} TEXT"
    show.next_command(f"cauce {asked}")
