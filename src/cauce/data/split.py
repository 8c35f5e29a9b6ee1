"""Parts of a dataset: every label in its share, and equal texts always in the same part."""

from __future__ import annotations

import numpy as np

from cauce.data.dataset import Dataset
from cauce.errors import TooFewLabels

LEAST_ROWS = 3  # of a label, to have one in each part


def split(data: Dataset, shares: tuple[float, ...], seed: int) -> tuple[Dataset, ...]:
    """Cut into parts of the given shares (they add up to 1), stratified by label, grouped by equal text.

    Every part has at least one row of every label; what rounding leaves goes to the first part, for training.

    Raises:
        TooFewLabels: one label only, or one with too few different texts.

    """
    data.check_trainable()
    keys = list(zip(*(column.to_pylist() for column in data.rows.columns), strict=True))
    groups: dict[object, list[int]] = {}
    for row, key in enumerate(keys):
        groups.setdefault(key, []).append(row)
    labels = data.labels.to_pylist()
    by_label: dict[str, list[list[int]]] = {label: [] for label in data.counts()}
    for group in groups.values():
        by_label[labels[group[0]]].append(group)
    random = np.random.default_rng(seed)
    parts: list[list[int]] = [[] for _ in shares]
    for label, members in by_label.items():
        if len(members) < LEAST_ROWS:
            raise TooFewLabels(
                f'the label "{label}" has {len(members)} different row(s), too few to hold some out',
                where=data.source,
                hint=f"add rows up to {LEAST_ROWS} or more, or give --dev and --test files",
            )
        order = random.permutation(len(members))
        held_out = [max(1, round(share * len(members))) for share in shares[1:]]
        edges = np.cumsum([0, len(members) - sum(held_out), *held_out])
        for part, start, end in zip(parts, edges[:-1], edges[1:], strict=True):
            for member in order[start:end]:
                part += members[member]
    return tuple(data.take(np.sort(np.array(part, np.int64))) for part in parts)
