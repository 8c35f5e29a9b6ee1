"""Parts of a dataset: every label in its share, and equal or nearly equal texts always in the same part; or by time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cauce.data import duplicates
from cauce.data.dataset import Dataset
from cauce.errors import InputError, TooFewLabels

LEAST_ROWS = 3  # of a label, to have one in each part
STRATA = 10  # quantiles of a number that each part has its share of
LISTED = 5
NAMES = {1: ("rows",), 2: ("train", "dev"), 3: ("train", "dev", "test")}  # of the parts, in messages

By = Literal["auto", "label", "time"]
Integers = npt.NDArray[np.int64]


def split(data: Dataset, shares: tuple[float, ...], seed: int, *, by: By = "auto") -> tuple[Dataset, ...]:
    """Cut into parts of the given shares (they add up to 1). What was decided is in the notes of the first part.

    By label: stratified by label (multilabel: by the rarest label of a row; regression: by quantile), and near duplicates
    stay in one part. Every part has a row of every label; what rounding leaves goes to the first part, for training.
    By time: the oldest rows first, rows of one moment stay together; no randomness. Of near duplicates across a cut nothing
    is moved, as that would put later rows before earlier ones: their number is said.

    Args:
        by: "auto" cuts by time where the dataset has one.

    Raises:
        TooFewLabels: one label only, or one with too few different texts.
        InputError: by time, and there is none, or too few moments for as many parts.

    """
    data.check_trainable()
    groups, notes_of_groups = _groups(data)
    if by == "time" or (by == "auto" and data.time is not None):
        places, notes = _by_time(data, shares, groups)
    else:
        places, notes = _by_label(data, shares, groups, seed)
    parts = [data.take(np.flatnonzero(places == part)) for part in range(len(shares))]
    return (replace(parts[0], notes=(*data.notes, *notes_of_groups, *notes)), *parts[1:])


def _groups(data: Dataset) -> tuple[Integers, list[str]]:
    """For each row the first one that stays in one part with it, and notes.

    A table of few values has equal rows that are no copies: other people of the same age and town.
    """
    groups, rows = duplicates.groups(data), np.arange(len(data))
    if data.has_text or 2 * np.count_nonzero(groups == rows) >= len(data):
        return groups, []
    return rows, ["most rows repeat another: such rows are held out too, as other cases of the same values"]


def folds(data: Dataset, number: int, seed: int) -> Integers:
    """The fold of each row, (n,): stratified and grouped as `split` by label, whatever time the rows have.

    Raises:
        TooFewLabels: one label only, or one with fewer different rows than there are folds.

    """
    data.check_trainable()
    return _by_label(data, (1 / number,) * number, duplicates.groups(data), seed)[0]


def _by_label(data: Dataset, shares: tuple[float, ...], groups: Integers, seed: int) -> tuple[Integers, list[str]]:
    """The part of each row, and notes. A group has the stratum of its first row."""
    least = max(LEAST_ROWS, len(shares))
    strata = _strata(data, groups, least)
    first = np.flatnonzero(groups == np.arange(len(data)))
    random = np.random.default_rng(seed)
    part_of = np.zeros(len(data), np.int64)
    for stratum in np.unique(strata[first]):
        members = first[strata[first] == stratum]
        if len(members) < least:
            raise TooFewLabels(
                f"the label {_label(data, members[0])} has {len(members)} different row(s), too few to hold some out",
                where=data.source,
                hint=f"add rows up to {least} or more, or "
                + ("use fewer folds" if len(shares) > len(NAMES) else "give --dev and --test files"),
            )
        shuffled = random.permutation(members)
        held_out = [max(1, round(share * len(members))) for share in shares[1:]]
        edges = np.cumsum([0, len(members) - sum(held_out), *held_out])
        for part, (start, end) in enumerate(pairwise(edges)):
            part_of[shuffled[start:end]] = part
    notes = []
    if moved := len(data) - len(first):
        how = ", exactly or nearly" if data.has_text else ""
        notes.append(f"{moved} row(s) repeat another{how}: each is in the same part as the row that it repeats")
    places = part_of[groups]
    if data.task == "multilabel" and (rare := _give_back(data, places, groups)):
        notes.append(f"no row for training had the label {_listed(rare)}, it is too rare: some of its rows were moved there")
    return places, notes


def _give_back(data: Dataset, places: Integers, groups: Integers) -> list[str]:
    """Move a group of each label that training lacks into training, in place; returns these labels."""
    owners = pc.list_parent_indices(data.labels).to_numpy()
    names, flat = np.unique(data.labels.flatten().to_numpy(zero_copy_only=False).astype(str), return_inverse=True)
    lacking = []
    for code, name in enumerate(names):
        rows = owners[flat == code]
        if (places[rows] > 0).all():
            places[groups == groups[rows[0]]] = 0
            lacking.append(str(name))
    return lacking


def _strata(data: Dataset, groups: Integers, least: int) -> Integers:
    """A number for each row, (n,): its label, its rarest label that can be in every part, or the quantile of its number."""
    if data.task == "regression":
        values = data.labels.to_numpy(zero_copy_only=False)
        first = groups == np.arange(len(data))
        most = max(1, min(STRATA, int(first.sum()) // least))
        edges = np.unique(np.quantile(values[first], np.linspace(0, 1, most + 1)[1:-1]))
        places = np.searchsorted(edges, values, side="right").astype(np.int64)
        counts = np.bincount(places[first], minlength=len(edges) + 1)
        return np.zeros_like(places) if counts[counts > 0].min() < least else places
    if data.task == "multilabel":
        lists = data.labels.take(pa.array(groups)).to_pylist()
        return _rarest(lists, groups == np.arange(len(data)), least)
    codes = np.unique(data.labels.to_numpy(zero_copy_only=False).astype(str), return_inverse=True)[1]
    return codes.astype(np.int64)


def _rarest(lists: list[list[str]], first: npt.NDArray[np.bool_], least: int) -> Integers:
    """For each row the rarest of its labels with enough rows; strata that come out too small join those without a label."""
    names, flat = np.unique([label for labels in lists for label in labels], return_inverse=True)
    owners = np.repeat(np.arange(len(lists)), [len(labels) for labels in lists])
    counts = np.bincount(flat[first[owners]], minlength=len(names))
    out = np.full(len(lists), -1, np.int64)
    for code in np.lexsort((names, -counts)):  # the rarest comes last and stays
        if counts[code] >= least:
            out[owners[flat == code]] = code
    for code in np.unique(out):
        if (out[first] == code).sum() < least:
            out[out == code] = -1
    left = int((out[first] == -1).sum())
    if 0 < left < least:  # too few to stand alone: they join the largest stratum
        out[out == -1] = np.bincount(out[first & (out >= 0)]).argmax() if (out >= 0).any() else -1
    return out


def _by_time(data: Dataset, shares: tuple[float, ...], groups: Integers) -> tuple[Integers, list[str]]:
    """The part of each row, the oldest in the first, and notes."""
    if data.time is None:
        raise InputError("there is no time to split by", where=data.source, hint="name its column with --time")
    if data.time.null_count:
        row = pc.index(data.time.is_null(), True).as_py()
        raise InputError(
            f"{data.time.null_count} row(s) have no time, the first of them row {row + 1}",
            where=data.source,
            hint="fill the time in, leave these rows out, or split by label",
        )
    moments = data.time.cast(pa.int64()).to_numpy()
    different, counts = np.unique(moments, return_counts=True)
    if len(different) < len(shares):
        raise InputError(
            f"{len(different)} different time(s) cannot make {len(shares)} parts: rows of one moment stay together",
            where=data.source,
            hint="split by label, or give --dev and --test files",
        )
    after = np.cumsum(counts)  # rows up to each moment
    cuts: list[int] = []
    for done, share in enumerate(np.cumsum(shares)[:-1]):
        left = len(different) - (len(shares) - 1 - done)  # moments that this cut may reach
        nearest = int(np.abs(after - share * len(data)).argmin())
        cuts.append(min(max(nearest, cuts[-1] + 1 if cuts else 0), left - 1))
    edges = different[cuts]
    places = np.searchsorted(edges, moments, side="left").astype(np.int64)
    return places, _notes_of_time(data, shares, places, edges, groups)


def _notes_of_time(data: Dataset, shares: tuple[float, ...], places: Integers, edges: Integers, groups: Integers) -> list[str]:
    names = NAMES.get(len(shares), tuple(f"part {number + 1}" for number in range(len(shares))))
    until = ", ".join(f"{name} up to {_moment(edge)}" for name, edge in zip(names, edges, strict=False))
    notes = [f"split by time: {until}, {names[-1]} what is later"]
    sizes = np.bincount(places, minlength=len(shares)) / len(data)
    if np.abs(sizes - shares).max() > 0.01:
        real = ", ".join(f"{name} {size:.0%}" for name, size in zip(names, sizes, strict=True))
        notes.append(f"rows of one moment stay together, so the parts are {real}")
    if data.task != "regression":
        known = set(data.counts())
        for name, part in zip(names, range(len(shares)), strict=True):
            missing = sorted(known - set(data.take(np.flatnonzero(places == part)).counts()))
            if missing and not part:
                raise TooFewLabels(
                    f"the oldest rows, for training, have no row of the label {_listed(missing)}",
                    where=data.source,
                    hint="split by label, or leave that label out",
                )
            if missing:
                notes.append(f"{name} has no row of the label {_listed(missing)}: it is not measured there")
    if crossing := int((places != places[groups]).sum()):
        notes.append(f"{crossing} row(s) repeat one of another part, exactly or nearly: figures are too good by that")
    return notes


def _moment(edge: np.int64) -> str:
    """A time as it is read, with the clock where it is not midnight."""
    when = datetime.fromisoformat(str(np.datetime64(int(edge), "us")))
    return when.isoformat(sep=" ", timespec="seconds").removesuffix(" 00:00:00")


def _listed(labels: list[str]) -> str:
    more = f" and {len(labels) - LISTED} more" if len(labels) > LISTED else ""
    return ", ".join(f'"{label}"' for label in labels[:LISTED]) + more


def _label(data: Dataset, row: int) -> str:
    value = data.labels[int(row)].as_py()
    return f'"{value}"' if isinstance(value, str) else str(value)
