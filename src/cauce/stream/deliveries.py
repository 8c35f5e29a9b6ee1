"""Messages as a broker gave them out, side by side."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cauce.data.json_text import objects

SUSPECT = 2  # times that a message was given out: one more, and it may be what its workers died of
TOGETHER = 1000  # messages that were given out twice and are answered together: if their worker dies, each comes back alone


def together(max_attempts: int) -> int:
    """How many that were given out twice may be fetched at a time: one, where no attempt is left for each of them alone."""
    return TOGETHER if max_attempts > SUSPECT else 1


@dataclass(frozen=True, slots=True)
class Deliveries:
    """Messages of one source, in the order in which they were given out.

    Attributes:
        source: what they came from, in their keys.
        given: (n,) their bytes, large_binary; of one that is over the limit, perhaps only the beginning. Or a row for each:
            a JSON object with the columns as keys.
        places: (n,) string: the broker's own names for them.
        attempts: int32 (n,): how many times each was given out, this time too.
        received: float64 (n,): seconds since 1970 at which the broker took each, or the worker, where no broker says.

    """

    source: str
    given: pa.LargeBinaryArray | pa.RecordBatch
    places: pa.StringArray
    attempts: npt.NDArray[np.int32]
    received: npt.NDArray[np.float64]

    @staticmethod
    def of(
        source: str,
        given: Sequence[bytes] | pa.LargeBinaryArray | pa.RecordBatch,
        places: Sequence[str] | pa.StringArray,
        *,
        attempts: Sequence[int] | None = None,
        received: Sequence[float] | None = None,
    ) -> Deliveries:
        """Deliveries from lists; without `attempts` each is the first, without `received` they came now."""
        n = len(given)
        return Deliveries(
            source,
            given if isinstance(given, pa.Array | pa.RecordBatch) else pa.array(given, pa.large_binary()),
            places if isinstance(places, pa.Array) else pa.array(places, pa.string()),
            np.ones(n, np.int32) if attempts is None else np.asarray(attempts, np.int32),
            np.full(n, time.time()) if received is None else np.asarray(received, np.float64),
        )

    def __len__(self) -> int:
        return len(self.places)

    @property
    def data(self) -> pa.LargeBinaryArray:
        """The bytes of the messages, (n,)."""
        return objects(self.given).cast(pa.large_binary()) if isinstance(self.given, pa.RecordBatch) else self.given

    @property
    def size(self) -> int:
        """Bytes of the messages; of rows, about."""
        if isinstance(self.given, pa.RecordBatch):
            return int(self.given.nbytes)
        ends = np.frombuffer(self.given.buffers()[1], np.int64)[self.given.offset :]
        return int(ends[len(self.given)] - ends[0])

    def take(self, rows: npt.NDArray[np.intp]) -> Deliveries:
        """Some of them."""
        at = pa.array(rows, pa.int64())
        return Deliveries(self.source, self.given.take(at), self.places.take(at), self.attempts[rows], self.received[rows])


def joined(parts: Sequence[Deliveries]) -> Iterator[Deliveries]:
    """Those that follow each other, have one source and are given in one form, as one."""
    for _, alike in groupby(parts, lambda one: (one.source, type(one.given))):
        some = list(alike)
        yield (
            some[0]
            if len(some) == 1
            else Deliveries(
                some[0].source,
                _together([one.given for one in some]),
                pa.concat_arrays([one.places for one in some]),
                np.concatenate([one.attempts for one in some]),
                np.concatenate([one.received for one in some]),
            )
        )


def _together(given: list[pa.LargeBinaryArray] | list[pa.RecordBatch]) -> pa.LargeBinaryArray | pa.RecordBatch:
    return pa.concat_batches(given) if isinstance(given[0], pa.RecordBatch) else pa.concat_arrays(given)
