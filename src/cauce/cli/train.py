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
  cauce train train_text.txt --dev val_text.txt --test test_text.txt --out emotion/
  cauce train reviews.csv --recipe transformer --preset best --out reviews/
  cauce train reviews.csv --recipe lstm --teacher reviews/ --unlabelled more.csv --out small/"""


def train(
    data: Annotated[str, typer.Argument(metavar="DATA", help="CSV, TSV, JSONL, Parquet or Arrow, a URL, or x_text.txt.")],
    dev: Annotated[str | None, typer.Option(help="Rows that choices are made on. [default: a part of DATA]")] = None,
    test: Annotated[
        str | None, typer.Option(help="Rows that only the final figures are made of. [default: a part of DATA]")
    ] = None,
    recipe: Annotated[str, typer.Option(help="How to train: linear, transformer or lstm. [extra: train]")] = "linear",
    preset: Annotated[str, typer.Option(help="How much work goes into it: fast, balanced or best.")] = "balanced",
    base: Annotated[
        str | None, typer.Option(help="transformer: the encoder, a folder or a hub id. [default: the packaged MiniLM]")
    ] = None,
    tune: Annotated[str | None, typer.Option(help="transformer: full, top:N, head or freeze:N layers. [default: full]")] = None,
    embeddings: Annotated[
        str | None,
        typer.Option(help="lstm: a file of word vectors, an encoder, learnt, cbow or skip-gram. [default: minilm]"),
    ] = None,
    teacher: Annotated[str | None, typer.Option(help="Of a network: a model whose scores are learnt too.")] = None,
    unlabelled: Annotated[str | None, typer.Option(help="Of a network: texts that only the teacher labels.")] = None,
    device: Annotated[str | None, typer.Option(help="Of a network: cpu or cuda. [default: cpu]")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Another option of the recipe; may be given more than once."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a training to OUT that was interrupted.")] = False,
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
    from cauce.recipes.build import find
    from cauce.recipes.train import BASELINES
    from cauce.recipes.train import train as run_training
    from cauce.runtimes.base import Explains

    named = {
        "base": base,
        "tune": tune,
        "embeddings": embeddings,
        "teacher": teacher,
        "unlabelled": unlabelled,
        "device": device,
    }
    with show.bar() as progress:
        run = run_training(
            data,
            dev=dev,
            test=test,
            recipe=recipe,
            out=out,
            name=name,
            columns=options.columns(text, label, category, number, boolean, ignore, time, id_, label_delimiter, task),
            normalizer=find(recipe).NORMALIZER.model_copy(update={"html": html, "spelling": spelling}),
            preset=preset,
            options=options.settings(settings) | {key: value for key, value in named.items() if value is not None},
            resume=resume,
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
    explain = "--explain " if isinstance(run.model.runtime, Explains) else ""
    show.next_command(f"cauce predict {shlex.quote(f'{out}/')} {explain}-- {shlex.quote(run.example)}")
