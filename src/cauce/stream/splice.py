"""Parts of rows put together in one pass: the beginning of each, and what follows it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cauce.stream.copying import copy
from cauce.text.buffers import utf8


def spliced(
    data: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64], tails: pa.Array | None = None
) -> pa.LargeBinaryArray:
    """Of each row `sizes` bytes of the data from `starts` on, and its tail behind them.

    Args:
        starts, sizes: (n,).
        tails: (n,) string; without it nothing follows.

    """
    n = len(starts)
    behind, edges = utf8(tails) if tails is not None else (data[:1], np.zeros(n + 1, np.int64))
    ends = np.zeros(n + 1, np.int64)
    np.cumsum(sizes + np.diff(edges), out=ends[1:])
    out = np.empty(int(ends[-1]), np.uint8)
    copy(data, starts, sizes, behind, edges, out, ends)
    return pa.LargeBinaryArray.from_buffers(pa.large_binary(), n, [None, pa.py_buffer(ends), pa.py_buffer(out)])
