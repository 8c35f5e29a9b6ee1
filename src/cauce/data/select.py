"""Which texts to label next: those that a model is unsure of, and no two of them alike.

Unsure: the margin between the two best scores is small (Scheffer, Decomain and Wrobel, "Active hidden Markov models for
information extraction", 2001; Settles, "Active learning literature survey", 2009). Not alike: of the least sure texts,
each next one is the farthest from those already chosen (k-center greedy: Gonzalez 1985; Sener and Savarese, "Active learning
for convolutional neural networks: a core-set approach", 2018), by the cosine of hashed n-grams.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cauce.text import hashing, kernels
from cauce.text.buffers import utf8
from cauce.text.ngrams import Ngrams
from cauce.text.normalize import Normalizer
from cauce.text.unicode import table

POOL = 10  # times as many unsure texts as are asked for: from these the different ones are chosen
NGRAMS = Ngrams(bits=12)  # the pool is small: 4,096 buckets tell its texts apart

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]


def most_useful(texts: pa.Array, scores: Floats, count: int) -> Places:
    """Places of the `count` texts to label next, the first the most useful.

    Args:
        texts: (n,) string.
        scores: (n, labels) probabilities; NaN where a text has no answer: it comes last.

    """
    unsure = np.argsort(_margins(scores), kind="stable")[: count * POOL]
    return unsure[_spread(_vectors(texts.take(pa.array(unsure))), count)]


def _margins(scores: Floats) -> Floats:
    """Best score minus second best, (n,); 2, more than any margin, where there are none."""
    top = np.sort(scores, axis=1)[:, -2:]
    margins: Floats = np.nan_to_num(top[:, 1] - top[:, 0], nan=2.0)
    return margins


def _vectors(texts: pa.Array) -> Floats:
    """Weighted counts of hashed n-grams, (n, buckets), each row of length 1."""
    normalizer = Normalizer()
    prepared = pa.array([normalizer.prepare(text) for text in texts.to_pylist()], pa.large_string())
    data, offsets = utf8(prepared)
    n = len(prepared)
    ends, found, hard = np.zeros(n, np.int64), np.empty(0, np.int32), np.zeros(n, np.bool_)
    for _ in range(2):  # one pass measures, one fills
        hashing.count_rows(
            data, offsets, 0, n, table(), normalizer.options | kernels.PREPARED, normalizer.repeats,
            NGRAMS.char_low, NGRAMS.char_high, NGRAMS.word_high, NGRAMS.bits, ends, found, hard,
        )  # fmt: skip
        if not found.size:
            ends = np.cumsum(ends)
            found = np.empty(int(ends[-1]) if n else 0, np.int32)
    counts = np.zeros((n, 2**NGRAMS.bits), np.float32)
    np.add.at(counts, (np.repeat(np.arange(n), np.diff(ends, prepend=0)), found), 1)
    counts *= np.log((1 + n) / (1 + (counts > 0).sum(axis=0))) + 1
    counts /= np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return counts


def _spread(points: Floats, count: int) -> Places:
    """Up to `count` rows, from the first on: each next one is the farthest from those before it."""
    chosen = [0] if len(points) else []
    nearness = points @ points[0] if chosen else np.empty(0, np.float32)
    while len(chosen) < min(count, len(points)):
        nearness[chosen[-1]] = np.inf  # never twice
        chosen.append(int(nearness.argmin()))
        nearness = np.maximum(nearness, points @ points[chosen[-1]])
    return np.array(chosen, np.int64)
