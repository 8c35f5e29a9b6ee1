"""`cauce train`: from a labeled file to a model folder."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from cauce.cli import options, show

EXAMPLES = """\b
Examples:
  cauce train messages.csv
  cauce train tweets.csv --text tweet --label feeling --out tweets/
  cauce train messages.csv --cv 5 --out messages/
  cauce train customers.csv --label bought --ignore duration --ignore customer_id
  cauce train tickets.csv --text subject --text body --category product --label tags --label-delimiter ";"
  cauce train train_text.txt --dev val_text.txt --test test_text.txt --out emotion/"""


def train(
    data: Annotated[str, typer.Argument(metavar="DATA", help="CSV, TSV, JSONL, Parquet or Arrow, a URL, or x_text.txt.")],
    dev: Annotated[str | None, typer.Option(help="Rows that choices are made on. [default: a part of DATA]")] = None,
    test: Annotated[
        str | None, typer.Option(help="Rows that only the final figures are made of. [default: a part of DATA]")
    ] = None,
    recipe: Annotated[str, typer.Option(help="How to train.")] = "linear",
    out: Annotated[Path, typer.Option(help="The model folder to write.")] = Path("model"),
    name: Annotated[str | None, typer.Option(help="The model's name, part of its version. [default: the file's]")] = None,
    text: options.Text = None,
    label: options.Label = None,
    category: options.Category = None,
    number: options.Number = None,
    boolean: options.Boolean = None,
    ignore: options.Ignore = None,
    time: options.Time = None,
    id_: options.Id = None,
    label_delimiter: options.Delimiter = None,
    task: options.Kind = None,
    html: Annotated[bool, typer.Option("--html", help="Strip HTML from the texts, wherever the model runs.")] = False,
    spelling: Annotated[
        bool, typer.Option("--spelling", help="Correct words that training did not see. [extra: spelling]")
    ] = False,
    augment: Annotated[
        str | None, typer.Option(help="Train on altered copies too: accents,typos:2,synonyms=FILE,mlm=FOLDER, …")
    ] = None,
    cv: Annotated[int | None, typer.Option(help="Cross-validate besides, with so many folds of DATA: 5 is usual.")] = None,
    repeats: Annotated[int, typer.Option(help="Cross-validate so many times, over other folds each time.")] = 1,
    seed: Annotated[int, typer.Option(help="Same data, recipe and seed: same model.")] = 0,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the model that OUT holds.")] = False,
    json: Annotated[bool, typer.Option("--json", help="The figures as JSON.")] = False,
) -> None:
    """Train a model from a labeled file and write its folder."""
    from cauce.data.augment import Augment
    from cauce.recipes.train import BASELINES
    from cauce.recipes.train import train as run_training
    from cauce.text.normalize import Normalizer

    with show.bar() as progress:
        run = run_training(
            data,
            dev=dev,
            test=test,
            recipe=recipe,
            out=out,
            name=name,
            columns=options.columns(text, label, category, number, boolean, ignore, time, id_, label_delimiter, task),
            normalizer=Normalizer(html=html, spelling=spelling),
            augment=Augment.parse(augment) if augment else None,
            cv=cv,
            repeats=repeats,
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
    baselines = {BASELINES[run.model.task].removeprefix("the "): run.majority, "linear": run.linear}
    columns = {"model": run.report.metrics, **{name: one.metrics for name, one in baselines.items() if one}}
    if run.validation:
        columns[f"{run.validation.folds}-fold cross-validation"] = run.validation.metrics
    figures = [(name, *(str(of.get(name, "")) for of in columns.values())) for name in run.report.metrics]
    show.table((f"on {run.measured_on}, with 95 % interval", *columns), figures)
    show.say(f"\n{run.verdict}")
    show.next_command(f"cauce predict {shlex.quote(f'{out}/')} --explain -- {shlex.quote(run.example)}")
