"""When messages were made: what `created_at` says, as seconds since 1970."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

DAY = r"(02-(0[1-9]|1\d|2[0-8])|(0[469]|11)-(0[1-9]|[12]\d|30)|(0[13578]|1[02])-(0[1-9]|[12]\d|3[01]))"  # but 29 February
TIME = r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,9})?)?"
WRITTEN = rf"^(19|20|21)\d\d-{DAY}[T ]{TIME}"
POSTED = r"^[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d [+-]\d{4} (19|20|21)\d\d$"  # Wed Oct 10 20:19:24 +0000 2018
LONGEST = 40  # characters of a time that is worth a look
UNITS = ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6))  # below: so many in a second

Floats = npt.NDArray[np.float64]


def moments(created: pa.StringArray) -> Floats:
    """Seconds since 1970, (n,); NaN where nothing is written, or what is no time since then.

    Read are ISO 8601 (UTC where it has no zone), seconds, milliseconds and microseconds since 1970, and the way of the first
    Twitter API. Arrow reads the usual ones together, in 0.1 µs each; any other is read alone, in up to 10 µs.
    """
    found = np.full(len(created), np.nan)
    left = np.flatnonzero(created.is_valid().to_numpy(zero_copy_only=False))
    for pattern, read in FORMS:
        if not len(left):
            return found
        some = created if len(left) == len(created) else created.take(pa.array(left))
        fits = pc.match_substring_regex(some, pattern).to_numpy(zero_copy_only=False)
        if fits.any():
            found[left[fits]] = read(some if fits.all() else some.filter(pa.array(fits)))
        left = left[~fits]
    for row in left.tolist():
        found[row] = _odd(created[row].as_py())
    return found


def _zoned(texts: pa.StringArray) -> Floats:
    return _seconds(texts.cast(pa.timestamp("ns", "UTC")))


def _bare(texts: pa.StringArray) -> Floats:
    return _seconds(texts.cast(pa.timestamp("ns")))


def _posted(texts: pa.StringArray) -> Floats:
    return _seconds(pc.strptime(texts, "%a %b %d %H:%M:%S %z %Y", "s", error_is_null=True).cast(pa.timestamp("ns", "UTC")))


def _seconds(stamps: pa.TimestampArray) -> Floats:
    seconds: Floats = stamps.cast(pa.int64()).to_numpy(zero_copy_only=False) / 1e9  # of null NaN
    return np.where(seconds < 0, np.nan, seconds)


def _numbers(texts: pa.StringArray) -> Floats:
    return _since_1970(texts.cast(pa.float64()).to_numpy())


def _since_1970(numbers: Floats) -> Floats:
    per_second = np.select([numbers < limit for limit, _ in UNITS], [unit for _, unit in UNITS], np.nan)
    return np.where(numbers < 0, np.nan, numbers / per_second)


def _odd(text: str) -> float:
    if len(text) > LONGEST:
        return np.nan
    with suppress(ValueError, OverflowError):
        moment = datetime.fromisoformat(text)
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        return seconds if seconds >= 0 else np.nan
    with suppress(ValueError):
        return float(_since_1970(np.array([float(text)]))[0])
    return np.nan


FORMS: tuple[tuple[str, Callable[[pa.StringArray], Floats]], ...] = (
    (rf"{WRITTEN}(Z|[+-](0\d|1[0-4]):?[0-5]\d)$", _zoned),
    (r"^\d{9,17}(\.\d{1,9})?$", _numbers),
    (rf"{WRITTEN}$", _bare),
    (POSTED, _posted),
)
