"""From a window of rows to what is written of it: the kept columns beside the answers, and the dead letters."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cauce.batch.filters import Condition
from cauce.batch.options import Options
from cauce.batch.readers import Letter, Window
from cauce.batch.score import answers, model_inputs
from cauce.model.model import Model
from cauce.model.predictions import columns as answer_columns
from cauce.model.predictions import kept_names
from cauce.model.rows import MEANINGS


@dataclass
class Counts:
    """What became of rows: `read` of the files, `taken` by the condition; of these `out`, `dead` by code, `unselected`."""

    read: int = 0
    taken: int = 0
    out: int = 0
    unselected: int = 0
    dead: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)

    def add(self, other: Counts) -> None:
        """Count these too."""
        self.read, self.taken = self.read + other.read, self.taken + other.taken
        self.out, self.unselected = self.out + other.out, self.unselected + other.unselected
        self.dead.update(other.dead)
        self.labels.update(other.labels)

    @property
    def lost(self) -> int:
        """Dead letters."""
        return self.dead.total()


@dataclass(frozen=True)
class Answered:
    """Rows to write, and the rows that were not answered."""

    rows: pa.RecordBatch
    dead: tuple[Letter, ...]
    counts: Counts


class Answering:
    """A model, and what is kept of the rows.

    Raises:
        WrongRows: a column that the model cannot read.

    """

    def __init__(self, model: Model, options: Options, schema: pa.Schema) -> None:
        self._model, self._text = model, options.text
        self._kept = list(options.columns or schema.names)
        self._where = Condition(options.where).expression(schema) if options.where else None
        self._select = None
        nothing = pa.RecordBatch.from_arrays([pa.nulls(0, kind) for kind in schema.types], schema.names)
        none = np.empty(0, np.int64)
        self.schema = self(Window(nothing, none, None, str), written=False).rows.schema
        if options.select:
            self._select = Condition(options.select).expression(self.schema)

    def __call__(self, window: Window, *, written: bool) -> Answered:
        """Score a window.

        Args:
            written: its columns are text as it was written, as in a CSV.

        """
        counts = Counts(read=len(window.rows) + len(window.dead) + window.skipped)
        if self._where is not None:
            window = _filtered(window, self._where)
        given = answers(self._model, model_inputs(self._model, window.rows, self._text, written=written))
        rows = self._beside(window.rows, given)
        letters = list(window.dead)
        counts.taken = len(window.rows) + len(letters)
        error = given.column("error")
        if error.null_count < len(error):
            fine = error.is_null()
            wrong = np.flatnonzero(~fine.to_numpy(zero_copy_only=False))
            codes = error.filter(pc.invert(fine)).to_pylist()
            letters += [window.letter(int(at), code, MEANINGS[code]) for at, code in zip(wrong, codes, strict=True)]
            letters.sort(key=lambda letter: letter.row)
            rows = rows.filter(fine)
        answered = len(rows)
        if self._select is not None:
            rows = _batch(pa.Table.from_batches([rows]).filter(self._select))
        counts.out, counts.unselected = len(rows), answered - len(rows)
        counts.dead.update(letter.code for letter in letters)
        counts.labels.update(self._labels(rows))
        return Answered(rows, tuple(letters), counts)

    def _beside(self, rows: pa.RecordBatch, given: pa.RecordBatch) -> pa.RecordBatch:
        names = [name for name in answer_columns(self._model.task) if name != "error"]
        columns = [*(rows.column(name) for name in self._kept), *(given.column(name) for name in names)]
        return pa.RecordBatch.from_arrays(columns, [*kept_names(self._kept, self._model.task), *names])

    def _labels(self, rows: pa.RecordBatch) -> dict[str, int]:
        """How many rows got each label; of a regression nothing."""
        if self._model.task == "regression":
            return {}
        column = rows.column("labels").flatten() if self._model.task == "multilabel" else rows.column("label")
        counted = column.value_counts()
        return dict(zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True))


def _filtered(window: Window, where: pc.Expression) -> Window:
    """The rows of the window that fulfil the condition."""
    places = pa.array(np.arange(len(window.rows)))
    table = pa.Table.from_batches([window.rows]).append_column("", places).filter(where)
    kept = table.column("").to_numpy()
    return replace(
        window,
        rows=_batch(table.drop_columns([""])),
        numbers=window.numbers[kept],
        lines=None if window.lines is None else window.lines[kept],
        raw=lambda place: window.raw(int(kept[place])),
    )


def _batch(table: pa.Table) -> pa.RecordBatch:
    """The table in one piece."""
    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)
