"""Which column is the text and which is the label: named by the caller, or guessed and said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cauce.errors import ColumnMissing, nearest
from cauce.model.manifest import Task

NAMES = {
    "text": (
        "text", "tweet", "message", "review", "comment", "sentence", "content", "body", "post", "clean_text", "utterance",
        "question",         "texto", "tuit", "mensaje", "comentario", "opinion", "opinión", "reseña", "frase",
        "contenido", "pregunta",
    ),
    "label": (
        "label", "labels", "class", "category", "sentiment", "target", "y", "intent", "polarity", "rating", "emotion",
        "etiqueta", "clase", "categoria", "categoría", "sentimiento", "polaridad", "intencion", "intención",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Columns:
    """What the caller says of a file's columns; the rest is guessed and said.

    Attributes:
        text, category, number, boolean: inputs of this type.
        ignore: not used.
        label: several columns are one 0/1 column a label (multilabel).
        time: when each row was made.
        id: names each row.
        label_delimiter: between the labels of one cell (multilabel).
        task: "classification", "multilabel" or "regression"; without it the labels decide.

    """

    text: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    number: tuple[str, ...] = ()
    boolean: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    label: tuple[str, ...] = ()
    time: str | None = None
    id: str | None = None
    label_delimiter: str | None = None
    task: Task | None = None


def wanted(name: str | None, names: list[str], source: str) -> tuple[str, str] | None:
    """The column that the caller named, or None where none was.

    Raises:
        ColumnMissing: it is not there; the nearest is named.

    """
    if name is None:
        return None
    if name not in names:
        raise ColumnMissing(
            f'there is no column "{name}"',
            where=source,
            hint=nearest(name, names) or f"the columns are: {', '.join(names)}",
        )
    return name, ""


def guess(role: str, columns: dict[str, list[Any]], *, taken: str | None, source: str) -> tuple[str, str]:
    """A column by its usual names; of two columns, the longer texts are the text. One with the other's name is not taken.

    Raises:
        ColumnMissing: no column is likely.

    """
    other = NAMES["label" if role == "text" else "text"]
    left = [name for name in columns if name != taken and name.strip().lower() not in other]
    by_name = {name.strip().lower(): name for name in reversed(left)}
    found = next((by_name[usual] for usual in NAMES[role] if usual in by_name), None)
    if found is None and len(columns) == 2 and left:
        lengths = {name: sum(len(cell or "") for cell in columns[name]) for name in left}
        found = max(left, key=lambda name: lengths[name]) if role == "text" else min(left, key=lambda name: lengths[name])
    if found is None:
        raise ColumnMissing(
            f"which column is the {role}?",
            where=source,
            hint=f"name it with --{role}; the columns are: {', '.join(columns)}",
        )
    return found, f'{role} is the column "{found}"'
