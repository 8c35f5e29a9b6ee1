"""Columns that give the label away, also those that are not used."""

from __future__ import annotations

from collections.abc import Iterator

from cauce.data.findings import Examined, Finding
from cauce.data.leaks import CERTAIN, leaks


def look(seen: Examined) -> Iterator[Finding]:
    """Every column beside the label and the texts."""
    data = seen.data
    if data.task == "multilabel":
        return
    texts = {column.name for column in data.inputs if column.type == "text"}
    used = {column.name for column in data.inputs}
    table = seen.source.table.take(seen.places)
    others = {name: table.column(name) for name in table.column_names if name not in texts | {data.target}}
    for leak in leaks(others, data.labels):
        if not leak.told:
            break
        figure = "of the variance of the target" if data.task == "regression" else "ROC AUC, where chance is 0.50"
        yield Finding(
            "label_given_away",
            "error" if leak.measure >= CERTAIN and leak.column in used else "warning" if leak.column in used else "info",
            1,
            f'the column "{leak.column}" alone tells the label on rows that it was not fitted on: {leak.measure:.2f} {figure}'
            + ("" if leak.column in used else " (it is not used)"),
            "if it is known only after the label is (a duration, a result, a number in order of entry), the model cannot have it",
            f"leave it out: --ignore {leak.column}; keep it if it is known before",
        )
