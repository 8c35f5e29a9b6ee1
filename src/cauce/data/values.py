"""What the values of a column are: numbers with a point or a comma, true and false, names, or sentences."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cauce.data.tables import Source
from cauce.errors import UnreadableData
from cauce.model.rows import MISSING_MARKS

TRUE, FALSE = ("true", "yes", "sí", "si", "verdadero", "1"), ("false", "no", "falso", "0")
POINT = r"^[+-]?((\d+|[1-9]\d{0,2}(,\d{3})+)(\.\d*)?|\.\d+)([eE][+-]?\d+)?$"  # 1234.5  1,234.5  1e-3
COMMA = r"^[+-]?(\d+|[1-9]\d{0,2}(\.\d{3})+)(,\d*)?$"  # 1234,5  1.234,5
CODE = r"^0\d"  # 08001: a post code, not a number
MOSTLY = 0.95  # of the values: a column of numbers, in which the others are faults
SHOWN = 3  # values in a message
LEAST_SPACES = 2.0  # in the mean value of a column of sentences


@dataclass(frozen=True)
class Strings:
    """A column as stripped strings, null where nothing is written."""

    name: str
    values: pa.Array

    @property
    def written(self) -> pa.Array:
        """Without those that mean that a value is missing."""
        return self.values.filter(pc.invert(self.missing))

    @property
    def missing(self) -> pa.Array:
        """(n,) boolean: null, or a mark like "NA"."""
        marks = pc.is_in(pc.utf8_lower(self.values), pa.array(MISSING_MARKS))
        return pc.or_(pc.fill_null(marks, True), self.values.is_null())

    def match(self, pattern: str) -> pa.Array:
        """(n,) boolean: whether the value has the pattern; false for null."""
        return pc.fill_null(pc.match_substring_regex(self.values, pattern), False)


def whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """A column in one piece."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def as_text(column: pa.Array) -> pa.Array:
    """Any flat column as strings; a column of whole numbers without decimals, NaN as null."""
    kind = column.type
    if pa.types.is_string(kind):
        return column
    if pa.types.is_floating(kind):
        written = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
        return (written.cast(pa.int64()) if _all_whole(written) else written).cast(pa.string())
    return column.cast(pa.string())


def strings(source: Source, name: str) -> Strings:
    """A column's values as stripped strings; an empty one is null."""
    values = pc.utf8_trim_whitespace(as_text(whole(source.table.column(name))))
    return Strings(name, pc.if_else(pc.equal(values, ""), pa.scalar(None, pa.string()), values))


def is_number(kind: pa.DataType) -> bool:
    """Whether a type is one of numbers."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def decimal_comma(column: Strings) -> bool | None:
    """Whether its numbers have a comma before their decimals; None where both readings fit, or neither does."""
    written = Strings(column.name, column.written)
    point, comma = (pc.all(written.match(pattern)).as_py() for pattern in (POINT, COMMA))
    return None if point == comma else bool(comma)


def looks_numeric(column: Strings) -> bool:
    """Most of its values are numbers, and none is a code like 08001."""
    written = Strings(column.name, column.written)
    if not len(written.values) or pc.any(written.match(CODE)).as_py():
        return False
    fitting = max(pc.sum(written.match(pattern)).as_py() for pattern in (POINT, COMMA))
    return bool(fitting >= MOSTLY * len(written.values))


def looks_boolean(column: Strings) -> bool:
    """It holds nothing but words like yes and no, sí and no, 0 and 1."""
    words = pc.utf8_lower(column.values).drop_null()
    return len(words) > 0 and bool(pc.all(pc.is_in(words, pa.array([*TRUE, *FALSE]))).as_py())


def looks_like_text(column: Strings) -> bool:
    """It holds sentences: several words in a value, most of them different."""
    values = column.values.drop_null()
    if not len(values):
        return False
    spaces = pc.mean(pc.count_substring(values, " ")).as_py()
    return bool(spaces >= LEAST_SPACES and pc.count_distinct(values).as_py() > len(values) / 2)


def numbers(source: Source, name: str, *, comma: bool) -> tuple[pa.Array, list[str]]:
    """A column as float64, null where a value is missing, and what is to be said.

    Args:
        comma: how a column is read that fits both ways, like 1.234.

    Raises:
        UnreadableData: a value that is not a number, with its line.

    """
    column = whole(source.table.column(name))
    if pa.types.is_boolean(column.type) or is_number(column.type):
        found = column.cast(pa.float64(), safe=False)  # of a large whole number, the last digits
        notes: list[str] = []
        if pa.types.is_floating(column.type):
            found = pc.if_else(pc.is_nan(found), pa.scalar(None, pa.float64()), found)
    else:
        found, notes = _parsed(source, strings(source, name), comma=comma)
    infinite = np.flatnonzero(np.isinf(found.to_numpy(zero_copy_only=False)))
    if len(infinite):
        raise UnreadableData(
            f'the number column "{name}" holds a number that is not finite',
            where=source.where(int(infinite[0])),
            hint="leave the cell empty where the value is missing",
        )
    return found, notes


def _parsed(source: Source, column: Strings, *, comma: bool) -> tuple[pa.Array, list[str]]:
    decided = decimal_comma(column)
    if decided is None and not pc.all(Strings("", column.written).match(POINT)).as_py():
        decided = pc.sum(column.match(COMMA)).as_py() > pc.sum(column.match(POINT)).as_py()  # a fault: tell the rarer
    has_comma = comma if decided is None else decided
    missing = column.missing
    wrong = pc.invert(pc.or_(column.match(COMMA if has_comma else POINT), missing))
    if faults := pc.sum(wrong).as_py():
        row = pc.index(wrong, True).as_py()
        raise UnreadableData(
            f'the number column "{column.name}" holds {column.values[row].as_py()!r} ({faults} such value(s))',
            where=source.where(row),
            hint=f"mend it, leave it empty, or name the column with --category {column.name}",
        )
    plain = pc.if_else(missing, pa.scalar(None, pa.string()), column.values)
    notes = []
    marks = Counter(column.values.filter(missing).drop_null().to_pylist())
    if marks:
        said = ", ".join(f'"{mark}" ({count})' for mark, count in marks.most_common(SHOWN))
        notes.append(f'missing in "{column.name}": {said}')
    if has_comma:
        plain = pc.replace_substring(pc.replace_substring(plain, ".", ""), ",", ".")
        if pc.any(pc.or_(column.match(","), column.match(r"\."))).as_py():
            notes.append(f'numbers of "{column.name}" have a decimal comma')
    elif pc.any(column.match(",")).as_py():
        plain = pc.replace_substring(plain, ",", "")
        notes.append(f'commas in "{column.name}" are read as thousands')
    return pc.replace_substring_regex(plain, r"^\+", "").cast(pa.float64()), notes


def booleans(source: Source, name: str) -> pa.Array:
    """A column as booleans, null where a value is missing.

    Raises:
        UnreadableData: a value that is neither true nor false, with its line.

    """
    column = whole(source.table.column(name))
    if pa.types.is_boolean(column.type):
        return column
    found = strings(source, name)
    words = pc.utf8_lower(found.values)
    true, false = (pc.fill_null(pc.is_in(words, pa.array(known)), False) for known in (TRUE, FALSE))
    wrong = pc.invert(pc.or_(pc.or_(true, false), found.missing))
    if faults := pc.sum(wrong).as_py():
        row = pc.index(wrong, True).as_py()
        raise UnreadableData(
            f'the boolean column "{name}" holds {found.values[row].as_py()!r} ({faults} such value(s))',
            where=source.where(row),
            hint=f"true and false, yes and no, sí and no, verdadero and falso, 1 and 0 are read; or --category {name}",
        )
    return pc.if_else(found.missing, pa.scalar(None, pa.bool_()), true)


def _all_whole(numbers: pa.Array) -> bool:
    values = numbers.drop_null().to_numpy()
    return bool(np.all(np.isfinite(values) & (np.floor(values) == values) & (np.abs(values) < 2**53)))
