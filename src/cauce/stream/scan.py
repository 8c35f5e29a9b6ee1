"""The compiled reading of messages: what a worker needs of a JSON object, without making objects of it.

What these kernels take is what `message.parse` takes, with the same values; the tests hold the two together. What they do not
take (wrong messages, and rare right ones: a number of 19 digits, an escape in a key) is left to `message.parse`.
"""

from __future__ import annotations

import numpy as np

from cauce.text.compiled import kernel

QUOTE, BACKSLASH, COLON, COMMA, MINUS, DOT = 34, 92, 58, 44, 45, 46
OBJECT, OBJECT_END, ARRAY, ARRAY_END = 123, 125, 91, 93
DEEPEST = 60  # levels of nesting
LONGEST_NUMBER = 100  # characters: a longer one may be infinite
LONGEST_INTEGER = 18  # digits: so many always fit
TAKEN, LEFT = 1, 0  # what `scan` says of a row
UPSERT, DELETE = 0, 1
# The keys that `scan` knows, by their place in `names`; those from RESERVED on belong to answers.
ID, TEXT, OP, REV, CREATED, ALIAS, RESERVED = range(7)
ESCAPED = np.zeros(256, np.uint8)  # what stands for which byte behind a backslash, but for `u`
ESCAPED[[34, 92, 47, 98, 102, 110, 114, 116]] = [34, 92, 47, 8, 12, 10, 13, 9]
PLAIN = np.zeros(256, np.bool_)  # the bytes of a string that stand for themselves, alone
PLAIN[32:128] = True
PLAIN[[QUOTE, BACKSLASH]] = False
NONE = -1  # a value that is not there, or null


@kernel
def _blank_end(data, at, end):
    """The first place from `at` on that is no white space."""
    while at < end and (data[at] == 32 or data[at] == 10 or data[at] == 13 or data[at] == 9):
        at += 1
    return at


@kernel
def _hex(data, at, end):
    """The number of four hexadecimal digits, or -1."""
    if at + 4 > end:
        return -1
    value = 0
    for i in range(at, at + 4):
        byte = data[i]
        if 48 <= byte <= 57:
            value = value * 16 + (byte - 48)
        elif 97 <= byte <= 102:
            value = value * 16 + (byte - 87)
        elif 65 <= byte <= 70:
            value = value * 16 + (byte - 55)
        else:
            return -1
    return value


@kernel
def _code_point(data, at, end):
    """The code point of the escape `u` whose digits begin at `at`, and where it ends; -1 where there is none."""
    high = _hex(data, at, end)
    if high < 0xD800 or high > 0xDFFF:
        return high, at + 4
    if high > 0xDBFF or at + 6 > end or data[at + 4] != BACKSLASH or data[at + 5] != 117:
        return -1, at
    low = _hex(data, at + 6, end)
    if low < 0xDC00 or low > 0xDFFF:
        return -1, at
    return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00), at + 10


@kernel
def _rune_end(data, at, end):
    """The end of the UTF-8 sequence of several bytes that begins at `at`, or -1."""
    first = data[at]
    if 0xC2 <= first <= 0xDF:
        size, low, high = 2, 0x80, 0xBF
    elif 0xE0 <= first <= 0xEF:
        size, low, high = 3, 0xA0 if first == 0xE0 else 0x80, 0x9F if first == 0xED else 0xBF
    elif 0xF0 <= first <= 0xF4:
        size, low, high = 4, 0x90 if first == 0xF0 else 0x80, 0x8F if first == 0xF4 else 0xBF
    else:
        return -1
    if at + size > end or not low <= data[at + 1] <= high:
        return -1
    for i in range(at + 2, at + size):
        if data[i] & 0xC0 != 0x80:
            return -1
    return at + size


@kernel
def _string_end(data, at, end):
    """The closing quote of the string whose characters begin at `at`, or -1; and whether it has escapes."""
    escaped = False
    while at < end:
        byte = data[at]
        if PLAIN[byte]:
            at += 1
            continue
        if byte == QUOTE:
            return at, escaped
        if byte == BACKSLASH:
            escaped = True
            if at + 1 >= end:
                return -1, escaped
            kind = data[at + 1]
            at += 2
            if kind == 117:
                point, at = _code_point(data, at, end)
                if point < 0:
                    return -1, escaped
            elif ESCAPED[kind] == 0:
                return -1, escaped
        elif byte < 32:
            return -1, escaped
        else:  # DEL is plain, so this is the beginning of several bytes
            at = _rune_end(data, at, end)
            if at < 0:
                return -1, escaped
    return -1, escaped


@kernel
def _digits_end(data, at, end):
    while at < end and 48 <= data[at] <= 57:
        at += 1
    return at


@kernel
def _number_end(data, start, end):
    """The end of the number that begins at `start`, or -1; and whether it is written as an integer."""
    at = start + (data[start] == MINUS)
    digits = _digits_end(data, at, end)
    if digits == at or (data[at] == 48 and digits > at + 1):
        return -1, False
    at, whole = digits, True
    if at < end and data[at] == DOT:
        digits = _digits_end(data, at + 1, end)
        if digits == at + 1:
            return -1, False
        at, whole = digits, False
    if at < end and (data[at] == 101 or data[at] == 69):
        at += 1
        if at < end and (data[at] == 43 or data[at] == MINUS):
            at += 1
        digits = _digits_end(data, at, end)
        if digits == at or digits > at + 2:
            return -1, False
        at, whole = digits, False
    return (at if at - start <= LONGEST_NUMBER else -1), whole


@kernel
def _literal_end(data, at, end):
    """The end of `true`, `false` or `null`, or -1."""
    if at + 4 <= end and data[at] == 116 and data[at + 1] == 114 and data[at + 2] == 117 and data[at + 3] == 101:
        return at + 4
    if at + 4 <= end and data[at] == 110 and data[at + 1] == 117 and data[at + 2] == 108 and data[at + 3] == 108:
        return at + 4
    if (
        at + 5 <= end and data[at] == 102 and data[at + 1] == 97 and data[at + 2] == 108
        and data[at + 3] == 115 and data[at + 4] == 101
    ):  # fmt: skip
        return at + 5
    return -1


@kernel
def _key_end(data, at, end):
    """The place behind the colon of the key whose quote is at or behind `at`, or -1."""
    at = _blank_end(data, at, end)
    if at >= end or data[at] != QUOTE:
        return -1
    at, _ = _string_end(data, at + 1, end)
    if at < 0:
        return -1
    at = _blank_end(data, at + 1, end)
    return at + 1 if at < end and data[at] == COLON else -1


@kernel
def _value_end(data, at, end):
    """The end of the value at or behind `at`, or -1."""
    depth, objects = 0, np.uint64(0)  # of each level open a bit: whether it is an object
    while True:
        at = _blank_end(data, at, end)
        if at >= end:
            return -1
        byte = data[at]
        if byte in (OBJECT, ARRAY):
            if depth == DEEPEST:
                return -1
            depth += 1
            objects = np.uint64(objects << np.uint64(1)) | np.uint64(byte == OBJECT)
            at = _blank_end(data, at + 1, end)
            if not (at < end and data[at] == (OBJECT_END if byte == OBJECT else ARRAY_END)):
                if byte == OBJECT:
                    at = _key_end(data, at, end)
                    if at < 0:
                        return -1
                continue
        elif byte == QUOTE:
            at, _ = _string_end(data, at + 1, end)
            if at < 0:
                return -1
            at += 1
        else:
            at = _number_end(data, at, end)[0] if byte == MINUS or 48 <= byte <= 57 else _literal_end(data, at, end)
            if at < 0:
                return -1
        while depth:
            at = _blank_end(data, at, end)
            if at >= end:
                return -1
            if data[at] == COMMA:
                at += 1
                if objects & np.uint64(1):
                    at = _key_end(data, at, end)
                    if at < 0:
                        return -1
                break
            if data[at] != (OBJECT_END if objects & np.uint64(1) else ARRAY_END):
                return -1
            at += 1
            depth -= 1
            objects = np.uint64(objects >> np.uint64(1))
        if depth == 0:
            return at


@kernel
def _unescaped(data, at, end, out, to):
    """Copy the characters of a string without its escapes. Returns the end of the copy."""
    while at < end:
        byte = data[at]
        if byte != BACKSLASH:
            out[to] = byte
            at += 1
            to += 1
            continue
        kind = data[at + 1]
        at += 2
        if kind == 117:
            point, at = _code_point(data, at, end)
            if point < 0x80:
                out[to] = point
                to += 1
            elif point < 0x800:
                out[to], out[to + 1] = 0xC0 | point >> 6, 0x80 | point & 63
                to += 2
            elif point < 0x10000:
                out[to], out[to + 1], out[to + 2] = 0xE0 | point >> 12, 0x80 | point >> 6 & 63, 0x80 | point & 63
                to += 3
            else:
                out[to], out[to + 1] = 0xF0 | point >> 18, 0x80 | point >> 12 & 63
                out[to + 2], out[to + 3] = 0x80 | point >> 6 & 63, 0x80 | point & 63
                to += 4
            continue
        out[to] = ESCAPED[kind]
        to += 1
    return to


@kernel
def _copied(data, at, end, out, to):
    out[to : to + end - at] = data[at:end]
    return to + end - at


@kernel
def _is_word(data, at, end, word):
    same = end - at == len(word)
    for i in range(end - at if same else 0):
        same &= data[at + i] == word[i]
    return same


@kernel
def _known(data, at, end, names, starts):
    """The place of a key in `names`, or their number."""
    size, first = end - at, data[at]
    for name in range(len(starts) - 1):
        start = starts[name]
        near = starts[name + 1] - start == size and names[start] == first  # most keys are told apart by this
        if near and _is_word(data, at, end, names[start : start + size]):
            return name
    return len(starts) - 1


@kernel
def _integer(data, at, end):
    """The value of an integer that is written at data[at:end], and whether it is sure to fit."""
    negative = data[at] == MINUS
    first = at + negative
    if end - first > LONGEST_INTEGER or (negative and data[first] == 48):
        return 0, False
    value = 0
    for i in range(first, end):
        value = value * 10 + (data[i] - 48)
    return (-value if negative else value), True


@kernel
def scan(data, offsets, limit, names, starts, words, status, ends, ops, revs, texts, ids, created, others, ends_of):
    """Read messages.

    Args:
        data, offsets: their bytes, uint8, and where each begins and ends, int64 (n + 1,).
        limit: bytes of the longest.
        names, starts: the keys that are known, one after the other, and where each begins, int64 (names + 1,).
        words: `upsert` and `delete`, uint8 (2, 6).
        status: (n,) filled with TAKEN or LEFT; of those left, nothing else is filled.
        ends: (n,) filled with the place of the last brace.
        ops, revs: (n,) filled.
        texts, ids, created, others: uint8, filled with the text, `id` and `created_at` without quotes and escapes, and with
            the keys that are not known as a JSON object, one message after the other. Each as long as `data`.
        ends_of: int64 (n, 4) filled with where each of the four ends; NONE where it is not there or null.

    """
    to_text, to_id, to_created, to_other = 0, 0, 0, 0
    for row in range(len(offsets) - 1):
        start, end = offsets[row], offsets[row + 1]
        status[row] = LEFT
        for k in range(4):
            ends_of[row, k] = NONE
        if end - start > limit:
            continue
        at = _blank_end(data, start, end)
        if at >= end or data[at] != OBJECT:
            continue
        at = _blank_end(data, at + 1, end)
        if at >= end or data[at] != QUOTE:
            continue
        op, rev, seen, fine = UPSERT, 0, 0, True
        text_from, text_to, id_from, id_to = NONE, NONE, NONE, NONE
        created_from, created_to = NONE, NONE
        first_other, last_other, text_plain = to_other, to_other, False
        while True:
            key = at
            close, escaped = _string_end(data, at + 1, end)
            if close < 0 or escaped:
                fine = False
                break
            name = _known(data, key + 1, close, names, starts)
            at = _blank_end(data, close + 1, end)
            if at >= end or data[at] != COLON:
                fine = False
                break
            value = _blank_end(data, at + 1, end)
            byte, plain = data[value], False
            if byte == QUOTE:
                at, escaped = _string_end(data, value + 1, end)
                at, plain = at + (at >= 0), not escaped
            else:
                at = _value_end(data, value, end)
            if at < 0:
                fine = False
                break
            if name == len(starts) - 1:
                others[last_other] = OBJECT if last_other == first_other else COMMA
                last_other = _copied(data, key, at, others, last_other + 1)
            elif name >= RESERVED or seen >> name & 1:
                fine = False
            elif name in (TEXT, ALIAS):
                if byte == QUOTE:
                    text_from, text_to, text_plain = value + 1, at - 1, plain
                elif byte != 110:
                    fine = False
            elif name == ID:
                if byte == QUOTE:
                    id_from, id_to = value + 1, at - 1
                elif byte == MINUS or 48 <= byte <= 57:
                    whole = _number_end(data, value, end)[1]
                    fine = whole and _integer(data, value, at)[1]
                    id_from, id_to = value, at
                elif byte != 110:
                    fine = False
            elif name == OP:
                if byte == QUOTE and _is_word(data, value + 1, at - 1, words[1]):
                    op = DELETE
                elif byte != 110 and not (byte == QUOTE and _is_word(data, value + 1, at - 1, words[0])):
                    fine = False
            elif name == REV:
                if byte == MINUS or 48 <= byte <= 57:
                    rev, fits = _integer(data, value, at)
                    fine = fits and _number_end(data, value, end)[1]
                elif byte != 110:
                    fine = False
            elif name == CREATED:
                if byte == QUOTE:
                    created_from, created_to = value + 1, at - 1
                elif byte == MINUS or 48 <= byte <= 57:
                    created_from, created_to = value, at
                elif byte != 110:
                    fine = False
            if name < len(starts) - 1:
                seen |= 1 << name
            if not fine:
                break
            at = _blank_end(data, at, end)
            if at < end and data[at] == OBJECT_END:
                break
            fine = at < end and data[at] == COMMA
            if not fine:
                break
            at = _blank_end(data, at + 1, end)
            fine = at < end and data[at] == QUOTE
            if not fine:
                break
        if not fine or _blank_end(data, at + 1, end) != end or (op == DELETE and id_to <= id_from):
            continue
        if seen >> TEXT & 1 and seen >> ALIAS & 1:  # which of the two the model reads is told apart elsewhere
            continue
        broken = False
        for byte in data[start:at]:
            broken |= (byte == 10) | (byte == 13)
        if broken:  # a result is on one line
            continue
        status[row] = TAKEN
        ends[row], ops[row], revs[row] = at, op, rev
        if text_from != NONE:
            if text_plain:
                to_text = _copied(data, text_from, text_to, texts, to_text)
            else:
                to_text = _unescaped(data, text_from, text_to, texts, to_text)
            ends_of[row, 0] = to_text
        if id_to > id_from:
            to_id = _unescaped(data, id_from, id_to, ids, to_id)
            ends_of[row, 1] = to_id
        if created_from != NONE:
            to_created = _unescaped(data, created_from, created_to, created, to_created)
            ends_of[row, 2] = to_created
        if last_other > first_other:
            others[last_other] = OBJECT_END
            to_other = last_other + 1
            ends_of[row, 3] = to_other
