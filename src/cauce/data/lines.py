"""The lines of a text file, checked as they pass: UTF-8, no NUL, none longer than the limit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cauce.errors import LineTooLong, UnreadableData
from cauce.settings import settings


def lines(path: Path) -> Iterator[str]:
    """Each line with its line end, without a byte-order mark. Only a line feed ends a line: a text may hold other separators.

    Raises:
        LineTooLong: a line over the setting `max_line_bytes`.
        UnreadableData: a NUL byte, or not UTF-8.

    """
    limit = settings().max_line_bytes
    with path.open("rb") as file:
        number = 0
        while raw := file.readline(limit + 1):
            number += 1
            where = f"{path}, line {number}"
            if len(raw) > limit:
                raise LineTooLong(
                    f"a line is over {limit} bytes",
                    where=where,
                    hint="is this a text file? or raise CAUCE_MAX_LINE_BYTES",
                )
            if b"\0" in raw:
                raise UnreadableData(
                    f"a NUL byte at place {raw.index(0) + 1}",
                    where=where,
                    hint="save the file as UTF-8; UTF-16 looks like this",
                )
            try:
                yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                bad = raw[error.start]
                raise UnreadableData(
                    f"not UTF-8: byte 0x{bad:02x} at place {error.start + 1}",
                    where=where,
                    hint="save the file as UTF-8 (in Excel: CSV UTF-8)",
                ) from None
