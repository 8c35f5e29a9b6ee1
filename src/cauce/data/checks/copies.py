"""Rows that say the same: exact and near duplicates, one text with two labels, rows that the test holds too."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cauce.data import duplicates
from cauce.data.dataset import Dataset
from cauce.data.findings import SAMPLES, Examined, Finding, Sample, shown

Integers = npt.NDArray[np.int64]

TOO_GOOD = "a copy that falls into the test part is a question whose answer was learned: the figures come out too good"


def look(seen: Examined) -> Iterator[Finding]:
    """Exact duplicates, conflicting labels, near duplicates."""
    size = len(seen.data)
    exact, labels = same_rows(seen), label_codes(seen.data)
    twice = np.flatnonzero(exact != np.arange(size))
    if len(twice):
        share = f"{len(twice)} of {size} rows ({len(twice) / size:.1%})"
        yield Finding(
            "exact_duplicates",
            "warning" if seen.data.has_text else "info",
            len(twice),
            f"{share} {'repeat an earlier text' if seen.data.has_text else 'have the same values as an earlier row'}",
            TOO_GOOD if seen.data.has_text else "with few columns that is usual; check that no row was exported twice",
            "keep each once: --fix" if seen.data.has_text else "nothing, if these are different cases",
            seen.samples(_with_first(exact, twice), 2 * SAMPLES),
        )
    if not seen.data.has_text:
        return
    torn = conflicting(exact, labels)
    if len(torn):
        yield Finding(
            "conflicting_labels",
            "warning",
            len(torn),
            f"{len(np.unique(exact[torn]))} text(s) have more than one label, in {len(torn)} rows",
            "no model can be right on both; where it is an oversight, it teaches the wrong label",
            "decide on one label for each, or leave them out: --fix",
            seen.samples(torn[np.argsort(exact[torn], kind="stable")], 2 * SAMPLES),
        )
    alike = duplicates.near(seen.data.texts())
    close = np.flatnonzero((alike != np.arange(size)) & (exact == np.arange(size)))
    if len(close):
        differing = int((labels[close] != labels[alike[close]]).sum())
        kept = f"; {differing} of them have another label than the first, and --fix keeps these" if differing else ""
        yield Finding(
            "near_duplicates",
            "warning" if len(close) > size / 100 else "info",
            len(close),
            f"{len(close)} of {size} rows are nearly an earlier text: a typo, a link, a mention, accents or case apart{kept}",
            TOO_GOOD + "; a split by Cauce keeps them in one part",
            "keep each once: --fix",
            seen.samples(_with_first(alike, close), 2 * SAMPLES),
        )


def overlap(seen: Examined, test: Dataset) -> Iterator[Finding]:
    """Which rows of the test stand in the file too; the samples are rows of the file, each with its copy."""
    if not seen.data.has_text:
        return
    shared = duplicates.overlap(seen.data, test)
    exact, near = len(shared.exact), len(shared.near)
    partners = shared.partners
    for code, severity, count, rows, how in (
        ("test_overlap", "error", exact, partners[:exact], "stand in this file as they are"),
        ("near_test_overlap", "warning", near, partners[exact:], "have a near duplicate in this file"),
    ):
        if count:
            yield Finding(
                code,
                severity,  # type: ignore[arg-type]
                count,
                f"{count} of {len(test)} texts of the test {how}",
                "the test asks what was learned by heart: its figures are too good by that",
                "leave them out of this file: --fix with --against",
                _pairs(seen, rows, test, shared.exact if code == "test_overlap" else shared.near),
            )


def same_rows(seen: Examined) -> Integers:
    """For each row the first row with the same inputs, (n,). White space around a text does not count."""
    if seen.data.has_text and seen.data.rows.num_columns == 1:
        return duplicates.same(pa.array([text.strip() for text in seen.texts], pa.large_string()))
    return duplicates.same_rows(seen.data.rows)


def label_codes(data: Dataset) -> Integers:
    """A number for each row's label, (n,), equal where the labels are; those of a multilabel row in any order."""
    if data.task == "multilabel":
        joined = ["\0".join(sorted(set(labels))) for labels in data.labels.to_pylist()]
        return duplicates.same(pa.array(joined, pa.large_string()))
    return duplicates.same(data.labels)


def conflicting(groups: Integers, labels: Integers) -> Integers:
    """The rows of the groups that have more than one label."""
    torn = np.unique(groups[labels != labels[groups]])
    return np.flatnonzero(np.isin(groups, torn))


def _pairs(seen: Examined, rows: Integers, test: Dataset, others: Integers) -> tuple[Sample, ...]:
    """Rows of the file, and behind each the row of the test that is like it."""
    samples = seen.samples(rows)
    texts = test.texts().take(pa.array(others[: len(samples)])).to_pylist()
    return tuple(
        sample if sample.text == shown(text) else Sample(sample.line, f"{sample.text}  |  test: {shown(text)}")
        for sample, text in zip(samples, texts, strict=True)
    )


def _with_first(groups: Integers, rows: Integers) -> list[int]:
    """Each row after the first of its group."""
    return list(dict.fromkeys(int(row) for copy in rows[: 2 * SAMPLES] for row in (groups[copy], copy)))
