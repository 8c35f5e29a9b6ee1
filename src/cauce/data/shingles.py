"""The compiled loops of the search for near duplicates: signatures, deletions, and the grouping itself.

A key is a row of code points; all keys lie one after the other in `chars`, key k from `offsets[k]` to `offsets[k + 1]`.
"""

from __future__ import annotations

import numpy as np

from cauce.text.compiled import kernel

SHINGLE = 5  # characters hashed at once
BANDS, BAND_ROWS = 32, 4  # of a signature: keys that agree in all rows of a band are compared
SHORTEST, SHORT, MEDIUM = 12, 32, 48  # characters of a key: see `distance` and `delete`
WORDY = 96  # characters of a key: in a shorter one, a usual word for another makes another text
EDIT_SHARE, WORD_SHARE = 16, 10  # one edit in so many characters, one word in so many
LONG = 256  # characters of a key: longer ones are compared word by word
MOST_WORDS = 2000  # of a key that are compared
MOST_LEADERS = 16  # of a bucket that a key is compared with: rows made from one template stay cheap
DIGIT_EDITS = 6  # what an edit of a digit counts: another number is seldom a typo

_FIRST, _MULTIPLIER = np.uint64(0xCBF29CE484222325), np.uint64(0x9E3779B97F4A7C15)
_MIX, _LAST = np.uint32(0x85EBCA6B), np.uint32(0xFFFFFFFF)
_DELETED = np.uint64(1)


@kernel
def sign(chars, offsets, keys, start, end, multipliers, bands):
    """Write the band hashes of `keys[start:end]` into `bands` (BANDS, keys) uint32.

    A band is hashed from BAND_ROWS minima, each over the shingles times one of `multipliers` (BANDS * BAND_ROWS,).
    """
    minima = np.empty(BANDS * BAND_ROWS, np.uint32)
    for place in range(start, end):
        low, high = offsets[keys[place]], offsets[keys[place] + 1]
        minima[:] = _LAST
        for first in range(low, high - SHINGLE + 1):
            hashed = _FIRST
            for i in range(first, first + SHINGLE):
                hashed = (hashed ^ np.uint64(chars[i])) * _MULTIPLIER
            mixed = np.uint32(hashed >> np.uint64(32))
            for j in range(BANDS * BAND_ROWS):
                minima[j] = min(minima[j], np.uint32(mixed * multipliers[j]))
        for band in range(BANDS):
            hashed = _FIRST
            for j in range(band * BAND_ROWS, (band + 1) * BAND_ROWS):
                hashed = (hashed ^ np.uint64(minima[j])) * _MULTIPLIER
            bands[band, place] = np.uint32(hashed >> np.uint64(32))


@kernel
def delete(chars, offsets, keys, ends, hashes):
    """Write the hashes of each of `keys` with one character left out, then whole, into `hashes` up to `ends[k]`.

    Two keys that one edit makes equal (a character more, less or other, or two swapped) share one of them.
    """
    powers = np.empty(SHORT + 2, np.uint64)
    powers[0] = np.uint64(1)
    for i in range(1, SHORT + 2):
        powers[i] = powers[i - 1] * _MULTIPLIER
    for place in range(keys.size):
        low, high = offsets[keys[place]], offsets[keys[place] + 1]
        at = ends[place] - (high - low + 1)
        suffix = np.uint64(0)
        for i in range(high - 1, low - 1, -1):  # each hash without character i gets the part behind it
            hashes[at + i - low] = suffix
            suffix += (np.uint64(chars[i]) + _DELETED) * powers[high - 1 - i]
        hashes[ends[place] - 1] = suffix
        prefix = np.uint64(0)
        for i in range(low, high):
            hashes[at + i - low] += prefix * powers[high - 1 - i]
            prefix = prefix * _MULTIPLIER + np.uint64(chars[i]) + _DELETED


@kernel
def _price(symbol, digits):
    """What it costs to add, drop or change a symbol."""
    return DIGIT_EDITS if digits and 48 <= symbol <= 57 else 1


@kernel
def edits(first, second, most, digits, rows):
    """The edits that turn `first` into `second`: add, drop, change, swap two neighbors. Over `most`, `most + 1`.

    `rows` (3, room) is scratch, room at least the longer length + 1. With `digits` an edit of a digit counts more.
    """
    n, m = first.size, second.size
    if abs(n - m) > most:
        return most + 1
    start = 0
    while start < min(n, m) and first[start] == second[start]:
        start += 1
    while n > start and m > start and first[n - 1] == second[m - 1]:
        n, m = n - 1, m - 1
    over = most + 1
    width = m - start
    two, one, now = rows[0], rows[1], rows[2]
    one[0] = 0
    for j in range(1, width + 1):
        one[j] = min(one[j - 1] + _price(second[start + j - 1], digits), over)
    for i in range(1, n - start + 1):
        symbol = first[start + i - 1]
        price = _price(symbol, digits)
        low, high = max(1, i - most), min(width, i + most)
        now[low - 1] = min(one[0] + price, over) if low == 1 else over
        least = now[low - 1]
        for j in range(low, high + 1):
            other = second[start + j - 1]
            cost = _price(other, digits)
            best = min(one[j] + price, now[j - 1] + cost)
            best = min(best, one[j - 1] + (0 if symbol == other else max(price, cost)))
            if i > 1 and j > 1 and symbol == second[start + j - 2] and other == first[start + i - 2]:
                best = min(best, two[j - 2] + max(price, cost))
            now[j] = min(best, over)
            least = min(least, now[j])
        if high < width:
            now[high + 1] = over
        if least > most:
            return over
        two, one, now = one, now, two
    return one[width]


@kernel
def _words(chars, out):
    """The hashes of the words of a key, at most `out.size`. Returns how many."""
    count = 0
    hashed = _FIRST
    for i in range(chars.size + 1):
        if i == chars.size or chars[i] == 32:
            if count == out.size:
                return count
            out[count] = np.uint32(hashed >> np.uint64(32)) | np.uint32(0x80000000)  # never a digit
            count += 1
            hashed = _FIRST
        else:
            hashed = (hashed ^ np.uint64(chars[i])) * _MULTIPLIER
    return count


@kernel
def word_hashes(chars, offsets, hashes):
    """Write the hash of each word of all keys into `hashes`, unless it is empty. Returns how many there are."""
    out = np.empty(MOST_WORDS, np.uint32)
    count = 0
    for key in range(offsets.size - 1):
        own = chars[offsets[key] : offsets[key + 1]]
        if own.size < SHORTEST or own.size > WORDY:
            continue
        words = _words(own, out)
        if hashes.size:
            hashes[count : count + words] = out[:words]
        count += words
    return count


@kernel
def _other_word(first, second, usual, words):
    """True where the two differ in one word, and both words are in `usual`, sorted: no typo."""
    n, m = first.size, second.size
    start = 0
    for i in range(min(n, m)):
        if first[i] != second[i]:
            break
        if first[i] == 32:
            start = i + 1
    back = 0
    for i in range(1, min(n, m) - start + 1):
        if first[n - i] != second[m - i]:
            break
        if first[n - i] == 32:
            back = i
    one, other = words[0], words[1]
    if _words(first[start : n - back], one) != 1 or _words(second[start : m - back], other) != 1:
        return False
    here, there = np.searchsorted(usual, one[0]), np.searchsorted(usual, other[0])
    return here < usual.size and usual[here] == one[0] and there < usual.size and usual[there] == other[0]


@kernel
def distance(first, second, usual, words, rows):
    """How far apart two keys are, as a share of what is allowed: over 1, they are no near duplicates.

    Under SHORTEST characters no edit is allowed and under MEDIUM one: more may make another text. From there on a share.
    `usual` are the sorted hashes of words that are in several keys, and so no typos.
    `words` (2, MOST_WORDS) uint32 and `rows` (3, LONG * 2) int64 are scratch.
    """
    longer, shorter = max(first.size, second.size), min(first.size, second.size)
    if shorter < SHORTEST:
        return 2.0
    if shorter <= LONG:
        most = 1 if shorter < MEDIUM else shorter // EDIT_SHARE
        if longer - shorter > most:
            return 2.0
        apart = edits(first, second, most, True, rows) / most
        return 2.0 if apart <= 1 and shorter < WORDY and _other_word(first, second, usual, words) else apart
    if (longer - shorter) * WORD_SHARE > longer * 2:
        return 2.0
    one, two = words[0], words[1]
    n, m = _words(first, one), _words(second, two)
    most = max(1, min(n, m) // WORD_SHARE)
    return edits(one[:n], two[:m], most, False, rows) / most


@kernel
def lead(chars, offsets, starts, buckets, bucket_count, usual, leaders):
    """Give each key its leader, in `leaders`: the nearest earlier leader that shares a bucket with it, or itself.

    Key k is in `buckets[starts[k] : starts[k + 1]]`. Every member is compared with its leader, so that likeness is not
    handed on from row to row.
    """
    heads = np.full(bucket_count, -1, np.int64)  # the entry of the leader that came last into a bucket
    members = np.zeros(bucket_count, np.int64)
    before = np.full(buckets.size, -1, np.int64)
    owner = np.empty(buckets.size, np.int64)
    met = np.full(offsets.size, -1, np.int64)
    words = np.empty((2, MOST_WORDS), np.uint32)
    rows = np.empty((3, max(2 * LONG, MOST_WORDS) + 2), np.int64)
    for key in range(offsets.size - 1):
        own = chars[offsets[key] : offsets[key + 1]]
        best, nearest = key, 2.0
        for entry in range(starts[key], starts[key + 1]):
            at = heads[buckets[entry]]
            while at >= 0:
                other = owner[at]
                if met[other] != key:
                    met[other] = key
                    apart = distance(own, chars[offsets[other] : offsets[other + 1]], usual, words, rows)
                    if apart <= 1 and (apart < nearest or (apart == nearest and other < best)):
                        best, nearest = other, apart
                at = before[at]
        leaders[key] = best
        if best != key:
            continue
        for entry in range(starts[key], starts[key + 1]):
            bucket = buckets[entry]
            if members[bucket] < MOST_LEADERS:
                owner[entry], before[entry] = key, heads[bucket]
                heads[bucket] = entry
                members[bucket] += 1
