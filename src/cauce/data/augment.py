"""Augmentation: altered copies of the training rows, behind the rows themselves. Seeded, the same for any number of threads.

Dev and test are never augmented. A copy that came out as its row was is left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Self

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, model_validator

from cauce.data.alterations import ALTERATIONS
from cauce.data.dataset import Dataset
from cauce.data.masking import Masking
from cauce.data.synonyms import Synonyms
from cauce.errors import InputError, UnknownName, nearest

SYNONYMS, MLM = "synonyms", "mlm"
KINDS = (*ALTERATIONS, SYNONYMS, MLM)
SHARE_HINT = "a number over 0, up to 1: share=0.1 is every tenth word"
NEEDED = {SYNONYMS: "a file of synonyms", MLM: "the folder of a masked language model"}

Alter = Callable[[list[str], list[Random], float], list[str]]


class Augment(BaseModel):
    """What copies are made.

    Attributes:
        copies: of each row, by kind; the kinds are `KINDS`.
        share: of the words of a text that a copy alters, at least one word (`accents` takes all).
        synonyms: the file of the kind `synonyms`; see `cauce.data.synonyms`.
        encoder: the folder of the kind `mlm`, as transformers writes it.

    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    copies: dict[str, int]
    share: float = 0.1
    synonyms: Path | None = None
    encoder: Path | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.copies:
            raise InputError("no kind of augmentation is named", hint=f"the kinds are: {', '.join(KINDS)}")
        if not 0 < self.share <= 1:
            raise InputError(f"the share is {self.share:g}", hint=SHARE_HINT)
        for kind, copies in self.copies.items():
            if kind not in KINDS:
                hint = nearest(kind, KINDS) or f"the kinds are: {', '.join(KINDS)}"
                raise UnknownName(f'there is no kind of augmentation "{kind}"', hint=hint)
            if copies < 1:
                raise InputError(f"{kind} is to make {copies} copies", hint="ask for 1 or more, or leave it out")
        for kind, place in ((SYNONYMS, self.synonyms), (MLM, self.encoder)):
            if kind in self.copies and place is None:
                raise InputError(f"{kind} needs {NEEDED[kind]}", hint=f"write {kind}=PATH")
        return self

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the form of the command line: `accents,typos:2,synonyms=words.tsv,share=0.2`. A number is copies a row.

        Raises:
            UnknownName: no such kind.
            InputError: a kind twice, a number or a path that is missing or out of place.

        """
        copies: dict[str, int] = {}
        values: dict[str, str] = {}
        for item in text.split(","):
            body, _, number = item.strip().rpartition(":")
            if not body or not number.isdecimal():
                body, number = item.strip(), "1"
            kind, equals, value = body.partition("=")
            if kind in copies or kind in values:
                raise InputError(f"{kind} is named twice", hint=f"for two copies a row: {kind}:2")
            if equals:
                if kind not in (*NEEDED, "share") and kind in KINDS:
                    raise InputError(f'{kind} takes no value, there is "{value}"', hint=f"for two copies a row: {kind}:2")
                values[kind] = value
            if kind != "share":
                copies[kind] = int(number)
        fields: dict[str, Any] = {"copies": copies}
        if "share" in values:
            try:
                fields["share"] = float(values["share"])
            except ValueError:
                raise InputError(f'the share is "{values["share"]}"', hint=SHARE_HINT) from None
        for kind, field in ((SYNONYMS, "synonyms"), (MLM, "encoder")):
            if values.get(kind):
                fields[field] = Path(values[kind])
        return cls(**fields)

    def as_dict(self) -> dict[str, Any]:
        """What decides the copies, for JSON: files by the hash of what they hold, not by their place."""
        hashes = {name: _sha256(place) for name in ("synonyms", "encoder") if (place := getattr(self, name))}
        return {"copies": self.copies, "share": self.share, **hashes}


def augment(data: Dataset, kinds: Augment, seed: int, progress: Callable[[float, str], None]) -> Dataset:
    """The rows, and behind them the copies: kind by kind, in the rows' order. `notes` says how many there are.

    Raises:
        InputError: there is no text among the inputs.
        FileMissing, EmptyData, UnreadableData, MissingExtra: of the synonyms' file or the encoder's folder.

    """
    columns = [place for place, one in enumerate(data.inputs) if one.type == "text"]
    if not columns:
        raise InputError("there is no text to augment", where=data.source, hint="leave out --augment")
    texts = {column: data.rows.column(column).to_pylist() for column in columns}
    grown: dict[int, list[str]] = {column: [] for column in columns}
    sources: list[int] = []
    made: list[str] = []
    done, total = 0, sum(kinds.copies.values())
    for kind, copies in kinds.copies.items():
        alter, before = _alter(kind, kinds), len(sources)
        for copy in range(copies):
            progress(done / total, f"augmenting: {kind}")
            new = {}
            for column, old in texts.items():
                keys = [f"{seed} {kind} {copy} {column} {row}" for row in range(len(data))]
                randoms = [Random(key) for key in keys]  # noqa: S311  (no secret; a row's own, whatever the others draw)
                new[column] = alter(old, randoms, kinds.share)
            changed = [row for row in range(len(data)) if any(new[column][row] != texts[column][row] for column in columns)]
            sources += changed
            for column in columns:
                grown[column] += [new[column][row] for row in changed]
            done += 1
        made.append(f"{kind} {len(sources) - before}")
    whole = data.take(np.concatenate([np.arange(len(data)), np.array(sources, np.int64)]))
    arrays = list(whole.rows.columns)
    for column in columns:
        arrays[column] = pa.array(texts[column] + grown[column], arrays[column].type)
    note = f"augmented: {len(sources)} altered copies beside {len(data)} rows ({', '.join(made)})"
    return replace(whole, rows=pa.RecordBatch.from_arrays(arrays, whole.rows.schema.names), notes=(*data.notes, note))


def _alter(kind: str, kinds: Augment) -> Alter:
    """How texts are altered, all of a column at once."""
    if kind == MLM and kinds.encoder:
        return Masking(kinds.encoder).alter
    one = Synonyms.read(kinds.synonyms).alter if kind == SYNONYMS and kinds.synonyms else ALTERATIONS[kind]
    return partial(_each, one)


def _each(one: Callable[[str, Random, float], str], texts: list[str], randoms: list[Random], share: float) -> list[str]:
    return [one(text, random, share) for text, random in zip(texts, randoms, strict=True)]


def _sha256(place: Path) -> str:
    """The hash of a file, or of the names and contents of a folder's files."""
    digest = hashlib.sha256()
    for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
        if path.is_file():
            digest.update(f"{path.relative_to(place)}\0{path.stat().st_size}\0".encode())
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
