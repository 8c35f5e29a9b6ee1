"""Options of several commands: which variant of a model answers, and what the columns of a file of labeled rows are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

import typer

if TYPE_CHECKING:
    from cauce.data.columns import Columns
    from cauce.model.manifest import Task

Names = list[str] | None

Variant = Annotated[
    str, typer.Option("--variant", help="Which variant answers. auto: the best that is proven on this processor.")
]
Variants = Annotated[
    Names,
    typer.Option("--variant", help="Which variant answers; given twice: of A, then of B. [default: auto]", show_default=False),
]

Text = Annotated[
    Names, typer.Option("--text", help="A column of texts; may be given more than once. [default: guessed]", show_default=False)
]
Label = Annotated[
    Names,
    typer.Option("--label", help="The column of the label. Given more than once: one 0/1 column a label. [default: guessed]"),
]
Category = Annotated[Names, typer.Option("--category", help="A column of categories to use; may be given more than once.")]
Number = Annotated[Names, typer.Option("--number", help="A column of numbers to use; may be given more than once.")]
Boolean = Annotated[Names, typer.Option("--boolean", help="A column of true and false to use; may be given more than once.")]
Ignore = Annotated[Names, typer.Option("--ignore", help="A column to leave out; may be given more than once.")]
Time = Annotated[
    str | None, typer.Option("--time", help="The column that says when each row was made: the newest rows are the test.")
]
Id = Annotated[str | None, typer.Option("--id", help="The column that names each row: never an input.")]
Delimiter = Annotated[
    str | None, typer.Option("--label-delimiter", help="What stands between the labels of a cell, where a row has several.")
]
Kind = Annotated[
    str | None, typer.Option("--task", help="classification, multilabel or regression. [default: from the labels]")
]


def columns(
    text: Names,
    label: Names,
    category: Names,
    number: Names,
    boolean: Names,
    ignore: Names,
    time: str | None,
    id_: str | None,
    label_delimiter: str | None = None,
    task: str | None = None,
) -> Columns:
    """What the options say.

    Raises:
        UnknownName: no such task.

    """
    from cauce.data.columns import Columns
    from cauce.errors import UnknownName, nearest
    from cauce.model.manifest import TASKS

    if task is not None and task not in TASKS:
        raise UnknownName(f'there is no task "{task}"', hint=nearest(task, TASKS) or f"tasks: {', '.join(TASKS)}")
    texts, categories, numbers, booleans, ignored, labels = (
        tuple(names or ()) for names in (text, category, number, boolean, ignore, label)
    )
    known = cast("Task | None", task)
    return Columns(texts, categories, numbers, booleans, ignored, labels, time, id_, label_delimiter, known)


def settings(given: list[str] | None) -> dict[str, str]:
    """What `--set NAME=VALUE` says, by name.

    Raises:
        InputError: one without a value.

    """
    from cauce.errors import InputError

    for one in given or ():
        if not all(one.partition("=")):
            raise InputError(f'"--set {one}" names no value', hint="write it as: --set epochs=3")
    return dict(one.split("=", 1) for one in given or ())
