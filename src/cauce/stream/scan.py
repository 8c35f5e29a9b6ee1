"""The compiled reading of messages: what a worker needs of a JSON object, without making objects of it.

What this kernel takes is what `message.parse` takes, with the same values; the tests hold the two together. What it does not
take (wrong messages, and rare right ones: see `json_values`, or an escape in a key) is left to `message.parse`.
"""

from __future__ import annotations

from cauce.stream.json_values import (
    COLON,
    COMMA,
    MINUS,
    OBJECT,
    OBJECT_END,
    QUOTE,
    blank_end,
    integer,
    number_end,
    string_end,
    unescaped,
    value_end,
)
from cauce.text.compiled import kernel

TAKEN, LEFT = 1, 0  # what `scan` says of a row
UPSERT, DELETE = 0, 1
# The keys that `scan` knows, by their place in `names`; those from RESERVED on belong to answers.
ID, TEXT, OP, REV, CREATED, ALIAS, RESERVED = range(7)
NONE = -1  # a value that is not there, or null


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
        at = blank_end(data, start, end)
        if at >= end or data[at] != OBJECT:
            continue
        at = blank_end(data, at + 1, end)
        if at >= end or data[at] != QUOTE:
            continue
        op, rev, seen, fine = UPSERT, 0, 0, True
        text_from, text_to, id_from, id_to = NONE, NONE, NONE, NONE
        created_from, created_to = NONE, NONE
        first_other, last_other, text_plain = to_other, to_other, False
        while True:
            key = at
            close, escaped = string_end(data, at + 1, end)
            if close < 0 or escaped:
                fine = False
                break
            name = _known(data, key + 1, close, names, starts)
            at = blank_end(data, close + 1, end)
            if at >= end or data[at] != COLON:
                fine = False
                break
            value = blank_end(data, at + 1, end)
            if value >= end:
                fine = False
                break
            byte, plain = data[value], False
            if byte == QUOTE:
                at, escaped = string_end(data, value + 1, end)
                at, plain = at + (at >= 0), not escaped
            else:
                at = value_end(data, value, end)
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
                    whole = number_end(data, value, end)[1]
                    fine = whole and integer(data, value, at)[1]
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
                    rev, fits = integer(data, value, at)
                    fine = fits and number_end(data, value, end)[1]
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
            at = blank_end(data, at, end)
            if at < end and data[at] == OBJECT_END:
                break
            fine = at < end and data[at] == COMMA
            if not fine:
                break
            at = blank_end(data, at + 1, end)
            fine = at < end and data[at] == QUOTE
            if not fine:
                break
        if not fine or blank_end(data, at + 1, end) != end or (op == DELETE and id_to <= id_from):
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
                to_text = unescaped(data, text_from, text_to, texts, to_text)
            ends_of[row, 0] = to_text
        if id_to > id_from:
            to_id = unescaped(data, id_from, id_to, ids, to_id)
            ends_of[row, 1] = to_id
        if created_from != NONE:
            to_created = unescaped(data, created_from, created_to, created, to_created)
            ends_of[row, 2] = to_created
        if last_other > first_other:
            others[last_other] = OBJECT_END
            to_other = last_other + 1
            ends_of[row, 3] = to_other
