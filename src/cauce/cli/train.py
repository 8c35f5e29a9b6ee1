"""`cauce train`: from a labeled file to a model folder."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from cauce.cli import show

EXAMPLES = """\b
Examples:
  cauce train messages.csv
  cauce train tweets.csv --text tweet --label feeling --out tweets/
  cauce train train_text.txt --dev val_text.txt --test test_text.txt --out emotion/"""


def train(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="A CSV, TSV or JSONL file, or x_text.txt beside x_labels.txt.")],
    dev: Annotated[Path | None, typer.Option(help="Rows that choices are made on. [default: a part of DATA]")] = None,
    test: Annotated[
        Path | None, typer.Option(help="Rows that only the final figures are made of. [default: a part of DATA]")
    ] = None,
    recipe: Annotated[str, typer.Option(help="How to train.")] = "linear",
    out: Annotated[Path, typer.Option(help="The model folder to write.")] = Path("model"),
    name: Annotated[str | None, typer.Option(help="The model's name, part of its version. [default: the file's]")] = None,
    text: Annotated[str | None, typer.Option(help="The column of the text. [default: guessed]")] = None,
    label: Annotated[str | None, typer.Option(help="The column of the label. [default: guessed]")] = None,
    seed: Annotated[int, typer.Option(help="Same data, recipe and seed: same model.")] = 0,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the model that OUT holds.")] = False,
    json: Annotated[bool, typer.Option("--json", help="The figures as JSON.")] = False,
) -> None:
    """Train a model from a labeled file and write its folder."""
    from cauce.recipes.train import train as run_training

    with show.bar() as progress:
        run = run_training(
            data,
            dev=dev,
            test=test,
            recipe=recipe,
            out=out,
            name=name,
            text=text,
            label=label,
            seed=seed,
            replace=replace,
            progress=progress,
        )
    for line in run.notes:
        show.note(line)
    if json:
        show.as_json({"folder": str(out), "version": run.model.version, **run.as_dict()})
        return
    parts = ", ".join(f"{part} {rows}" for part, rows in run.rows.items())
    show.say(
        f"\n{out}/  {run.model.name}@{run.model.version[:12]}  {run.model.variant}  in {run.seconds:.1f} s  (rows: {parts})\n"
    )
    figures = [(name, str(figure), str(run.majority.metrics.get(name, ""))) for name, figure in run.report.metrics.items()]
    show.table((f"on {run.measured_on}, with 95 % interval", "model", "most frequent label"), figures)
    show.say(f"\n{run.verdict}")
    show.next_command(f"cauce predict {shlex.quote(f'{out}/')} --explain -- {shlex.quote(run.example)}")
