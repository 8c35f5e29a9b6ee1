"""`cauce optimize`: other ways to compute a model's answers, measured on this processor and kept if they are worth it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from cauce.cli import options, show

if TYPE_CHECKING:
    from cauce.optimization.measure import Measured
    from cauce.optimization.outcome import Outcome, Tried

EXAMPLES = """\b
Examples:
  cauce optimize model/ --data dev.csv
  cauce optimize model/ --data dev.csv --target latency --max-loss 1
  cauce optimize model/ --data dev.csv --only int8 --only bf16 --json
  cauce optimize model/ --data dev.csv --train train.csv     (tries fewer layers too: trains for some minutes)"""

HEADS = ("as saved", "ms, p50 / p95", "texts/s", "load, s", "MiB", "MB", "moved by its batch", "verdict")


def optimize(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model folder, or a registered model (`name@…`).")],
    data: Annotated[
        str | None, typer.Option(help="Labeled rows to choose by: dev rows, not those of the final test.", show_default=False)
    ] = None,
    train: Annotated[
        str | None, typer.Option(help="Labeled rows for a network of fewer layers to recover on.", show_default=False)
    ] = None,
    target: Annotated[str, typer.Option(help="What gets better: latency, throughput, size or quality.")] = "throughput",
    max_loss: Annotated[float, typer.Option(help="Points of the metric that a variant may lose.")] = 0.5,
    only: Annotated[list[str] | None, typer.Option(help="A variant to try; may be given again. [default: all]")] = None,
    text: Annotated[str | None, typer.Option(help="The column of the text. [default: the model's, or guessed]")] = None,
    label: options.Label = None,
    label_delimiter: options.Delimiter = None,
    json: Annotated[bool, typer.Option("--json", help="Everything as one JSON document.")] = False,
) -> None:
    """Make a network faster or smaller: int8, bf16, fewer layers. What loses too much or gains too little is kept out."""
    from cauce.data.columns import Columns
    from cauce.errors import Interrupted
    from cauce.optimization.optimize import optimize as run

    columns = Columns(label=tuple(label or ()), label_delimiter=label_delimiter).naming(text, None)
    with show.bar() as progress:
        found = run(
            model,
            data,
            target=target,
            max_loss=max_loss,
            only=only or (),
            train=train,
            columns=columns,
            progress=progress,
        )
    for line in found.notes:
        show.note(line)
    if json:
        show.as_json(found.as_dict())
    elif found.base is not None:
        _table(found, found.base)
    if found.stopped:
        raise Interrupted("stopped by Ctrl-C; what was measured until then is kept")
    if not json:
        place = shlex.quote(model)
        show.say(f"\nserves here: {found.serves}  ({place} opened as usual)")
        rest = [one.name for one in found.tried if one.measured is None and "--train" in one.why]
        again = f"cauce optimize {place} --data {shlex.quote(str(data))} --only {rest[0]} --train train.csv" if rest else ""
        show.next_command(again if again and found.serves == found.own else f"cauce evaluate {place} test.csv")


def _table(found: Outcome, base: Measured) -> None:
    from cauce.evaluation.metrics import said
    from cauce.model import processor

    show.say(f"\n{found.folder}  {found.version[:12]}  {found.rows} rows  on {processor.name()}\n")
    heads = ("variant", f"{said(found.metric)}, with 95 % interval", "loses, points", *HEADS)
    own = (found.own, str(base.answers.value), "", *_cells(base), "the model as it was saved")
    show.table(heads, [own, *(_row(one) for one in found.tried)])


def _row(one: Tried) -> tuple[str, ...]:
    if one.measured is None:
        return (one.name, *[""] * (len(HEADS) + 1), one.why)
    lost = one.measured.answers.loss
    verdict = f"kept out: {one.why}" if one.why else "passed"
    loss = f"{lost.value:.2f} [{lost.low:.2f}, {lost.high:.2f}]"
    return (one.name, str(one.measured.answers.value), loss, *_cells(one.measured), verdict)


def _cells(found: Measured) -> tuple[str, ...]:
    """The columns from `as saved` to `moved by its batch`."""
    alike, moved = found.answers.agreement, found.dependence
    beside = f"{moved.worst:.2g}" if moved.worst > 1e-6 else "no"
    alone = ", so runs alone" if found.batching == "single" else ""
    return (
        "" if alike is None else f"{100 * alike:.1f} %",
        f"{found.speed.p50:.2f} / {found.speed.p95:.2f}",
        f"{found.speed.rate:,.0f}",
        f"{found.fresh.seconds:.1f}",
        f"{found.fresh.mib:,.0f}",
        f"{found.megabytes:.1f}",
        f"{beside}{alone}",
    )
