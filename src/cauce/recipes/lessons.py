"""What a network learns from: labeled texts, what a teacher says of them, and texts that only the teacher labels."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cauce.data.dataset import Dataset
from cauce.data.texts import texts as read_texts
from cauce.errors import InputError, TooFewLabels
from cauce.recipes.loop import Examples
from cauce.recipes.options import Network
from cauce.recipes.targets import Scale, targets, weights
from cauce.recipes.teacher import Teacher
from cauce.text.normalize import Normalizer
from cauce.text.spelling import Spelling
from cauce.text.tokenize import Tokenizer, Tokens


@dataclass(frozen=True)
class Lessons:
    """The examples, notes on them, and what the manifest says of teacher and texts: their hashes, not their places."""

    examples: Examples
    notes: tuple[str, ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reader:
    """How a network reads texts; its runtime does the same."""

    normalizer: Normalizer
    spelling: Spelling | None
    tokenizer: Tokenizer

    def tokens(self, texts: pa.Array) -> Tokens:
        """The tokens of texts (n,)."""
        return self.tokenizer.encode(normal(texts, self.normalizer, self.spelling))


def normal(texts: pa.Array, normalizer: Normalizer, spelling: Spelling | None) -> pa.Array:
    """The normalized texts, (n,)."""
    found = normalizer.apply(texts)
    return spelling.apply(found) if spelling else found


def texts_of(data: Dataset) -> pa.Array:
    """The texts, (n,).

    Raises:
        InputError: there are other columns than one of texts.

    """
    if [one.type for one in data.inputs] != ["text"]:
        columns = ", ".join(one.name for one in data.inputs)
        raise InputError(
            f"a network reads one column of texts, the data has the columns {columns}",
            hint="name one with --text and leave the others out with --ignore, or take --recipe linear",
        )
    return data.texts()


def extra_texts(options: Network) -> pa.Array | None:
    """The texts without labels, (n,); None where none are given.

    Raises:
        InputError: there is no teacher for them; or of the file, see `cauce.data.texts`.

    """
    if options.unlabelled is None:
        return None
    if options.teacher is None:
        raise InputError("texts without labels need a teacher", hint="name a model: --teacher MODEL")
    return read_texts(options.unlabelled)


def lessons(data: Dataset, labels: tuple[str, ...], options: Network, scale: Scale, reader: Reader) -> Lessons:
    """The labeled rows, what the teacher says of them, and texts that only it labels.

    Raises:
        TooFewLabels: fewer rows than labels.
        NotComparable: the teacher has another task or other labels.
        InputError: other columns than one of texts, the teacher cannot answer, or as `extra_texts`.
        FileMissing, ModelFolderError: of the teacher; see `cauce.load`.

    """
    if len(labels) > len(data):
        raise TooFewLabels(
            f"{len(labels)} labels for {len(data)} rows", where=data.source, hint="a label needs rows to learn from"
        )
    texts, more = texts_of(data), extra_texts(options)
    truth, weight = targets(data, labels, scale), weights(data, labels, even=options.class_weights)
    if options.teacher is None:
        return Lessons(Examples(reader.tokens(texts), truth, weight))
    teacher = Teacher(Path(options.teacher), data.task, labels)
    told: dict[str, Any] = {"teacher": teacher.version}
    notes: tuple[str, ...] = ()
    if more is not None:
        told["unlabelled"] = hashlib.sha256("\0".join(more.to_pylist()).encode()).hexdigest()
        notes = (f"the teacher labeled {len(more)} texts of {options.unlabelled}",)
        texts = pa.concat_arrays([texts, more.cast(texts.type)])
        truth = np.concatenate([truth, np.zeros((len(more), truth.shape[1]), np.float32)])
        weight = np.concatenate([weight, np.zeros(len(more), np.float32)])
    said = scale.apply(teacher.logits(texts))
    return Lessons(Examples(reader.tokens(texts), truth, weight, said), notes, told)
