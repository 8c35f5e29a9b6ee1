"""JSON's values, compiled: where each ends, and what strings and integers say. The grammar is `orjson`'s, or narrower.

What is refused may be right all the same: a number of 19 digits, one with an exponent of three, 61 levels of nesting.
"""

from __future__ import annotations

import numpy as np

from cauce.text.compiled import kernel

QUOTE, BACKSLASH, COLON, COMMA, MINUS, DOT = 34, 92, 58, 44, 45, 46
OBJECT, OBJECT_END, ARRAY, ARRAY_END = 123, 125, 91, 93
DEEPEST = 60  # levels of nesting
LONGEST_NUMBER = 100  # characters: a longer one may be infinite
LONGEST_INTEGER = 18  # digits: so many always fit
ESCAPED = np.zeros(256, np.uint8)  # what stands for which byte behind a backslash, but for `u`
ESCAPED[[34, 92, 47, 98, 102, 110, 114, 116]] = [34, 92, 47, 8, 12, 10, 13, 9]
PLAIN = np.zeros(256, np.bool_)  # the bytes of a string that stand for themselves, alone
PLAIN[32:128] = True
PLAIN[[QUOTE, BACKSLASH]] = False


@kernel
def blank_end(data, at, end):
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
def string_end(data, at, end):
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
def number_end(data, start, end):
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
    at = blank_end(data, at, end)
    if at >= end or data[at] != QUOTE:
        return -1
    at, _ = string_end(data, at + 1, end)
    if at < 0:
        return -1
    at = blank_end(data, at + 1, end)
    return at + 1 if at < end and data[at] == COLON else -1


@kernel
def value_end(data, at, end):
    """The end of the value at or behind `at`, or -1."""
    depth, objects = 0, np.uint64(0)  # of each level open a bit: whether it is an object
    while True:
        at = blank_end(data, at, end)
        if at >= end:
            return -1
        byte = data[at]
        if byte in (OBJECT, ARRAY):
            if depth == DEEPEST:
                return -1
            depth += 1
            objects = np.uint64(objects << np.uint64(1)) | np.uint64(byte == OBJECT)
            at = blank_end(data, at + 1, end)
            if not (at < end and data[at] == (OBJECT_END if byte == OBJECT else ARRAY_END)):
                if byte == OBJECT:
                    at = _key_end(data, at, end)
                    if at < 0:
                        return -1
                continue
        elif byte == QUOTE:
            at, _ = string_end(data, at + 1, end)
            if at < 0:
                return -1
            at += 1
        else:
            at = number_end(data, at, end)[0] if byte == MINUS or 48 <= byte <= 57 else _literal_end(data, at, end)
            if at < 0:
                return -1
        while depth:
            at = blank_end(data, at, end)
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
def unescaped(data, at, end, out, to):
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
def integer(data, at, end):
    """The value of an integer that is written at data[at:end], and whether it is sure to fit."""
    negative = data[at] == MINUS
    first = at + negative
    if end - first > LONGEST_INTEGER or (negative and data[first] == 48):
        return 0, False
    value = 0
    for i in range(first, end):
        value = value * 10 + (data[i] - 48)
    return (-value if negative else value), True
