"""The data doctor: what is wrong with labeled data before a model learns it, and what to do about it."""

from __future__ import annotations

from pathlib import Path

from cauce.data.checks import columns as column_checks
from cauce.data.checks import copies, labels, texts
from cauce.data.columns import Columns
from cauce.data.dataset import Dataset
from cauce.data.findings import SEVERITIES, Findings, examine
from cauce.data.read import dataset
from cauce.data.tables import Source, read_table

CHECKS = (labels.look, copies.look, texts.look, column_checks.look)


def check(
    source: str | Path | Source, columns: Columns = Columns(), *, against: str | Path | Source | Dataset | None = None
) -> Findings:
    """Look at every row and column of a labeled file.

    Args:
        source: a file, or one that was read.
        against: the rows of a test: which of them stand in `source` too.

    Raises:
        FileMissing, EmptyData, ColumnMissing, UnreadableData, LineTooLong, UnknownName

    """
    table = source if isinstance(source, Source) else read_table(source)
    seen = examine(table, dataset(table, columns))
    found = [finding for look in CHECKS for finding in look(seen)]
    if against is not None:
        found += copies.overlap(seen, against if isinstance(against, Dataset) else _test(against, columns))
    order = sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))
    return Findings(table.name, table.table.num_rows, table.unit, tuple(order), seen.data.notes)


def _test(given: str | Path | Source, columns: Columns) -> Dataset:
    return dataset(given if isinstance(given, Source) else read_table(given), columns)
