"""The compiled part of reading text files: rows and cells in a block of bytes, and a hash that tells repeated texts."""

from __future__ import annotations

import numpy as np

from cauce.text.compiled import kernel

FINE, BLANK, RAGGED, QUOTE, RETURN, NUL, LONG = range(7)
NO_DELIMITER = -1  # every line is one cell, whatever it holds
BLANKS, RETURNS = (9, 13, 32), (13, 13, 13)  # what a line may end with, of JSON and of CSV
LINE_FEED, CARRIAGE_RETURN, QUOTE_MARK = 10, 13, 34
ROW, CELL, QUOTED, CLOSED, ENDED = range(5)  # at the start of a cell, in one, in quotes, after them, after a carriage return
EDGE = 32  # bytes of each end of a text that `fingerprints` reads


@kernel
def split(data, at, end, last, delimiter, quoted, limit, starts, ends, lines, faults, cells, escapes):
    """Find the rows of data[at:end], as Python's csv module does in its strict mode.

    A row that cannot be read is its first line alone, and the next line starts a new row. An unfinished row at the end is
    left for the next block unless this is the `last`.

    Args:
        starts, ends, lines, faults: filled for each row: its bytes, how many lines it has, what is wrong with it.
        cells: (rows, columns, 2) filled with the bytes of each cell, without the quotes around it.
        escapes: (rows, columns) filled with how many doubled quotes a cell has.

    Returns:
        the number of rows, and where the next one starts.

    """
    columns, row = cells.shape[1], 0
    while at < end and row < len(starts):
        start, position, state, fault = at, at, ROW, FINE
        cell, begin, doubled, feeds, first = 0, at, 0, 0, -1
        complete = False
        while position < end:
            byte = data[position]
            if byte == LINE_FEED:
                feeds += 1
                if first < 0:
                    first = position
                if state != QUOTED:
                    complete = True
                    break
            elif byte == 0:
                fault = NUL
                break
            elif state == QUOTED:
                if byte == QUOTE_MARK:
                    if position + 1 < end and data[position + 1] == QUOTE_MARK:
                        doubled += 1
                        position += 1
                    elif position + 1 < end or last:
                        state = CLOSED
                        if cell < columns:
                            cells[row, cell, 0], cells[row, cell, 1], escapes[row, cell] = begin, position, doubled
                    # else: the next block shows whether it is doubled; the row is unfinished in any case
            elif byte == delimiter and state != ENDED:
                if state != CLOSED and cell < columns:
                    cells[row, cell, 0], cells[row, cell, 1], escapes[row, cell] = begin, position, 0
                cell += 1
                begin, doubled, state = position + 1, 0, ROW
            elif byte == CARRIAGE_RETURN and delimiter != NO_DELIMITER:
                if state != CLOSED and state != ENDED and cell < columns:
                    cells[row, cell, 0], cells[row, cell, 1], escapes[row, cell] = begin, position, 0
                state = ENDED
            elif state == ENDED:
                fault = RETURN
                break
            elif state == CLOSED:
                fault = QUOTE
                break
            elif state == ROW and quoted and byte == QUOTE_MARK:
                state, begin = QUOTED, position + 1
            else:
                state = CELL
            position += 1
            if state == QUOTED and position - start > limit:
                fault = QUOTE
                break
        if not complete and fault == FINE:
            if not last:
                break
            if state == QUOTED:
                fault = QUOTE
        if fault == FINE:
            at = position + 1 if complete else end
            if state != CLOSED and state != ENDED and cell < columns:
                cells[row, cell, 0], cells[row, cell, 1], escapes[row, cell] = begin, position, 0
            stop = position
            trimmed = BLANKS if delimiter == NO_DELIMITER else RETURNS
            while stop > start and data[stop - 1] in trimmed:
                stop -= 1
            if stop == start:
                fault = BLANK
            elif stop - start > limit and feeds <= 1:
                fault = LONG
            elif delimiter != NO_DELIMITER and cell + 1 != columns:
                fault = RAGGED
        else:
            if first >= 0:  # whatever came after its first line, that one does not close its quote
                fault = QUOTE
            while first < 0 and position < end:
                if data[position] == LINE_FEED:
                    first = position
                position += 1
            if first < 0 and not last:
                break
            feeds = 1
            at = first + 1 if first >= 0 else end
            if at - start > limit:
                fault = LONG
        starts[row], ends[row], lines[row], faults[row] = start, at, max(feeds, 1), fault
        row += 1
    return row, at


@kernel
def lengths(cells, escapes, column, offsets):
    """Write where each cell of a column starts in a column of its own, int32 (rows + 1,)."""
    total = 0
    for row in range(len(cells)):
        offsets[row] = total
        total += cells[row, column, 1] - cells[row, column, 0] - escapes[row, column]
    offsets[len(cells)] = total


@kernel
def gather(data, cells, escapes, column, offsets, out):
    """Copy the cells of a column behind one another, doubled quotes as one."""
    for row in range(len(cells)):
        to, at, end = offsets[row], cells[row, column, 0], cells[row, column, 1]
        if escapes[row, column] == 0:
            for place in range(end - at):
                out[to + place] = data[at + place]
            continue
        while at < end:
            out[to] = data[at]
            at += 2 if data[at] == QUOTE_MARK else 1
            to += 1


@kernel
def fingerprints(data, offsets, out):
    """Write a 64-bit number of each text that is equal where the texts are: made of their length and both ends."""
    for row in range(len(out)):
        start, end = offsets[row], offsets[row + 1]
        value = np.uint64(1469598103934665603) ^ np.uint64(end - start)
        for place in range(start, min(start + EDGE, end)):
            value = (value ^ np.uint64(data[place])) * np.uint64(1099511628211)
        for place in range(max(end - EDGE, start), end):
            value = (value ^ np.uint64(data[place])) * np.uint64(1099511628211)
        out[row] = value ^ (value >> np.uint64(29))
