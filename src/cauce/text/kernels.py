"""The compiled inner loops over UTF-8 bytes in Arrow buffers: check and normalize. `hashing.py` goes on from there.

The plain Python that defines them is in `normalize.py`; the tests hold the two together on any Unicode.
A loop here is called for a slice of rows, without the GIL, and allocates its scratch once a slice.
"""

from __future__ import annotations

import numpy as np

from cauce.text.compiled import kernel
from cauce.text.unicode import DIGIT, HARD, IDEOGRAPHS_END, LIMIT, LOWER, NOISE, SPACE, WORD

FINE, EMPTY, INVALID = 0, 1, 2  # what `inspect` says of a row

LOWERCASE, URLS, USERS, PREPARED = 1, 2, 4, 8  # `options` of a normalizer; PREPARED: NFC and lower case are done already

LANES = 16  # numbers that a loop takes at once


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
