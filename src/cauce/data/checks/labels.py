"""Labels: rows without one, one class only, tiny classes, and one label written in several ways."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from cauce.data.findings import Examined, Finding, Sample, shown
from cauce.data.shingles import edits
from cauce.data.split import LEAST_ROWS

FEW = 10  # rows of a label that can hardly be learned
LISTED = 6
LEAST_LETTERS = 6  # of two labels that one letter may tell apart by mistake
MOST_LABELS = 500  # that are compared with each other


def look(seen: Examined) -> Iterator[Finding]:
    """Rows left out by the reader, then the labels themselves."""
    yield from _unread(seen)
    if seen.data.task == "regression":
        return
    counts = seen.data.counts()
    if len(counts) < 2:
        yield Finding(
            "one_class",
            "error",
            len(seen.data),
            f'every row has the label "{shown(next(iter(counts), ""))}"',
            "a model needs examples of two labels or more",
            "add rows of another label, or name the right column with --label",
        )
    yield from _tiny(seen, counts)
    yield from _spellings(seen, counts)


def _unread(seen: Examined) -> Iterator[Finding]:
    """Rows without a text or a label."""
    missing = np.setdiff1d(np.arange(seen.source.table.num_rows), seen.places)
    if not len(missing):
        return
    rows = seen.source.table.take(missing[:3]).to_pylist()
    samples = tuple(
        Sample(int(seen.source.lines[place]), shown(", ".join("" if cell is None else str(cell) for cell in row.values())))
        for place, row in zip(missing, rows, strict=False)
    )
    yield Finding(
        "empty_rows",
        "warning",
        len(missing),
        f"{len(missing)} row(s) have no text or no label",
        "they are left out of the training",
        "fill them in, or leave them out: --fix",
        samples,
    )


def _tiny(seen: Examined, counts: dict[str, int]) -> Iterator[Finding]:
    """Labels that are too rare to split, or to learn."""
    if len(counts) < 2:
        return
    for code, severity, few, why, fix in (
        (
            "too_few_rows",
            "error",
            {label: count for label, count in counts.items() if count < LEAST_ROWS},
            f"a label with fewer than {LEAST_ROWS} rows cannot be in every part: the training refuses it",
            f"add rows up to {LEAST_ROWS} or more, join it with another label, or leave its rows out",
        ),
        (
            "small_classes",
            "warning",
            {label: count for label, count in counts.items() if LEAST_ROWS <= count < FEW},
            "so few examples hardly teach a label, and its figures have wide intervals",
            "add rows, or join the label with another",
        ),
    ):
        if few:
            listed = ", ".join(
                f'"{shown(label)}" ({count})' for label, count in sorted(few.items(), key=lambda one: one[1])[:LISTED]
            )
            more = f" and {len(few) - LISTED} more" if len(few) > LISTED else ""
            yield Finding(
                code,
                severity,  # type: ignore[arg-type]
                len(few),
                f"{len(few)} label(s) have few rows: {listed}{more}",
                why,
                fix,
                _first_rows(seen, list(few)),
            )


def _spellings(seen: Examined, counts: dict[str, int]) -> Iterator[Finding]:
    """Labels that case, accents, spaces or one letter tell apart."""
    variants = spellings(counts)
    if variants:
        listed = ", ".join(f'"{shown(other)}" for "{shown(usual)}"' for other, usual in list(variants.items())[:LISTED])
        yield Finding(
            "label_spelling",
            "warning",
            len(variants),
            f"{len(variants)} label(s) are another one in other letters: {listed}",
            "the model takes them for different labels",
            "write them in one way: --fix takes the most frequent",
            _first_rows(seen, list(variants)),
        )
    alike = _alike([label for label in counts if label not in variants])
    if alike:
        listed = ", ".join(
            f'"{shown(one)}" ({counts[one]}) and "{shown(other)}" ({counts[other]})' for one, other in alike[:LISTED]
        )
        yield Finding(
            "similar_labels",
            "info",
            len(alike),
            f"{len(alike)} pair(s) of labels are one letter apart: {listed}",
            "if they mean the same, the model takes them for different labels",
            "write them in one way in the file, if they are one",
            _first_rows(seen, [min(pair, key=lambda label: counts[label]) for pair in alike]),
        )


def spellings(counts: dict[str, int]) -> dict[str, str]:
    """Each label that is another one in other letters (case, accents, spaces, `_` and `-`), and that most frequent one."""
    by_key: dict[str, list[str]] = defaultdict(list)
    for label in counts:
        by_key[_folded(label)].append(label)
    out = {}
    for key, labels in by_key.items():
        usual = max(labels, key=lambda label: (counts[label], label))
        out.update({label: usual for label in labels if label != usual and key})
    return out


def _folded(label: str) -> str:
    decomposed = unicodedata.normalize("NFKD", label.casefold())
    return " ".join("".join(" " if char in "_-" else char for char in decomposed if not unicodedata.combining(char)).split())


def _alike(labels: list[str]) -> list[tuple[str, str]]:
    """Pairs that one letter within the word tells apart: "positive" and "positivo", not "typical" and "atypical"."""
    if len(labels) > MOST_LABELS:
        return []
    rows = np.empty((3, 1000), np.int64)
    known = [
        (label, np.array([ord(char) for char in label], np.uint32)) for label in labels if LEAST_LETTERS <= len(label) < 500
    ]
    return [
        (label, other)
        for i, (label, chars) in enumerate(known)
        for other, others in known[:i]
        if chars[0] == others[0] and abs(len(chars) - len(others)) <= 1 and edits(chars, others, 1, True, rows) == 1
    ]


def _first_rows(seen: Examined, labels: list[str]) -> tuple[Sample, ...]:
    wanted = set(labels[:LISTED])
    rows = []
    for row, label in enumerate(seen.data.labels.to_pylist()):
        found = wanted.intersection(label) if isinstance(label, list) else wanted.intersection((label,))
        if found:
            rows.append(row)
            wanted -= found
        if not wanted:
            break
    return seen.samples(rows)
