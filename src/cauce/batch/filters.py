"""Conditions on rows, like `score > 0.8 and label = 'negative'`, to Arrow expressions. Nothing in them is ever run as code."""

from __future__ import annotations

import ast
import functools
import io
import operator
import tokenize
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cauce.errors import BadCondition, ColumnMissing, nearest

EXAMPLE = "for example: score > 0.8 and label in ('negative', 'neutral')"
NUMBER = r"^\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*$"
WORDS = {"and": "and", "or": "or", "not": "not", "in": "in", "is": "is", "null": "None", "true": "True", "false": "False"}
COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


class Condition:
    """A condition as it was written: comparisons (`=` is read as `==`), `in`, `is null`, `and`, `or`, `not`.

    A column whose name is no word is written `col("its name")`.

    Raises:
        BadCondition: it is not one.

    """

    def __init__(self, written: str) -> None:
        self.written = written
        try:
            self._tree = ast.parse(_as_python(written), mode="eval").body
        except (SyntaxError, ValueError, tokenize.TokenError, RecursionError, MemoryError):
            raise BadCondition(f"not a condition: {written}", hint=EXAMPLE) from None
        self.columns = tuple(dict.fromkeys(self._columns(self._tree)))

    def expression(self, schema: pa.Schema) -> pc.Expression:
        """The condition on rows of this schema; null where a value that it compares is null.

        Text that is compared with a number is read as a number, null where it is none.

        Raises:
            ColumnMissing: a column that is not there.
            BadCondition: a value that does not fit its column, or something else than a condition.

        """
        for name in self.columns:
            if name not in schema.names:
                known = ", ".join(schema.names)
                raise ColumnMissing(
                    f'there is no column "{name}"',
                    where=self.written,
                    hint=nearest(name, schema.names) or f"the columns are: {known}; a text stands between quotes",
                )
        try:
            return self._truth(self._tree, schema)
        except RecursionError:
            raise self._wrong("too deep") from None

    def _columns(self, tree: ast.AST) -> list[str]:
        return [name for node in ast.walk(tree) if (name := self._column(node)) is not None]

    def _column(self, node: ast.AST) -> str | None:
        """The name of a column, of `name` or `col("name")`."""
        if isinstance(node, ast.Name):
            return None if node.id == "col" else node.id
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "col" and not node.keywords:
            match node.args:
                case [ast.Constant(value=str(name))]:
                    return name
        return None

    def _truth(self, node: ast.expr, schema: pa.Schema) -> pc.Expression:
        match node:
            case ast.BoolOp(op=ast.And()):
                return functools.reduce(operator.and_, [self._truth(part, schema) for part in node.values])
            case ast.BoolOp(op=ast.Or()):
                return functools.reduce(operator.or_, [self._truth(part, schema) for part in node.values])
            case ast.UnaryOp(op=ast.Not()):
                return ~self._truth(node.operand, schema)
            case ast.Compare():
                sides = [node.left, *node.comparators]
                parts = [self._comparison(sides[place], kind, sides[place + 1], schema) for place, kind in enumerate(node.ops)]
                return functools.reduce(operator.and_, parts)
        name = self._column(node)
        if name is not None and pa.types.is_boolean(schema.field(name).type):
            return pc.field(name)
        raise self._wrong(ast.unparse(node) + " is neither true nor false")

    def _comparison(self, left: ast.expr, kind: ast.cmpop, right: ast.expr, schema: pa.Schema) -> pc.Expression:
        name, other = self._column(left), self._column(right)
        if name is not None and other is not None and type(kind) in COMPARE:
            if schema.field(name).type != schema.field(other).type:
                raise self._wrong(f"{name} is {schema.field(name).type}, {other} is {schema.field(other).type}")
            return COMPARE[type(kind)](pc.field(name), pc.field(other))
        if name is None and other is not None and type(kind) in COMPARE:
            swapped = {ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt, ast.GtE: ast.LtE}.get(type(kind), type(kind))
            return self._comparison(right, swapped(), left, schema)
        if name is None:
            raise self._wrong(f"{ast.unparse(left)} is not a column")
        column = schema.field(name).type
        if isinstance(kind, ast.In | ast.NotIn):
            if not isinstance(right, ast.Tuple | ast.List | ast.Set):
                raise self._wrong(f"{ast.unparse(right)} is not a list of values")
            values = [self._value(entry) for entry in right.elts]
            field = self._field(name, column, values)
            found = functools.reduce(operator.or_, [field == self._fitting(name, column, one) for one in values])
            return ~found if isinstance(kind, ast.NotIn) else found
        value = self._value(right)
        if value is None:
            if not isinstance(kind, ast.Is | ast.IsNot | ast.Eq | ast.NotEq):
                raise self._wrong("null is compared with `is` or `is not`")
            return ~pc.field(name).is_null() if isinstance(kind, ast.IsNot | ast.NotEq) else pc.field(name).is_null()
        if type(kind) not in COMPARE:
            raise self._wrong("`is` goes with null alone")
        return COMPARE[type(kind)](self._field(name, column, [value]), self._fitting(name, column, value))

    def _value(self, node: ast.expr) -> Any:
        """A literal: text, number, true, false or null."""
        try:
            value = ast.literal_eval(node)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            raise self._wrong(f"{ast.unparse(node)} is not a value; a text stands between quotes") from None
        if value is not None and not isinstance(value, str | bool | int | float):
            raise self._wrong(f"{ast.unparse(node)} is not a text or a number")
        return value

    def _field(self, name: str, column: pa.DataType, values: list[Any]) -> pc.Expression:
        """The column as it is compared with these values: text as a number where they are numbers."""
        if not values:
            raise self._wrong("the list of values is empty")
        if _is_text(column) and all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
            text = pc.field(name).cast(pa.string())
            numeric = pc.match_substring_regex(text, NUMBER)
            return pc.utf8_trim_whitespace(pc.if_else(numeric, text, pa.scalar(None, pa.string()))).cast(pa.float64())
        return pc.field(name)

    def _fitting(self, name: str, column: pa.DataType, value: Any) -> pa.Scalar:
        """A value in the type of its column."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if _is_text(column) and number:
            return pa.scalar(float(value))
        if pa.types.is_integer(column) and isinstance(value, float):
            return pa.scalar(value)  # compared as numbers
        fits = (
            (_is_text(column) and isinstance(value, str))
            or (number and (pa.types.is_integer(column) or pa.types.is_floating(column) or pa.types.is_decimal(column)))
            or (pa.types.is_boolean(column) and isinstance(value, bool))
            or (pa.types.is_temporal(column) and isinstance(value, str))
        )
        try:
            if not fits:
                raise ValueError
            return pa.scalar(value).cast(column if not _is_text(column) else pa.string())
        except (pa.ArrowException, ValueError):
            raise self._wrong(f"the column {name} holds {column}, it is never {value!r}") from None

    def _wrong(self, reason: str) -> BadCondition:
        return BadCondition(f"not a condition: {reason}", where=self.written, hint=EXAMPLE)


def _is_text(column: pa.DataType) -> bool:
    if pa.types.is_dictionary(column):
        return _is_text(column.value_type)
    return bool(pa.types.is_string(column) or pa.types.is_large_string(column) or pa.types.is_string_view(column))


def _as_python(written: str) -> str:
    """The condition with SQL's signs and words as Python's."""
    tokens = []
    for token in tokenize.generate_tokens(io.StringIO(written.strip()).readline):
        text = token.string
        if token.type == tokenize.OP and text == "=":
            text = "=="
        elif token.type == tokenize.NAME:
            text = WORDS.get(text.lower(), text)
        tokens.append((token.type, text))
    return tokenize.untokenize(tokens).strip()
