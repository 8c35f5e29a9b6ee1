"""How right a model is on parts of the rows: by language, by length, by time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from cauce.evaluation.metrics import Figure, Floats, mean

LENGTHS = (25, 50, 100, 200, 500)  # characters up to which a text falls into each slice
PERIODS, LEAST_ROWS = 6, 50  # slices by time at most; rows under which a slice says little
LEAST_ERRORS = 5  # rows that a mean error has at least: the bootstrap of fewer knows nothing of its width
Z = 1.959964  # of a 95 % interval

Kind = Literal["language", "length", "time"]


class Slice(BaseModel):
    """Some of the rows.

    Attributes:
        name: a code of `cauce.data.language`; characters as "26-50" or "501+"; days as "2026-01-01/2026-02-14".
        figure: the share of rows that are all right; of a regression the mean absolute error.

    """

    model_config = ConfigDict(frozen=True)

    kind: Kind
    name: str
    rows: int
    figure: Figure

    @property
    def small(self) -> bool:
        """True where the rows are too few to say much."""
        return self.rows < LEAST_ROWS


def slices(
    merit: Floats,
    *,
    texts: Sequence[str],
    languages: Mapping[int, str],
    times: npt.NDArray[Any] | None,
) -> tuple[Slice, ...]:
    """Every slice that has rows; of a regression those with a handful.

    Args:
        merit: (n,) 1 where a row is right and 0 where not; of a regression its absolute error.
        texts: (n,) of which the lengths are taken; none where there is no text.
        languages: of the rows where it was judged.
        times: (n,) datetime64, NaT where none is known.

    """
    places = [*_by_language(languages), *_by_length(texts), *(_by_time(times) if times is not None else ())]
    least = 1 if _is_share(merit) else LEAST_ERRORS
    return tuple(
        Slice(kind=kind, name=name, rows=len(rows), figure=_mean(merit[rows]))
        for kind, name, rows in places
        if len(rows) >= least
    )


def wilson(right: float, rows: int) -> Figure:
    """A share and its 95 % interval (Wilson 1927): it holds for few rows too, and never leaves 0 to 1."""
    if not rows:
        return Figure(0.0, 0.0, 1.0)
    share = right / rows
    middle = (share + Z**2 / (2 * rows)) / (1 + Z**2 / rows)
    half = Z / (1 + Z**2 / rows) * float(np.sqrt(share * (1 - share) / rows + Z**2 / (4 * rows**2)))
    return Figure(share, min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half)))


def _mean(merit: Floats) -> Figure:
    """The mean of some rows: of zeros and ones a share, of others by the bootstrap."""
    if _is_share(merit):
        return wilson(float(merit.sum()), len(merit))
    return mean(merit)


def _is_share(merit: Floats) -> bool:
    return bool(((merit == 0) | (merit == 1)).all())


def _by_language(languages: Mapping[int, str]) -> Iterator[tuple[Kind, str, npt.NDArray[np.int64]]]:
    rows = np.array(list(languages), np.int64)
    codes = np.array(list(languages.values()), object)
    found = {str(code): rows[codes == code] for code in set(languages.values())}
    for code, inside in sorted(found.items(), key=lambda one: (one[0] == "unknown", -len(one[1]))):
        yield "language", code, inside


def _by_length(texts: Sequence[str]) -> Iterator[tuple[Kind, str, npt.NDArray[np.int64]]]:
    sizes = np.array([len(text) for text in texts], np.int64)
    place = np.searchsorted(LENGTHS, sizes)
    for k, start in enumerate((0, *LENGTHS)):
        rows = np.flatnonzero(place == k)
        if len(rows):
            yield "length", f"{start + 1}-{LENGTHS[k]}" if k < len(LENGTHS) else f"{start + 1}+", rows


def _by_time(times: npt.NDArray[Any]) -> Iterator[tuple[Kind, str, npt.NDArray[np.int64]]]:
    """Periods with about as many rows each; rows of one day stay together."""
    known = np.flatnonzero(~np.isnat(times))
    if not len(known):
        return
    days = times[known].astype("datetime64[D]")
    order = np.argsort(days, kind="stable")
    known, days = known[order], days[order]
    count = max(1, min(PERIODS, len(known) // LEAST_ROWS))
    edges = sorted({int(np.searchsorted(days, days[len(days) * k // count])) for k in range(count)})
    for start, end in zip(edges, [*edges[1:], len(days)], strict=True):
        yield "time", f"{days[start]}/{days[end - 1]}", known[start:end]
