"""Results: messages beside what a model found out about them, as JSON lines and as columns."""

from __future__ import annotations

import json
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cauce.data.json_text import objects
from cauce.model.model import Model
from cauce.model.predictions import Predictions, names_beside
from cauce.stream.deliveries import Deliveries
from cauce.stream.key import abouts_of
from cauce.stream.message import ANSWERS
from cauce.stream.messages import Messages
from cauce.stream.records import SCHEMA, Records
from cauce.stream.splice import spliced


class Results(Records):
    """Messages that were answered or withdrawn.

    Args:
        deliveries, messages, keys: (n,) side by side.
        predictions: (n,) of a withdrawn one any.
        rows: (n,) the place of each among all that were delivered together.

    """

    def __init__(
        self,
        model: Model,
        deliveries: Deliveries,
        messages: Messages,
        keys: pa.StringArray,
        predictions: Predictions,
        rows: npt.NDArray[np.intp],
    ) -> None:
        self.model, self.deliveries, self.messages, self.predictions = model, deliveries, messages, predictions
        self.rows = rows
        self._keys = keys

    @cached_property
    def abouts(self) -> pa.StringArray:
        """(n,) what each is about: all revisions of one thing have the same 32 hexadecimal digits."""
        return abouts_of(self.deliveries.source, self.deliveries.places, self.messages)

    @cached_property
    def lines(self) -> pa.LargeBinaryArray:
        """The message with what was found out about it."""
        data, bodies = self.messages.data, self.messages.bodies
        if data is None:
            rows = self.deliveries.given
            data = objects(rows.rename_columns(names_beside(rows.schema.names, ANSWERS)))
            bodies = pc.binary_length(data).to_numpy() - 1
        _, offsets, held = data.buffers()
        starts = np.frombuffer(offsets, np.int64)[data.offset : data.offset + len(data)]
        return spliced(np.frombuffer(held, np.uint8), starts, bodies, self._tails())

    @cached_property
    def table(self) -> pa.RecordBatch:
        """The columns of `SCHEMA`."""
        messages, n = self.messages, len(self)
        gone = pa.array(messages.deletes) if messages.deletes.any() else None
        named = self._answers()
        columns = {
            "id": messages.ids,
            "text": messages.texts,
            "created_at": messages.created,
            "op": pc.if_else(pa.array(messages.deletes), "delete", pa.scalar(None, pa.string())),
            "rev": pa.array(messages.revs),
            "key": self.keys,
            **{name: column if gone is None else pc.if_else(gone, None, column) for name, column in named.items()},
            **{name: _repeated(value, n) for name, value in self._who.items()},
            "other": messages.others,
        }
        return pa.RecordBatch.from_arrays([columns[field.name].cast(field.type) for field in SCHEMA], schema=SCHEMA)

    @property
    def _who(self) -> dict[str, str]:
        return {"model": self.model.name, "version": self.model.version, "variant": self.model.variant}

    def _answers(self) -> dict[str, pa.Array]:
        """The columns of the answers, as if none were withdrawn."""
        found, labels, n = self.predictions, self.model.labels, len(self)
        names = pa.array(labels, pa.string())
        ends = pa.array(np.arange(n + 1, dtype=np.int32) * len(labels))
        scores = pa.MapArray.from_arrays(ends, names.take(np.tile(np.arange(len(labels)), n)), pa.array(found.scores.ravel()))
        return {
            "label": pa.nulls(n, pa.string()) if found.task == "regression" else names.take(pa.array(found.best)),
            "labels": found.to_arrow().column("labels") if found.task == "multilabel" else pa.nulls(n, pa.list_(pa.string())),
            "score": pa.array(found.scores[np.arange(n), found.best]),
            "scores": scores,
            "truncated": pa.array(found.truncated),
        }

    def _tails(self) -> pa.LargeStringArray:
        """What follows the message in each line."""
        found, labels = self.predictions, self.model.labels
        quoted = [json.dumps(label, ensure_ascii=False) for label in labels]
        written = pc.cast(pa.array(found.scores.ravel()), pa.large_string())
        places = np.arange(len(self)) * len(labels)
        who = "".join(f',"{name}":{json.dumps(value, ensure_ascii=False)}' for name, value in self._who.items()) + "}"
        heads = [f'","label":{"null" if found.task == "regression" else one},' for one in quoted]
        pieces = [_text(',"key":"'), self.keys, _taken(heads, found.best)]
        if found.task == "multilabel":
            parts = [pc.if_else(pa.array(found.given[:, k]), _text(f"{one},"), _text("")) for k, one in enumerate(quoted)]
            given = pc.utf8_rtrim(pc.binary_join_element_wise(*parts, _text("")), ",")
            pieces += [_text('"labels":['), given, _text("],")]
        pieces += [_text('"score":'), written.take(pa.array(places + found.best))]
        for k, one in enumerate(quoted):
            pieces += [_text((',"scores":{', ",")[k > 0] + one + ":"), written.take(pa.array(places + k))]
        pieces += [_taken(['},"truncated":false', '},"truncated":true'], found.truncated.astype(np.intp)), _text(who)]
        whole = pc.binary_join_element_wise(*(one.cast(pa.large_string()) for one in pieces), _text(""))
        if not self.messages.deletes.any():
            return whole
        nothing = pc.binary_join_element_wise(
            _text(',"key":"'),
            self.keys.cast(pa.large_string()),
            _text(f'","label":null,"score":null,"scores":{{}}{who}'),
            _text(""),
        )
        return pc.if_else(pa.array(self.messages.deletes), nothing, whole)


def _text(value: str) -> pa.Scalar:
    return pa.scalar(value, pa.large_string())


def _taken(values: list[str], places: npt.NDArray[np.intp]) -> pa.LargeStringArray:
    return pa.array(values, pa.large_string()).take(pa.array(places))


def _repeated(value: str, n: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), [value])
