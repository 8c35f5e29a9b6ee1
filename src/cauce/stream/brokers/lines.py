"""The lines of a file, a block at a time."""

from __future__ import annotations

from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

BLOCK = 1 << 22  # bytes that are read at a time
LINE_FEED, RETURN, SPACE = 10, 13, 32

Numbers = npt.NDArray[np.int64]


class Lines(NamedTuple):
    """Lines that are not blank.

    Attributes:
        data: uint8, a block of the file.
        starts, sizes: (n,) the bytes of each in the block, without line feed; of one over the limit only the beginning.
        places, ends: (n,) where each begins and ends in the file, with its line feed.

    """

    data: npt.NDArray[np.uint8]
    starts: Numbers
    sizes: Numbers
    places: Numbers
    ends: Numbers

    def __len__(self) -> int:
        return len(self.starts)

    def part(self, start: int, end: int) -> Lines:
        """Some of them."""
        return Lines(self.data, *(one[start:end] for one in self[1:]))


def read_lines(file: BinaryIO, limit: int) -> Lines | None:
    """The lines of the next block of a file, perhaps none; None at its end. What has no line feed at the end is a line too.

    Args:
        limit: bytes of the longest line.

    """
    at = file.tell()
    block = file.read(max(BLOCK, limit + 2))
    if not block:
        return None
    data = np.frombuffer(block, np.uint8)
    feeds = np.flatnonzero(data == LINE_FEED)
    blank = True  # the rest of a line that is longer than the block
    if not len(feeds):
        while rest := file.readline(BLOCK):
            blank = blank and rest.isspace()
            if rest.endswith(b"\n"):
                break
        feeds = np.array([len(data)])
        over = np.array([file.tell()])
    else:
        over = feeds + at + 1
        file.seek(int(over[-1]))
    starts = np.concatenate([[0], feeds[:-1] + 1])
    ends = feeds - (data[feeds - 1] == RETURN)
    kept = ends > starts
    for row in np.flatnonzero(kept & (data[np.minimum(starts, len(data) - 1)] <= SPACE)):
        kept[row] = not (blank and block[starts[row] : ends[row]].isspace())
    sizes = np.minimum(ends - starts, limit + 1)
    return Lines(data, starts[kept], sizes[kept], at + starts[kept], over[kept])
