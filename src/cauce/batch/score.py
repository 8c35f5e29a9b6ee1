"""Answers for a window of rows, each distinct row asked once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cauce.batch import kernels
from cauce.model.manifest import Input
from cauce.model.model import Model
from cauce.model.predictions import columns as answer_columns
from cauce.text.buffers import utf8

SAMPLE = 16  # one distinct text of so many is counted, to tell whether texts repeat
WORTH = 0.15  # share of rows that repeat another, from which on looking for them costs less than asking again
LEAST = 1024  # rows


def answers(model: Model, rows: pa.RecordBatch) -> pa.RecordBatch:
    """The answer columns for rows of the model's inputs, in their order."""
    names = answer_columns(model.task)
    firsts, inverse = distinct(rows, model.manifest.inputs) if len(rows) >= LEAST else (None, None)
    if firsts is None:
        return model.predict_arrow(rows).select(list(names))
    return model.predict_arrow(rows.take(pa.array(firsts))).select(list(names)).take(pa.array(inverse))


def distinct(
    rows: pa.RecordBatch, inputs: tuple[Input, ...]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | tuple[None, None]:
    """The first row of each kind, and which of these each row is; nothing where few repeat."""
    texts = [rows.column(one.name) for one in inputs if one.type == "text"]
    if not texts or _repeated(texts[0]) < WORTH:
        return None, None
    key = np.zeros(len(rows), np.int64)
    for column in rows.columns:
        encoded = column.dictionary_encode(null_encoding="encode")
        key = key * max(len(encoded.dictionary), 1) + encoded.indices.to_numpy()
        _, key = np.unique(key, return_inverse=True)  # small again, so that the next product fits
    _, firsts, inverse = np.unique(key, return_index=True, return_inverse=True)
    return firsts, inverse


def _repeated(texts: pa.Array) -> float:
    """About what share of the texts stand there before: exact over those whose hash falls into the sample."""
    if not (pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type)):
        return 0.0
    data, offsets = utf8(texts)
    prints = np.empty(len(texts), np.uint64)
    kernels.fingerprints(data, offsets, prints)
    sample = prints[prints % np.uint64(SAMPLE) == 0]
    return 1 - len(np.unique(sample)) / len(sample) if len(sample) else float(len(np.unique(prints)) < len(prints) / 2)


def model_inputs(model: Model, rows: pa.RecordBatch, text: str | None, *, written: bool) -> pa.RecordBatch:
    """The model's columns of the rows.

    Args:
        text: the column of the text, where it is not called as the model calls it.
        written: every column is text as it was written, as in a CSV: an empty category is missing.

    """
    columns = []
    for one in model.manifest.inputs:
        column = rows.column(text if text and one.type == "text" else one.name)
        columns.append(_stripped(column) if written and one.type == "category" else column)
    return pa.RecordBatch.from_arrays(columns, [one.name for one in model.manifest.inputs])


def _stripped(categories: pa.Array) -> pa.Array:
    """Categories as training reads them: stripped, and an empty one is missing."""
    values = pc.utf8_trim_whitespace(categories)
    return pc.if_else(pc.equal(values, ""), pa.scalar(None, pa.string()), values)
