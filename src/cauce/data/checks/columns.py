"""Columns that give the label away, also those that are not used."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from cauce.data.findings import Examined, Finding
from cauce.data.leaks import CERTAIN, leaks
from cauce.data.values import strings


def look(seen: Examined) -> Iterator[Finding]:
    """Every column beside the label and the texts."""
    data = seen.data
    if data.task == "multilabel":
        return
    texts = {column.name for column in data.inputs if column.type == "text"}
    used = {column.name for column in data.inputs}
    others = {
        field.name: strings(seen.source, field.name).values.take(pa.array(seen.places))
        for field in seen.source.table.schema
        if field.name not in texts | {data.target} and not pa.types.is_nested(field.type)
    }
    for leak in leaks(others, data.labels):
        if not leak.told:
            break
        figure = "of the variance" if data.task == "regression" else "ROC AUC (chance is 0.50)"
        unused = "" if leak.column in used else ", and is not used"
        yield Finding(
            "label_given_away",
            "error" if leak.measure >= CERTAIN and leak.column in used else "warning" if leak.column in used else "info",
            1,
            f'the column "{leak.column}" alone tells the label: {leak.measure:.2f} {figure} on held-out halves{unused}',
            "if it is known only after the label is (a duration, a result, an order of entry), the model cannot have it",
            f"leave it out: --ignore {leak.column}; keep it if it is known before"
            if leak.column in used
            else f"do not add {leak.column} to the inputs, unless it is known before",
        )
