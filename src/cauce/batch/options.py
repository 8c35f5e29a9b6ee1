"""What a job makes of its rows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is made of the rows.

    Attributes:
        format: one of `cauce.batch.write.FORMATS`; empty: that of the first input.
        columns: the input's columns that are kept; empty: all.
        text: the column of the text, where it is not called as the model calls it; empty: found out.
        where: a condition on the input's rows: only those that fulfil it are scored.
        select: a condition on the answers and the kept columns: only those that fulfil it are written.

    """

    format: str = ""
    columns: tuple[str, ...] = ()
    text: str = ""
    where: str = ""
    select: str = ""
