"""When each row was made: ISO 8601, seconds or milliseconds since 1970, and day-first dates, as UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cauce.data.tables import Source
from cauce.data.values import Strings, is_number, strings, whole
from cauce.errors import UnreadableData

STAMP = pa.timestamp("us", tz="UTC")
UNITS = ((1e11, 1_000_000, "seconds"), (1e14, 1_000, "milliseconds"), (1e17, 1, "microseconds"))  # below, in µs, called
PARTED = re.compile(r"^(\d{1,2})[/.-](\d{1,2})[/.-](\d{4}|\d{2})(?:[ T,]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?$")
POSTED = "%a %b %d %H:%M:%S %z %Y"  # Wed Oct 10 20:19:24 +0000 2018


def times(source: Source, name: str) -> tuple[pa.Array, list[str]]:
    """A column as timestamps (n,), null where none is written, and what is to be said.

    Raises:
        UnreadableData: a value that is no time, with its line.

    """
    column = whole(source.table.column(name))
    if pa.types.is_temporal(column.type):
        if pa.types.is_timestamp(column.type) and column.type.tz is None:
            return pc.assume_timezone(column, "UTC").cast(STAMP, safe=False), [f'"{name}" has no time zone: read as UTC']
        return column.cast(pa.timestamp("us")).cast(STAMP) if pa.types.is_date(column.type) else column.cast(STAMP), []
    if is_number(column.type):
        return _epoch(column.cast(pa.float64()), name)
    found = strings(source, name)
    if len(found.written) and pc.all(Strings(name, found.written).match(r"^\d{9,16}(\.\d+)?$")).as_py():
        return _epoch(pc.if_else(found.missing, pa.scalar(None, pa.string()), found.values).cast(pa.float64()), name)
    return _written(source, found)


def _epoch(values: pa.Array, name: str) -> tuple[pa.Array, list[str]]:
    middle = float(np.nanmedian(np.abs(values.to_numpy(zero_copy_only=False)))) if len(values.drop_null()) else 0.0
    _, factor, called = next((unit for unit in UNITS if middle < unit[0]), UNITS[-1])
    stamps = pc.round(pc.multiply(values, float(factor))).cast(pa.int64()).cast(STAMP)
    return stamps, [f'"{name}" is read as {called} since 1970']


def _written(source: Source, found: Strings) -> tuple[pa.Array, list[str]]:
    texts = [None if gone else value for value, gone in zip(found.values.to_pylist(), found.missing.to_pylist(), strict=True)]
    dates = [(row, match) for row, text in enumerate(texts) if text and (match := PARTED.match(text))]
    day_first = next((row for row, match in dates if int(match[1]) > 12), None)
    month_first = next((row for row, match in dates if int(match[2]) > 12), None)
    if day_first is not None and month_first is not None:
        raise UnreadableData(
            f'"{found.name}" has {texts[day_first]!r}, the day first, and {texts[month_first]!r}, the month first',
            where=source.where(max(day_first, month_first)),
            hint="write dates as 2026-11-21",
        )
    notes = []
    if dates and day_first is None:
        said = "the month first" if month_first is not None else "the day first, though every date could be month first"
        notes.append(f'dates of "{found.name}" are read with {said}')
    stamps: list[datetime | None] = []
    without_zone = False
    for row, text in enumerate(texts):
        stamp = None if text is None else _one(text, month_first=month_first is not None)
        if text is not None and stamp is None:
            raise UnreadableData(
                f'the time column "{found.name}" holds {text!r}',
                where=source.where(row),
                hint="times are read like 2026-11-21T10:30:00Z, 21/11/2026 10:30, or seconds since 1970",
            )
        if stamp is not None and stamp.tzinfo is None:
            stamp, without_zone = stamp.replace(tzinfo=UTC), True
        stamps.append(stamp)
    if without_zone:
        notes.append(f'"{found.name}" has no time zone: read as UTC')
    return pa.array(stamps, STAMP), notes


def _one(text: str, *, month_first: bool) -> datetime | None:
    """A time, or None where it is none."""
    try:
        if match := PARTED.match(text):
            first, second, year, *clock = match.groups()
            month, day = (first, second) if month_first else (second, first)
            full_year = int(year) + (2000 if len(year) == 2 else 0)
            hour, minute, seconds = (int(part or 0) for part in clock)
            return datetime(full_year, int(month), int(day), hour, minute, seconds)
        return datetime.fromisoformat(text) if text[0].isdigit() else datetime.strptime(text, POSTED)
    except ValueError:
        return None
