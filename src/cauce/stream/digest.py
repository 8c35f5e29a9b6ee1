"""BLAKE2b (RFC 7693), compiled: the keys of many messages without a Python object for each. The tests hold it to hashlib's."""

from __future__ import annotations

import numpy as np

from cauce.text.compiled import kernel

BLOCK = 128  # bytes
SIZE = 16  # bytes of a digest
IV = np.array(
    [
        0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1,
        0x510E527FADE682D1, 0x9B05688C2B3E6C1F, 0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179,
    ],
    np.uint64,
)  # fmt: skip
SIGMA = np.array(
    [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
        [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
        [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
        [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
        [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
        [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
        [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
        [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
        [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
        [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
    ],
    np.uint8,
)
# Which four of the sixteen words each of a round's eight steps mixes.
MIXED = np.array(
    [
        [0, 4, 8, 12],
        [1, 5, 9, 13],
        [2, 6, 10, 14],
        [3, 7, 11, 15],
        [0, 5, 10, 15],
        [1, 6, 11, 12],
        [2, 7, 8, 13],
        [3, 4, 9, 14],
    ],
    np.uint8,
)
ROUNDS = 12
DIGITS = np.frombuffer(b"0123456789abcdef", np.uint8)


@kernel
def _turned(word, by):
    return np.uint64((word >> np.uint64(by)) | (word << np.uint64(64 - by)))


@kernel
def _compress(state, words, count, last):
    """Mix one block of sixteen words into the state; `count` bytes were read so far, this block's too."""
    v = np.empty(16, np.uint64)
    for i in range(8):
        v[i], v[i + 8] = state[i], IV[i]
    v[12] ^= np.uint64(count)
    if last:
        v[14] = ~v[14]
    for turn in range(ROUNDS):
        order = SIGMA[turn % 10]
        for step in range(8):
            a, b, c, d = MIXED[step]
            v[a] += v[b] + words[order[2 * step]]
            v[d] = _turned(v[d] ^ v[a], 32)
            v[c] += v[d]
            v[b] = _turned(v[b] ^ v[c], 24)
            v[a] += v[b] + words[order[2 * step + 1]]
            v[d] = _turned(v[d] ^ v[a], 16)
            v[c] += v[d]
            v[b] = _turned(v[b] ^ v[c], 63)
    for i in range(8):
        state[i] ^= v[i] ^ v[i + 8]


@kernel
def digests(head, heads, data, offsets, out):
    """The digest of each row, in hexadecimal.

    Args:
        head: uint8 (h,): what all rows begin with.
        heads: uint8 (n, k): what a row begins with after that.
        data, offsets: uint8, int64 (n + 1,): the rest of each row.
        out: uint8 (n, 2 * SIZE), filled with digits.

    """
    words = np.empty(BLOCK // 8, np.uint64)
    block = words.view(np.uint8)  # little-endian, as every processor here is
    state = np.empty(8, np.uint64)
    for row in range(len(offsets) - 1):
        for i in range(8):
            state[i] = IV[i]
        state[0] ^= np.uint64(0x01010000 ^ SIZE)
        read, filled = 0, 0
        for part in range(3):
            source = head if part == 0 else heads[row] if part == 1 else data[offsets[row] : offsets[row + 1]]
            for i in range(len(source)):
                if filled == BLOCK:  # more is to come: this block is not the last
                    read += BLOCK
                    _compress(state, words, read, False)
                    filled = 0
                block[filled] = source[i]
                filled += 1
        for i in range(filled, BLOCK):
            block[i] = 0
        _compress(state, words, read + filled, True)
        digest = state.view(np.uint8)
        for i in range(SIZE):
            out[row, 2 * i], out[row, 2 * i + 1] = DIGITS[digest[i] >> 4], DIGITS[digest[i] & 15]
