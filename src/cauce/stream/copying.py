"""The compiled part of `splice`."""

from __future__ import annotations

from cauce.text.compiled import kernel


@kernel
def copy(data, starts, sizes, tails, edges, out, ends):
    """Write of each row `sizes` bytes from `starts` on, then its tail.

    Args:
        data: uint8; starts, sizes: int64 (n,).
        tails, edges: uint8, int64 (n + 1,).
        out: uint8, filled; ends: int64 (n + 1,), where each row ends in it, beginning with 0.

    """
    for row in range(len(sizes)):
        to, size = ends[row], sizes[row]
        out[to : to + size] = data[starts[row] : starts[row] + size]
        out[to + size : ends[row + 1]] = tails[edges[row] : edges[row + 1]]
