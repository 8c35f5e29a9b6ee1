"""What each column is for: named by the caller, or guessed and said."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import get_args

import pyarrow as pa
import pyarrow.compute as pc

from cauce.data.tables import Source
from cauce.data.values import (
    Strings,
    is_number,
    looks_boolean,
    looks_like_text,
    looks_numeric,
    strings,
    whole,
)
from cauce.errors import ColumnMissing, UnreadableData, nearest
from cauce.model.manifest import Input, InputType, Task

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
ID_NAMES = r"(?i)^(id|uuid|guid|index|key|clave|unnamed: 0|.*[_ .-](id|uuid)|.*Id)$"
DATE = r"^\d{4}-\d{2}-\d{2}([T ].*)?$"
INPUTS: tuple[InputType, ...] = get_args(InputType)
MANY = 1_000  # values of a category, most of them different: it looks like an id


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
        task: without it the labels decide.
        only: no input but those named, which need not look like their type; see `of_model`.

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
    only: bool = False

    @classmethod
    def of_model(
        cls,
        inputs: tuple[Input, ...],
        task: Task | None,
        *,
        label: tuple[str, ...] = (),
        label_delimiter: str | None = None,
    ) -> Columns:
        """The columns that a model reads, as its manifest declares them, and the label of its task."""

        def named(kind: InputType) -> tuple[str, ...]:
            return tuple(one.name for one in inputs if one.type == kind)

        return cls(
            text=named("text"),
            category=named("category"),
            number=named("number"),
            boolean=named("boolean"),
            label=label,
            label_delimiter=label_delimiter,
            task=task,
            only=True,
        )

    def naming(self, text: str | None, label: str | None) -> Columns:
        """The same with the one text and the one label that are named here."""
        return replace(self, text=(text,) if text else self.text, label=(label,) if label else self.label)

    def named(self, where: str = "") -> dict[str, str]:
        """The role of each column that was named.

        Raises:
            ColumnMissing: a column has two roles.

        """
        roles: dict[str, str] = {}
        for role, names in {
            **{role: getattr(self, role) for role in (*INPUTS, "ignore", "label")},
            "time": (self.time,) if self.time else (),
            "id": (self.id,) if self.id else (),
        }.items():
            for name in names:
                if roles.get(name, role) != role:
                    raise ColumnMissing(
                        f'"{name}" is named as the {roles[name]} and as the {role}',
                        where=where,
                        hint="a column has one role: name it once",
                    )
                roles[name] = role
        return roles


@dataclass
class Roles:
    """What each column of one file is for."""

    inputs: dict[str, InputType]
    label: tuple[str, ...]
    notes: list[str] = field(default_factory=list)


def decide(source: Source, columns: Columns) -> Roles:
    """The inputs with their types and the label columns, in the order of the file.

    Raises:
        ColumnMissing: a column that was named is not there, or has two roles; or no label or no input can be told.
        UnreadableData: a column that was named is a list, and not the label alone.

    """
    names = source.table.column_names
    named = columns.named(source.name)
    for name in named:
        if name not in names:
            raise ColumnMissing(
                f'there is no column "{name}"',
                where=source.name,
                hint=nearest(name, names) or f"the columns are: {', '.join(names)}",
            )
    free = [name for name in names if name not in named]
    given = {name: kind for kind in INPUTS for name in getattr(columns, kind)}
    roles = Roles(given, tuple(dict.fromkeys(columns.label)))
    for name, role in named.items():
        may_be_list = role == "ignore" or columns.label == (name,)
        if not may_be_list and pa.types.is_nested(source.table.schema.field(name).type):
            raise UnreadableData(f'"{name}" holds lists', where=source.name, hint="only the label may be a list")
    text = None
    if not columns.text and not columns.only:
        text = _usual(free, "text") or _longer(source, free, columns.label)
    if not roles.label:
        label = _usual(free, "label") or _shorter(source, free, columns.text or ((text,) if text else ()))
        if label is None:
            raise ColumnMissing("which column is the label?", where=source.name, hint=_hint("label", names))
        roles.label = (label,)
        roles.notes.append(f'label is the column "{label}"')
    free = [name for name in free if name not in roles.label]
    if not columns.text and not columns.only:
        text = text or _sentences(source, free, names)
        if text:
            roles.inputs[text] = "text"
            roles.notes.insert(0, f'text is the column "{text}"')
    left = [name for name in free if name not in roles.inputs]
    unused = [name for name in names if named.get(name) == "ignore"]
    if columns.only or "text" in roles.inputs.values():
        unused += left
    else:
        _table(source, left, roles)
    if unused:
        roles.notes.append(f"not used: {', '.join(name for name in names if name in unused)}")
    if names == ["text", "label"] and not named:
        roles.notes.clear()  # there was nothing to guess
    if not roles.inputs:
        raise ColumnMissing("which column is the text?", where=source.name, hint=_hint("text", names))
    roles.inputs = {name: roles.inputs[name] for name in names if name in roles.inputs}
    return roles


def text_and_label(source: Source, text: str | None, label: str | None) -> tuple[str, str]:
    """The names of both. A label column is only found by its usual names: it may not be there yet.

    Raises:
        ColumnMissing: no column is the text, or several could be.

    """
    table = source.table
    by_name = {name.strip().lower(): name for name in reversed(table.column_names)}
    label = label or next((by_name[usual] for usual in NAMES["label"] if usual in by_name and by_name[usual] != text), "label")
    if label not in table.column_names:
        source = replace(source, table=table.append_column(label, pa.nulls(len(table), pa.string())))
    inputs = decide(source, Columns(text=(text,) if text else (), label=(label,))).inputs
    texts = [name for name, kind in inputs.items() if kind == "text"]
    if not texts:
        hint = f"name it with --text; the columns are: {', '.join(table.column_names)}"
        raise ColumnMissing("which column is the text?", where=source.name, hint=hint)
    return texts[0], label


def _hint(role: str, names: list[str]) -> str:
    return f"name it with --{role}; the columns are: {', '.join(names)}"


def _usual(names: list[str], role: str) -> str | None:
    """The column with the first of the role's usual names."""
    by_name = {name.strip().lower(): name for name in reversed(names)}
    return next((by_name[usual] for usual in NAMES[role] if usual in by_name), None)


def _longer(source: Source, free: list[str], label: tuple[str, ...]) -> str | None:
    """Of two columns, the one with the longer texts, or the one that is not the label; a table of a number has none."""
    left = [
        name
        for name in free
        if name.strip().lower() not in NAMES["label"] and not pa.types.is_nested(source.table.schema.field(name).type)
    ]
    if len(source.table.column_names) != 2 or not left or (label and left == list(label)):
        return None
    longest = max(left, key=lambda name: _length(source, name))
    column = strings(source, longest)
    return None if looks_numeric(column) or looks_boolean(column) else longest


def _shorter(source: Source, free: list[str], taken: tuple[str, ...]) -> str | None:
    """Of two columns, the one that is not the text."""
    left = [name for name in free if name not in taken and name.strip().lower() not in NAMES["text"]]
    return min(left, key=lambda name: _length(source, name)) if len(source.table.column_names) == 2 and left else None


def _length(source: Source, name: str) -> int:
    column = whole(source.table.column(name))
    return 0 if pa.types.is_nested(column.type) else int(pc.sum(pc.utf8_length(strings(source, name).values)).as_py() or 0)


def _sentences(source: Source, free: list[str], names: list[str]) -> str | None:
    """The only column that holds sentences.

    Raises:
        ColumnMissing: there are several.

    """
    found = [
        name
        for name in free
        if pa.types.is_string(source.table.schema.field(name).type) and looks_like_text(strings(source, name))
    ]
    if len(found) > 1:
        raise ColumnMissing(
            f"which column is the text? these hold sentences: {', '.join(found)}", where=source.name, hint=_hint("text", names)
        )
    return found[0] if found else None


def _table(source: Source, left: list[str], roles: Roles) -> None:
    """Every column that is left becomes an input, but for constants, ids and dates; each decision is said."""
    by_type: dict[str, list[str]] = {}
    for name in left:
        by_type.setdefault(_inferred(source, name), []).append(name)
    for kind in INPUTS:
        if found := by_type.get(kind, []):
            roles.inputs.update(dict.fromkeys(found, kind))
            roles.notes.append(f"{kind}: {', '.join(found)}")
    for reason, said in (
        ("constant", "the same in every row"),
        ("id", "different in every row"),
        ("date", "times; name one with --time"),
        ("list", "lists"),
    ):
        if found := by_type.get(reason, []):
            roles.notes.append(f"left out, {said}: {', '.join(found)}")


def _inferred(source: Source, name: str) -> str:
    """The type of a column, or why it is no input."""
    raw = whole(source.table.column(name))
    if pa.types.is_nested(raw.type):
        return "list"
    if pa.types.is_temporal(raw.type):
        return "date"
    column = strings(source, name)
    different = pc.count_distinct(column.values, mode="all").as_py()
    if different <= 1:
        return "constant"
    if pa.types.is_boolean(raw.type) or looks_boolean(column):
        return "boolean"
    if is_number(raw.type) or looks_numeric(column):
        return "id" if different == len(raw) and _counts_up(column) else "number"
    if different == len(raw):
        return "id"
    return "date" if pc.all(Strings(name, column.values.drop_null()).match(DATE)).as_py() else "category"


def _counts_up(column: Strings) -> bool:
    """Whole numbers, all different, that have an id's name or leave hardly any out: row numbers."""
    if not pc.all(column.match(r"^\d{1,18}$")).as_py():
        return False
    low, high = pc.min_max(column.values.cast(pa.int64())).as_py().values()
    return high - low < 2 * len(column.values) or bool(pc.match_substring_regex(column.name, ID_NAMES).as_py())


def looks_like_an_id(column: pa.Array) -> bool:
    """A category with very many values, most of them different."""
    different = pc.count_distinct(column).as_py()
    return bool(different > MANY and different > len(column) / 2)
