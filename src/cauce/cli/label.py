"""`cauce label`: label texts in the terminal, the most useful first; each answer is kept at once."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cauce.cli import show
from cauce.cli.models import open_model
from cauce.errors import FileMissing, InputError, Interrupted
from cauce.text.visible import visible

if TYPE_CHECKING:
    from cauce.cli.keyboard import Keys
    from cauce.cli.order import Order
    from cauce.data.labeling import Labeling

EXAMPLES = """\b
Examples:
  cauce label messages.csv --labels positive,negative,neutral
  cauce label intents.csv --order useful
  cauce label new.jsonl --model model/ --out new.labeled.jsonl"""

COMMANDS = {"s": "skip", "u": "undo", "n": "new label", "q": "save and quit", "?": "help"}
CHOICE_KEYS = "123456789" + "".join(letter for letter in "abcdefghijklmnopqrstuvwxyz" if letter not in COMMANDS)
SHOWN = 4000  # characters of a text


def label(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The texts, with or without a label column.")],
    text: Annotated[str | None, typer.Option(help="The column of the text. [default: guessed]")] = None,
    label: Annotated[str | None, typer.Option(help="The column of the label. [default: guessed, or made]")] = None,
    labels: Annotated[str, typer.Option(help="The labels to choose from, with commas. [default: those of FILE]")] = "",
    model: Annotated[str | None, typer.Option(help="A model: it suggests labels, and its doubts come first.")] = None,
    out: Annotated[Path | None, typer.Option(help="The file to write. [default: NAME.labeled.csv beside FILE]")] = None,
    in_place: Annotated[bool, typer.Option("--in-place", help="Write the labels into FILE itself.")] = False,
    order: Annotated[
        Literal["useful", "random", "file"] | None,
        typer.Option(help="Which text comes next. [default: useful with --model, else random]"),
    ] = None,
    suggest: Annotated[bool, typer.Option(help="Show what the model would say.")] = True,
    seed: Annotated[int, typer.Option(help="Of the random order.")] = 0,
) -> None:
    """Label texts in the terminal. Each answer is kept at once; run again to go on."""
    from cauce.cli.keyboard import keys
    from cauce.cli.order import Order
    from cauce.data.labeling import Labeling
    from cauce.data.tables import read_table

    if in_place and out is not None:
        raise InputError("--out and --in-place are both given", hint="give one of them")
    source = read_table(file)
    if in_place and not file.is_file():
        raise FileMissing(f"{file} is not one file to write into", hint="leave --in-place out")
    place = file if in_place else out or _beside(file)
    if not in_place and place.exists() and file.exists() and place.samefile(file):
        raise InputError(f"{place} is the file itself", hint="to write into it, give --in-place instead of --out")
    opened = open_model(model) if model is not None else None
    if opened is not None and opened.task != "classification":
        raise InputError(f"the model's task is {opened.task}", hint="name a model that gives one label a text")
    choices = [name.strip() for name in labels.split(",") if name.strip()] + list(opened.labels if opened else ())
    work = Labeling(source, place, text=text, label=label, choices=choices, in_place=in_place)
    try:
        queue = Order(work, order or ("useful" if opened else "random"), model=opened, seed=seed)
        _greet(work)
        stopped = False
        try:
            with keys() as source_of_keys:
                _ask(work, queue, source_of_keys, suggest=suggest)
        except KeyboardInterrupt:
            stopped = True
        if work.history:
            work.save()
        _report(work, file)
        if stopped:
            raise Interrupted(f"stopped by Ctrl-C; all {len(work.history)} answer(s) are kept")
    finally:
        work.close()


def _beside(file: Path) -> Path:
    from cauce.data.write import KINDS

    kind = file.suffix if file.suffix.lower() in KINDS else ".csv"
    return file.with_name(f"{file.name.removesuffix(file.suffix).removesuffix('_text')}.labeled{kind}")


def _greet(work: Labeling) -> None:
    for line in work.source.notes:
        show.note(line)
    show.note(f'text is the column "{work.text}", label the column "{work.label}"')
    if without := work.texts.count(None):
        show.note(f"{without} row(s) without a text are not asked about")
    if work.history:
        show.note(f"going on after {len(work.history)} answer(s)")
    if work.left():
        _help(work)


def _ask(work: Labeling, queue: Order, keys: Keys, *, suggest: bool) -> None:
    """Ask until nothing is left or the person has enough."""
    while True:
        row = queue.next()
        if row is None:
            if not work.history:
                show.say("\nthere is no text without a label")
                return
            show.say("\nnothing is left: u takes the last answer back, any other key saves and ends")
            if keys.key() != "u":
                return
            work.undo()
            continue
        guess = queue.suggestion(row) if suggest else None
        _show(work, row, guess)
        while True:
            hit = keys.key()
            if hit is None or hit == "q":
                return
            if hit == "?":
                _help(work)
            elif hit == "s":
                work.answer(row, None)
                break
            elif hit == "u":
                if (taken := work.undo()) is not None:
                    show.say(f"taken back: {visible(taken.label or 'skipped')}")
                    break
                show.say("nothing to undo")
            elif (name := _new(work, keys) if hit == "n" else _choice(work, hit)) is not None:
                work.answer(row, name)
                show.say(f"= {visible(name)}")
                break
            elif hit not in ("", "n"):
                show.say(f"no label has the key {visible(hit)}: ? shows the keys, n makes a new label")


def _choice(work: Labeling, hit: str) -> str | None:
    """The label of a key, or one by its name."""
    place = CHOICE_KEYS.find(hit) if len(hit) == 1 else -1
    if 0 <= place < len(work.choices):
        return work.choices[place]
    return hit if hit in work.choices else None


def _new(work: Labeling, keys: Keys) -> str | None:
    """A label that was typed, new or not; None where it is none."""
    show.say("the label's name, then Enter (nothing: back):")
    name = keys.line()
    if not name:
        return None
    try:
        work.add_choice(name)
    except InputError as wrong:
        show.say(wrong.message)
        return None
    if len(work.choices) <= len(CHOICE_KEYS):
        show.say(f"its key is {CHOICE_KEYS[work.choices.index(name)]}")
    return name


def _help(work: Labeling) -> None:
    named = [f"{key} {visible(name)}" for key, name in zip(CHOICE_KEYS, work.choices, strict=False)]
    if len(work.choices) > len(CHOICE_KEYS):
        named.append(f"and {len(work.choices) - len(CHOICE_KEYS)} more, by name after n")
    show.say("\n" + "   ".join(named or ["no labels yet: n makes the first"]))
    show.say("   ".join(f"{key} {what}" for key, what in COMMANDS.items()))


def _show(work: Labeling, row: int, guess: tuple[str, float] | None) -> None:
    """A text, where the person stands, and the model's guess."""
    counts = "   ".join(f"{visible(name)} {count}" for name, count in work.counts().items() if count)
    skipped = sum(answer.label is None for answer in work.history)
    left = len(work.left())
    words = work.texts[row] or ""
    show.say(f"\n[{len(work.known())} labeled, {left} left{f', {skipped} skipped' if skipped else ''}]   {counts}\n")
    show.say(show.wrapped(words[:SHOWN]))
    if len(words) > SHOWN:
        show.say(f"  … and {len(words) - SHOWN} characters more")
    if guess is not None:
        show.say(f"\n  {typer.style('model:', fg='cyan')} {visible(guess[0])} {guess[1]:.2f}")


def _report(work: Labeling, file: Path) -> None:
    left, known = len(work.left()), work.known()
    show.say("")
    if work.history:
        show.note(f"{len(known)} of {len(known) + left} labeled: {work.out}")
    if left and work.history:
        show.note("the answers are kept: type the same command again to go on")
    if len(set(known.values())) > 1:
        written = shlex.quote(str(work.out if work.history else file))
        columns = f"--text {shlex.quote(work.text)} --label {shlex.quote(work.label)}"
        show.next_command(f"cauce train {written} {columns}")
