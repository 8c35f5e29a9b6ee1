"""`cauce compare`: is one model better than another, on the same labeled rows."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from cauce.cli import options, show
from cauce.cli.models import open_model
from cauce.errors import InputError
from cauce.text.visible import visible

if TYPE_CHECKING:
    from cauce.evaluation.compare import Comparison, Label

EXAMPLES = """\b
Examples:
  cauce compare old/ new/ test.csv
  cauce compare large/ small/ test.csv --margin 0.5     (is the small one worse by more than half a point?)
  cauce compare model/ model/ dev.csv --variant fp32 --variant int8     (what a variant loses)
  cauce compare old/ new/ test_text.txt --metric accuracy --json"""

WIDTH = 60  # of a text that is shown


def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="A model folder, or a registered model (`name@…`).")],
    b: Annotated[str, typer.Argument(metavar="B", help="Another one, of the same task and labels.")],
    data: Annotated[str, typer.Argument(metavar="DATA", help="A labeled file, as for training.")],
    metric: Annotated[str | None, typer.Option(help="What the verdict is about. [default: macro_f1; r2 of numbers]")] = None,
    margin: Annotated[
        float | None, typer.Option(help="Say whether B is worse by more than this: points, or the figure's own unit.")
    ] = None,
    text: Annotated[str | None, typer.Option(help="The column of the text. [default: the models', or guessed]")] = None,
    label: options.Label = None,
    label_delimiter: options.Delimiter = None,
    variant: options.Variants = None,
    json: Annotated[bool, typer.Option("--json", help="Everything as one JSON document.")] = False,
) -> None:
    """Ask two models the same rows, and say whether B is better than A beyond chance."""
    from cauce.api import compare as ask_both

    of_a, of_b = _variants(variant)
    first, second = open_model(a, of_a), open_model(b, of_b)
    found = ask_both(first, second, data, metric=metric, margin=margin, text=text, label=label, label_delimiter=label_delimiter)
    if json:
        show.as_json(found.as_dict())
        return
    for line in found.notes:
        show.note(line)
    show.say(f"\nA {found.names[0]}  B {found.names[1]}  {found.a.rows} rows\n")
    rows = [(name, str(found.a.metrics[name]), str(found.b.metrics[name]), _signed(found, name)) for name in found.differences]
    show.table(("metric, with 95 % interval", "A", "B", "B - A"), rows)
    if found.mcnemar:
        table = found.mcnemar
        counts = f"both {table.both}, only A {table.only_a}, only B {table.only_b}, neither {table.neither}"
        show.say(f"\nright: {counts}  (McNemar's exact test: p = {table.p:.2g})")
    if found.disagreements:
        differing = found.differences[found.metric].differing
        show.say(f"\nA and B differ on {differing} row(s), here {len(found.disagreements)}, the most confident first\n")
        show.table(
            ("line", "truth", "A", "B", "text"),
            [
                (str(row.line), *(_label(one) for one in (row.truth, row.a, row.b)), _short(row.text))
                for row in found.disagreements
            ],
        )
    show.say(f"\n{found.verdict}")
    better, which = (b, of_b) if found.better == "b" else (a, of_a)
    chosen = "" if which == "auto" else f" --variant {shlex.quote(which)}"
    show.next_command(f"cauce evaluate {shlex.quote(better)} {shlex.quote(data)}{chosen}")


def _variants(given: list[str] | None) -> tuple[str, str]:
    """The variants of A and of B.

    Raises:
        InputError: more than two.

    """
    several = given or ["auto"]
    if len(several) > 2:
        raise InputError(f"--variant is given {len(several)} times", hint="give it once for both, or for A and for B")
    return several[0], several[-1]


def _signed(found: Comparison, name: str) -> str:
    """A difference and its interval."""
    one = found.differences[name].difference
    return f"{one.value:+.3f} [{one.low:+.3f}, {one.high:+.3f}]"


def _label(answer: Label) -> str:
    """An answer as a cell of the table."""
    if isinstance(answer, list):
        return visible(", ".join(answer)) or "-"
    if isinstance(answer, float):
        return f"{answer:.4g}"
    return "no answer" if answer is None else visible(answer)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return visible(line if len(line) <= WIDTH else line[: WIDTH - 1] + "…")
