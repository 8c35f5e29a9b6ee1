"""The compiled inner loops: one pass over UTF-8 bytes in Arrow buffers. Check, normalize, hash, add up.

The plain Python that defines them is in `normalize.py` and `ngrams.py`; the tests hold the two together on any Unicode.
A loop here is called for a slice of rows, without the GIL, and allocates its scratch once a slice.
"""

from __future__ import annotations

import numpy as np

from cauce.text.compiled import kernel
from cauce.text.unicode import DIGIT, HARD, IDEOGRAPHS_END, LIMIT, LOWER, NOISE, SPACE, WORD

FINE, EMPTY, INVALID = 0, 1, 2  # what `inspect` says of a row

LOWERCASE, URLS, USERS, PREPARED = (
    1,
    2,
    4,
    8,
)  # `options` of a normalizer; PREPARED: NFC and lower case are done already

LANES = 16  # numbers that a loop takes at once
FEW_COLUMNS = 12  # of weights: up to eleven labels
SAFE_SUMS = 1 << 15  # so many 16-bit numbers fit a 32-bit sum

CHAR_SEED, WORD_SEED = np.uint32(0x9747B28C), np.uint32(0x3C6EF372)
STEP, MIX, CHAIN = np.uint32(0x9E3779B1), np.uint32(0x85EBCA6B), np.uint32(0xC2B2AE35)


@kernel
def _blank(char):
    """True for white space and the marks without width."""
    if char < 0x2000:
        return char <= 0x20 or char == 0x85 or char == 0xA0 or char == 0xAD or char == 0x1680
    return char <= 0x200F or 0x2028 <= char <= 0x202F or 0x205F <= char <= 0x2060 or char == 0x3000 or char == 0xFEFF


@kernel
def inspect(data, offsets, start, end, status, characters):
    """For each row: is it valid UTF-8, is it more than white space, and how many code points has it."""
    for row in range(start, end):
        low, high = offsets[row], offsets[row + 1]
        every = np.uint8(0)
        for i in range(low, high):
            every |= data[i]
        if every < 0x80:
            characters[row] = high - low
            status[row] = EMPTY
            for i in range(low, high):
                if data[i] > 0x20:
                    status[row] = FINE
                    break
            continue
        count = 0
        seen = False
        i = low
        status[row] = FINE
        while i < high:
            byte = data[i]
            if byte < 0x80:
                size, value, least = 1, np.uint32(byte), np.uint32(0)
            elif 0xC2 <= byte < 0xE0:
                size, value, least = 2, np.uint32(byte & 0x1F), np.uint32(0x80)
            elif 0xE0 <= byte < 0xF0:
                size, value, least = 3, np.uint32(byte & 0x0F), np.uint32(0x800)
            elif 0xF0 <= byte < 0xF5:
                size, value, least = 4, np.uint32(byte & 0x07), np.uint32(0x10000)
            else:
                status[row] = INVALID
                break
            if i + size > high:
                status[row] = INVALID
                break
            for j in range(1, size):
                tail = data[i + j]
                if tail & 0xC0 != 0x80:
                    status[row] = INVALID
                value = (value << np.uint32(6)) | np.uint32(tail & 0x3F)
            if value < least or value > 0x10FFFF or 0xD800 <= value < 0xE000:
                status[row] = INVALID
            if status[row] == INVALID:
                break
            seen |= not _blank(value)
            count += 1
            i += size
        characters[row] = count
        if status[row] == FINE and not seen:
            status[row] = EMPTY


@kernel
def _decode(data, low, high, table, options, chars, flags):
    """Code points in lower case, their flags beside them, noise left out. Returns how many, or -1 for a hard text."""
    prepared = options & PREPARED != 0
    lowercase = options & LOWERCASE != 0 and not prepared
    count = 0
    i = low
    while i < high:
        byte = np.uint32(data[i])
        if byte < 0x80:
            char = byte
            i += 1
        elif byte < 0xE0:
            char = ((byte & np.uint32(0x1F)) << np.uint32(6)) | np.uint32(data[i + 1] & 0x3F)
            i += 2
        elif byte < 0xF0:
            char = (
                ((byte & np.uint32(0x0F)) << np.uint32(12))
                | (np.uint32(data[i + 1] & 0x3F) << np.uint32(6))
                | np.uint32(data[i + 2] & 0x3F)
            )
            i += 3
        else:
            char = (
                ((byte & np.uint32(0x07)) << np.uint32(18))
                | (np.uint32(data[i + 1] & 0x3F) << np.uint32(12))
                | (np.uint32(data[i + 2] & 0x3F) << np.uint32(6))
                | np.uint32(data[i + 3] & 0x3F)
            )
            i += 4
        if char < LIMIT:
            entry = table[char]
            if entry & np.uint32(HARD) and not prepared:
                return -1
            if entry & np.uint32(NOISE):
                continue
            chars[count] = entry & np.uint32(LOWER) if lowercase else char
            flags[count] = entry
        else:
            if not prepared:
                return -1
            chars[count] = char
            flags[count] = np.uint32(WORD if char < IDEOGRAPHS_END else 0)
        count += 1
    return count


@kernel
def _starts_url(chars, i, count):
    """True at `http://`, `https://` and `www.`."""
    if i + 4 <= count and chars[i] == 119:  # w
        return chars[i + 1] == 119 and chars[i + 2] == 119 and chars[i + 3] == 46
    if i + 7 > count or chars[i] != 104 or chars[i + 1] != 116 or chars[i + 2] != 116 or chars[i + 3] != 112:
        return False
    j = i + 4
    if chars[j] == 115:  # s
        j += 1
    return j + 3 <= count and chars[j] == 58 and chars[j + 1] == 47 and chars[j + 2] == 47


@kernel
def normalize_row(data, low, high, table, options, repeats, chars, flags):
    """Write the normalized row into `chars`, with the flag WORD of each in `flags`. Returns its length, -1 if it is hard.

    A mention of two characters grows to `@user`, so the text is decoded into the upper part of the arrays, behind
    three times its bytes, and written from the front: `room_for` gives what both need.
    """
    room = (high - low) * 3 + 8
    count = _decode(data, low, high, table, options, chars[room:], flags[room:])
    if count < 0:
        return -1
    end = room + count
    chars[end] = chars[end + 1] = 0  # what looks ahead must not find an earlier row
    size = 0
    last = np.uint32(32)  # the character written last: a space before the first drops leading white space
    run = 0  # how often it came in a row
    in_word = False
    i = room
    # Words are short, so a branch at each space or repeat would be guessed wrong once a word: the usual path has none.
    while i < end:
        char, flag = chars[i], flags[i]
        link = (char == 104) & (chars[i + 1] == 116) | (char == 119) & (chars[i + 1] == 119)  # ht, ww
        if (link | (char == 64)) & (not in_word):
            if link and options & URLS and _starts_url(chars, i, end):
                while i < end and not flags[i] & np.uint32(SPACE):
                    i += 1
                for letter in (104, 116, 116, 112):
                    chars[size], flags[size] = np.uint32(letter), np.uint32(WORD)
                    size += 1
                last, run, in_word = np.uint32(112), 1, True
                continue
            if char == 64 and options & USERS and i + 1 < end and flags[i + 1] & np.uint32(WORD):
                i += 1
                while i < end and flags[i] & np.uint32(WORD):
                    i += 1
                chars[size], flags[size] = np.uint32(64), np.uint32(0)
                size += 1
                for letter in (117, 115, 101, 114):
                    chars[size], flags[size] = np.uint32(letter), np.uint32(WORD)
                    size += 1
                last, run, in_word = np.uint32(114), 1, True
                continue
        space = flag & np.uint32(SPACE) != 0
        char = np.uint32(32) if space else char
        same = char == last
        run = run + 1 if same else 1
        kept = (run <= repeats) | (repeats == 0) | (flag & np.uint32(DIGIT) != 0)
        kept = not same if space else kept
        chars[size], flags[size] = char, flag & np.uint32(WORD)
        size += 1 if kept else 0
        last = char
        in_word = flag & np.uint32(WORD) != 0
        i += 1
    return size - 1 if size > 0 and chars[size - 1] == 32 else size


@kernel
def longest(offsets, start, end):
    """The most bytes that a row of the slice has."""
    most = 0
    for row in range(start, end):
        most = max(most, offsets[row + 1] - offsets[row])
    return most


@kernel
def room_for(longest_row):
    """Code points of scratch that a row of so many bytes needs: `normalize_row` decodes behind what it writes."""
    return longest_row * 4 + 4 * LANES


@kernel
def _put_utf8(char, out, at):
    """Write a code point as UTF-8 at `out[at:]`, unless `out` is empty. Returns its size in bytes."""
    size = 1 if char < 0x80 else 2 if char < 0x800 else 3 if char < 0x10000 else 4
    if out.size == 0:
        return size
    if size == 1:
        out[at] = char
    else:
        for j in range(size - 1, 0, -1):
            out[at + j] = 0x80 | (char & np.uint32(0x3F))
            char >>= np.uint32(6)
        out[at] = char | np.uint32(0xC0 if size == 2 else 0xE0 if size == 3 else 0xF0)
    return size


@kernel
def normalize_rows(data, offsets, start, end, table, options, repeats, ends, out, hard):
    """Normalize rows into UTF-8. Hard rows are marked and have no bytes.

    With an empty `out` only the sizes are written, row r's into `ends[r + 1]`; otherwise row r is written from `ends[r]` on.
    """
    room = room_for(longest(offsets, start, end))
    chars = np.empty(room, np.uint32)
    flags = np.empty(room, np.uint32)
    for row in range(start, end):
        size = normalize_row(data, offsets[row], offsets[row + 1], table, options, repeats, chars, flags)
        if size < 0:
            hard[row] = True
            continue
        at = ends[row] if out.size else 0
        for i in range(size):
            at += _put_utf8(chars[i], out, at)
        if out.size == 0:
            ends[row + 1] = at


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
