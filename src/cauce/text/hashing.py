"""The compiled loops behind the normalizer, in the same pass: hash the n-grams of a row into buckets, add up their weights.

The plain Python that defines them is in `ngrams.py`; the tests hold the two together on any Unicode.
"""

from __future__ import annotations

import numpy as np

from cauce.text.compiled import kernel
from cauce.text.kernels import LANES, longest, normalize_row, room_for
from cauce.text.unicode import WORD

FEW_COLUMNS = 12  # of weights: up to eleven labels
SAFE_SUMS = 1 << 15  # so many 16-bit numbers fit a 32-bit sum

CHAR_SEED, WORD_SEED = np.uint32(0x9747B28C), np.uint32(0x3C6EF372)
STEP, MIX, CHAIN = np.uint32(0x9E3779B1), np.uint32(0x85EBCA6B), np.uint32(0xC2B2AE35)


@kernel
def _mixed(hashed, shift):
    """The bucket of a hash: murmur's last steps, then the top bits. Numba widens to 64 bits: each product is cut back."""
    hashed = np.uint32((hashed ^ (hashed >> np.uint32(16))) * MIX)
    hashed = np.uint32((hashed ^ (hashed >> np.uint32(13))) * CHAIN)
    return np.uint32(hashed >> shift)  # unsigned: an index that cannot be negative needs no check


@kernel
def hash_row(chars, flags, size, char_low, char_high, word_high, bits, rolling, ahead, buckets):
    """The buckets of all n-grams of one normalized row, with repeats, in `buckets`. Returns how many.

    `chars` and `flags` start with one free place and have one after `size`: the spaces around the text.
    Orders are the outer loop, so that the processor can hash many places at once.
    """
    shift = np.uint32(32 - bits)
    count = 0
    padded = size + 2
    free = np.uint32(2)
    for i in range(padded - 1, -1, -1):
        rolling[i] = CHAR_SEED
        ahead[i] = free  # the longest n-gram from here without a space inside
        free = np.uint32(2) if chars[i] == 32 else free + np.uint32(1)
    for order in range(1, min(char_high, padded) + 1):
        places = padded - order + 1
        whole = -(-places // LANES) * LANES  # whole blocks: what is hashed too much is written over or never read
        last = chars[order - 1 : order - 1 + whole]  # slices: an index that is the loop's own lets the compiler use SIMD
        for i in range(whole):
            rolling[i] = np.uint32((rolling[i] ^ last[i]) * STEP)
        if order >= char_low:
            out = buckets[count : count + whole]
            for i in range(whole):
                out[i] = _mixed(rolling[i], shift)
            kept = np.uint32(0)
            for i in range(places):
                out[kept] = out[i]
                kept += ahead[i] >= order
            count += int(kept)
    # Words: runs of word characters, and runs of other characters (punctuation, emoji). The same again: no branch a
    # character. `rolling` takes the hash of each word so far; one that has ended stays, the next starts behind it.
    words = 0
    hashed = WORD_SEED
    before, kind_before = np.uint32(32), np.uint32(0)
    for i in range(1, size + 1):
        char, kind = chars[i], flags[i] & np.uint32(WORD)
        starts = (char != 32) & ((before == 32) | (kind != kind_before))
        words += 1 if starts else 0
        hashed = np.uint32(((WORD_SEED if starts else hashed) ^ char) * STEP)
        rolling[words] = rolling[words] if char == 32 else hashed
        before, kind_before = char, kind
    for word in range(1, words + 1):
        chain = np.uint32(0)
        for back in range(min(word_high, word)):
            chain = np.uint32(chain * CHAIN + rolling[word - back])
            buckets[count] = _mixed(np.uint32(chain + np.uint32(back)), shift)
            count += 1
    return count


@kernel
def _add_up(buckets, count, weights, total):
    """Sum the rows of `weights` (buckets, width) int16 at `buckets[:count]` into `total` (width,) float64.

    Whole numbers: the sum is exact, in any order and on any machine. It is flushed before 32 bits could overflow.
    """
    width = weights.shape[1]
    total[:] = 0
    if width <= FEW_COLUMNS:  # four sums at a time stay in registers: twice as fast, until the rows are read too often
        for first in range(np.uint32(0), np.uint32(width), np.uint32(4)):
            for start in range(0, count, SAFE_SUMS):
                a, b, c, d = np.int32(0), np.int32(0), np.int32(0), np.int32(0)
                for i in range(start, min(start + SAFE_SUMS, count)):
                    at = buckets[i]
                    a += np.int32(weights[at, first])
                    b += np.int32(weights[at, first + np.uint32(1)])
                    c += np.int32(weights[at, first + np.uint32(2)])
                    d += np.int32(weights[at, first + np.uint32(3)])
                total[first] += a
                total[first + np.uint32(1)] += b
                total[first + np.uint32(2)] += c
                total[first + np.uint32(3)] += d
        return
    sums = np.empty(width, np.int32)
    for start in range(0, count, SAFE_SUMS):
        sums[:] = 0
        for i in range(start, min(start + SAFE_SUMS, count)):
            row = weights[buckets[i]]
            for k in range(width):
                sums[k] += row[k]
        for k in range(width):
            total[k] += sums[k]


@kernel
def score_rows(
    data, offsets, start, end, table, options, repeats, char_low, char_high, word_high, bits, weights, scale, bias, logits, hard
):
    """Add up the weights of each row's n-grams: the whole linear model, from bytes to logits.

    `weights` is (buckets, width): a column a label, then the squared gain, then padding; `scale` (labels + 1,) says what one
    unit of a column is worth. `hard[row]` is set, and the row left, where the text must be prepared first.
    """
    labels = bias.size
    room = room_for(longest(offsets, start, end))
    chars = np.empty(room, np.uint32)
    flags = np.empty(room, np.uint32)
    rolling = np.empty(room, np.uint32)
    ahead = np.empty(room, np.uint32)
    buckets = np.empty(room * (char_high - char_low + 1 + word_high), np.uint32)
    total = np.empty(weights.shape[1], np.float64)
    chars[0] = 32
    for row in range(start, end):
        size = normalize_row(data, offsets[row], offsets[row + 1], table, options, repeats, chars[1:], flags[1:])
        if size < 0:
            hard[row] = True
            continue
        chars[size + 1] = 32
        count = hash_row(chars, flags, size, char_low, char_high, word_high, bits, rolling, ahead, buckets)
        _add_up(buckets, count, weights, total)
        squares = total[labels] * scale[labels]
        share = 1 / np.sqrt(squares) if squares > 0 else 0.0
        for k in range(labels):
            logits[row, k] = total[k] * scale[k] * share + bias[k]


@kernel
def count_rows(data, offsets, start, end, table, options, repeats, char_low, char_high, word_high, bits, ends, columns, hard):
    """The buckets of each row, sorted, with repeats: row r fills `columns` up to `ends[r]` from `ends[r - 1]`.

    With an empty `columns` only the number of buckets is written into `ends`, so that one call measures and a second fills.
    """
    room = room_for(longest(offsets, start, end))
    chars = np.empty(room, np.uint32)
    flags = np.empty(room, np.uint32)
    rolling = np.empty(room, np.uint32)
    ahead = np.empty(room, np.uint32)
    buckets = np.empty(room * (char_high - char_low + 1 + word_high), np.uint32)
    chars[0] = 32
    for row in range(start, end):
        size = normalize_row(data, offsets[row], offsets[row + 1], table, options, repeats, chars[1:], flags[1:])
        if size < 0:
            hard[row] = True
            continue
        chars[size + 1] = 32
        count = hash_row(chars, flags, size, char_low, char_high, word_high, bits, rolling, ahead, buckets)
        if columns.size == 0:
            ends[row] = count
        else:
            first = ends[row] - count
            columns[first : ends[row]] = np.sort(buckets[:count])
