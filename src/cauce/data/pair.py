"""The pair in: `x_text.txt` beside `x_labels.txt`, a line each; `mapping.txt` beside them gives the labels' names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cauce.data.encoding import to_utf8
from cauce.data.files import PAIR, File, load
from cauce.errors import FileMissing, UnreadableData

LABELS, MAPPING = "_labels.txt", "mapping.txt"


def parse(texts: File) -> tuple[pa.Table, npt.NDArray[np.int64], list[str]]:
    """The columns "text" and "label", the line of each row, and what was found out.

    Raises:
        FileMissing: no labels beside the texts.
        UnreadableData: not as many labels as texts, or a label that the mapping lacks.

    """
    name, where = Path(texts.name).name, str(Path(texts.name).parent)
    labels_name = name.removesuffix(PAIR) + LABELS
    try:
        beside = load(_sibling(texts.name, labels_name))
    except FileMissing:
        raise FileMissing(
            f"there is no {labels_name} beside {name}", where=texts.name, hint="a label a line, in the order of the texts"
        ) from None
    rows, notes = _lines(texts)
    labels, _ = _lines(beside)
    labels = [label.strip() for label in labels]
    if len(rows) != len(labels):
        raise UnreadableData(
            f"{name} has {len(rows)} lines, {labels_name} has {len(labels)}", where=where, hint="a label for each text"
        )
    try:
        mapping = _mapping(load(_sibling(texts.name, MAPPING)))
    except FileMissing:
        mapping = {}
    if mapping:
        for number, label in enumerate(labels, start=1):
            if label and label not in mapping:
                raise UnreadableData(
                    f'"{label}" is not in {MAPPING}',
                    where=f"{beside.name}, line {number}",
                    hint=f"it has: {', '.join(mapping)}",
                )
        labels = [mapping.get(label, "") for label in labels]
        notes.append(f"labels named by {MAPPING}")
    table = pa.table({"text": pa.array(rows, pa.string()), "label": pa.array(labels, pa.string())})
    return table, np.arange(1, len(rows) + 1), notes


def _sibling(name: str, other: str) -> str:
    return name.rpartition("/")[0] + "/" + other if "/" in name else other


def _lines(file: File) -> tuple[list[str], list[str]]:
    """The lines without their ends, and the encoding where it is not UTF-8. Only a line feed ends a line."""
    raw, encoding = to_utf8(file.raw, file.name)
    lines = raw.decode().split("\n")
    if not lines[-1]:
        lines.pop()
    notes = [f"{Path(file.name).name} is read as {encoding}"] if encoding else []
    return [line.rstrip("\r") for line in lines], notes


def _mapping(file: File) -> dict[str, str]:
    """Number and name of each label, a tab between them."""
    pairs = [line.strip().split("\t") for line in _lines(file)[0] if line.strip()]
    if any(len(pair) != 2 for pair in pairs):
        raise UnreadableData("a line is not a number, a tab and a name", where=file.name, hint="for example: 0<tab>negative")
    return dict(pairs)
