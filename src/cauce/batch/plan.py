"""The plan of a job: which rows of which file make which part. Written before anything is scored; a later run keeps to it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import pyarrow as pa

from cauce.batch import inputs
from cauce.batch.answering import Answering
from cauce.batch.commit import PLAN, STATE, Store, as_bytes, put, read_json
from cauce.batch.filters import Condition
from cauce.batch.inputs import Input
from cauce.batch.options import Options
from cauce.batch.plain import Plain, plain
from cauce.batch.readers import Span, open_reader
from cauce.batch.write import FORMATS, OF_KIND
from cauce.data.files import is_url
from cauce.errors import (
    ColumnMissing,
    EmptyData,
    FileChanged,
    FileMissing,
    OutputExists,
    UnknownName,
    UnreadableData,
    nearest,
)
from cauce.model.model import Model
from cauce.settings import settings

FLAGS = {"format": "to"}
VERSION = 1  # of the plan's file
FRAGMENT = 1 << 25  # bytes of a fragment where a call takes any number of rows
SMALL_FRAGMENT = 1 << 19  # of one that is slower: a run that is stopped finishes its fragment


@dataclass(frozen=True)
class Fragment:
    """A span of an input (its place in the plan's list)."""

    input: int
    span: Span


@dataclass(frozen=True)
class Plan:
    """A job.

    Attributes:
        model: name, version and variant.
        options: with nothing left to be found out.
        schema: the columns that are read, the same for every input.
        inputs: with their hashes.
        fragments: in the order of the output's parts.
        shards: into how many machines' shares they are cut; 1 for none.
        notes: what was found out, in words.

    """

    model: dict[str, str]
    options: Options
    schema: pa.Schema
    inputs: tuple[Input, ...]
    fragments: tuple[Fragment, ...]
    shards: int = 1
    notes: tuple[str, ...] = field(default=(), compare=False)

    @property
    def rows(self) -> int:
        """The rows of all inputs."""
        return sum(fragment.span.rows for fragment in self.fragments)

    def save(self, store: Store) -> None:
        """Write it down; there is no moment without the plan before."""
        spans = [[one.input, *asdict(one.span).values()] for one in self.fragments]
        schema = base64.b64encode(self.schema.serialize().to_pybytes()).decode()
        content = {
            "plan": VERSION,
            "model": self.model,
            "options": asdict(self.options),
            "schema": schema,
            "inputs": [asdict(one) for one in self.inputs],
            "fragments": spans,
            "shards": self.shards,
            "notes": self.notes,
        }
        put(store, PLAN, as_bytes(content), "plan")


def saved(store: Store) -> Plan | None:
    """The plan of the job in this folder, or None for a new folder.

    Raises:
        OutputExists: the folder holds something else.
        UnreadableData: the plan is damaged.

    """
    found = read_json(store, PLAN)
    if found is None:
        others = [name for name in store.names("") if name != STATE]
        if others:
            raise OutputExists(
                f"the output folder holds something else: {', '.join(others[:3])}",
                hint="choose a new folder; a job goes on only in its own",
            )
        return None
    try:
        if found["plan"] != VERSION:
            raise ValueError
        options = {**found["options"], "columns": tuple(found["options"]["columns"])}
        return Plan(
            found["model"],
            Options(**options),
            pa.ipc.read_schema(pa.py_buffer(base64.b64decode(found["schema"]))),
            tuple(Input(**one) for one in found["inputs"]),
            tuple(Fragment(place, Span(*span)) for place, *span in found["fragments"]),
            found["shards"],
            tuple(found["notes"]),
        )
    except (KeyError, TypeError, ValueError, pa.ArrowException):
        raise UnreadableData(
            "not a plan that this Cauce can read", where=PLAN, hint="write the job into a new folder"
        ) from None


def identity(model: Model) -> dict[str, str]:
    """What a plan says of its model."""
    return {"name": model.name, "version": model.version, "variant": model.variant}


def make(
    model: Model, found: Sequence[Input], options: Options, room: Path, *, shards: int, before: Plan | None = None
) -> Plan:
    """The plan of these inputs, behind those of an earlier plan.

    Raises:
        InputError: an input that cannot be read, or that does not fit the model, the options or the others.

    """
    known = list(before.inputs) if before else []
    fragments = list(before.fragments) if before else []
    notes = list(before.notes) if before else []
    options = before.options if before else _decided(options, found)
    schema, first = (before.schema, before.inputs[0].name) if before else (None, "")
    quick = model.runtime.batching == "free" and model.runtime.batch_cost is None
    size = settings().fragment_bytes or (FRAGMENT if quick else SMALL_FRAGMENT)
    for one in found:
        ready = plain(one, room, len(known))
        reader = open_reader(ready.path, one.name)
        if schema is None:
            options, said = _with_text(model, reader.schema, options, one.name)
            notes += said
        wanted = _needed(model, options, reader.schema, one.name)
        own = pa.schema([reader.schema.field(name) for name in wanted])
        schema, first = (_common(schema, own, first, one.name), first) if schema is not None else (own, one.name)
        notes += [note for note in (*ready.notes, *reader.notes) if note not in notes]
        fragments += [Fragment(len(known), span) for span in reader.spans(size)]
        known.append(ready.source)
        forget(ready, one)
    if schema is None or not fragments:
        raise EmptyData("the inputs have no rows", hint="are these the right files?")
    if before and schema != before.schema:
        raise UnreadableData("the new files have other types than those before", hint="write them into another folder")
    _check_types(model, options, schema)
    return Plan(identity(model), options, schema, tuple(known), tuple(fragments), shards, tuple(notes))


def forget(ready: Plain, one: Input) -> None:
    """Delete a copy that was made of an input."""
    if ready.path != Path(one.name):
        ready.path.unlink(missing_ok=True)


def check_unchanged(
    plan: Plan,
    model: Model,
    options: Options,
    found: Sequence[Input],
    shards: int,
    *,
    append: bool,
    mixed: bool,
) -> list[Input]:
    """The inputs that the plan does not know, after a look at all that must be as it was.

    Raises:
        OutputExists: another model, other options, or other inputs without `append`.
        FileChanged: an input is not as it was.
        FileMissing: an input is gone, and its rows are not.

    """
    if plan.model != identity(model) and not (mixed and append):
        other = "write into another folder; or add new files with --append --mixed-versions"
        if plan.model["version"] == model.version:
            other = f"go on with --variant {plan.model['variant']}, or write into another folder"
        raise OutputExists(
            f"the folder holds answers of {plan.model['name']}@{plan.model['version'][:12]} {plan.model['variant']}, "
            f"not of {model.name}@{model.version[:12]} {model.variant}",
            hint=other,
        )
    for name, planned in asdict(plan.options).items():
        mine = getattr(options, name)
        if mine != planned and (mine or name not in ("format", "text")):
            raise OutputExists(
                f"the job in this folder has another --{FLAGS.get(name, name)}: {planned or 'none'}",
                hint="give the same options to go on, or write into another folder",
            )
    if shards not in (plan.shards, 1):
        raise OutputExists(f"the job was cut into {plan.shards} shards, not {shards}", hint=f"use --shard i/{plan.shards}")
    now = {one.name: one for one in found}
    for one in plan.inputs:
        current = now.pop(one.name, None)
        if current is None:
            if append:
                continue  # the files of an earlier day may be gone
            raise FileMissing(f"{one.name} is gone, or not named any more", hint="put it back; --append adds new files alone")
        if not one.unchanged(current) and (is_url(one.name) or inputs.digest(Path(one.name)) != one.sha256):
            raise FileChanged(
                f"{one.name} is not as it was when this job began",
                hint="put the file back, or write the job into a new folder; new files are added with --append",
            )
    if now and not append:
        names = list(now)
        raise OutputExists(
            f"{len(names)} file(s) are new since this job began: {', '.join(names[:3])}",
            hint="add them with --append, or write into another folder",
        )
    return list(now.values())


def _decided(options: Options, found: Sequence[Input]) -> Options:
    kind = options.format or OF_KIND.get(found[0].kind, "arrow" if found[0].kind != ".zip" else "csv")
    if kind not in FORMATS:
        raise UnknownName(f'there is no format "{kind}"', hint=nearest(kind, FORMATS) or f"formats: {', '.join(FORMATS)}")
    return replace(options, format=kind)


def _with_text(model: Model, schema: pa.Schema, options: Options, name: str) -> tuple[Options, list[str]]:
    """The options with the column of the text, where the model reads one text alone."""
    wanted = [one.name for one in model.manifest.inputs]
    if [one.type for one in model.manifest.inputs] != ["text"]:
        if options.text:
            raise UnknownName("--text is for a model of one text", hint=f"this model reads {', '.join(wanted)}")
        return options, []
    if options.text or wanted[0] in schema.names:
        return options, []
    texts = [one.name for one in schema if pa.types.is_string(one.type) or pa.types.is_large_string(one.type)]
    if len(texts) != 1:
        raise ColumnMissing(
            f'there is no column "{wanted[0]}"; there are {", ".join(schema.names)}',
            where=name,
            hint=nearest(wanted[0], schema.names) or "name the column of the text with --text",
        )
    return replace(options, text=texts[0]), [f'text is the column "{texts[0]}"']


def _needed(model: Model, options: Options, schema: pa.Schema, name: str) -> list[str]:
    """The columns that are read: those kept, those of the model, those of the condition; in the file's order."""
    kept = options.columns or schema.names
    reads = [options.text] if options.text else [one.name for one in model.manifest.inputs]
    conditions = Condition(options.where).columns if options.where else ()
    for column in (*kept, *reads, *conditions):
        if column not in schema.names:
            raise ColumnMissing(
                f'there is no column "{column}"; there are {", ".join(schema.names)}',
                where=name,
                hint=nearest(column, schema.names) or "check the names: every file must have the same columns",
            )
    return [column for column in schema.names if column in {*kept, *reads, *conditions}]


def _check_types(model: Model, options: Options, schema: pa.Schema) -> None:
    """Say now what would fail at the first row.

    Raises:
        WrongRows: a column that the model cannot read.
        BadCondition, ColumnMissing: of the conditions.

    """
    if options.where:
        Condition(options.where).expression(schema)
    answered = Answering(model, options, schema)
    if options.select:
        Condition(options.select).expression(answered.schema)


def _common(schema: pa.Schema, own: pa.Schema, first: str, name: str) -> pa.Schema:
    """The schema of both files, in the order of the first.

    Raises:
        ColumnMissing: a column of the one is not in the other.
        UnreadableData: a column has types that do not go together.

    """
    for here, there, mine, other in ((schema, own, first, name), (own, schema, name, first)):
        for column in here.names:
            if column not in there.names:
                near = nearest(column, [one for one in there.names if one not in here.names])
                raise ColumnMissing(
                    f'{mine} has a column "{column}", {other} has not',
                    where=other,
                    hint=near or "name the columns that every file has with --columns",
                )
    kinds = []
    for one in schema:
        try:
            both = pa.unify_schemas([pa.schema([one]), pa.schema([own.field(one.name)])], promote_options="permissive")
        except pa.ArrowException:
            raise UnreadableData(
                f'the column "{one.name}" holds {own.field(one.name).type}, in {first} it holds {one.type}',
                where=name,
                hint="write them with one type, or leave the column out with --columns",
            ) from None
        kinds.append(both.field(0))
    return pa.schema(kinds)
