from __future__ import annotations

import pyarrow as pa
import pytest

from cauce.batch.filters import Condition
from cauce.errors import BadCondition, ColumnMissing

TABLE = pa.table(
    {
        "n": pa.array([1, 2, None, 4]),
        "x": pa.array([0.5, 1.5, 2.5, None]),
        "text": pa.array(["a", "10", "b c", None]),
        "yes": pa.array([True, False, None, True]),
        "odd name": pa.array(["p", "q", "r", "s"]),
        "day": pa.array([0, 1, 2, 3], pa.int32()).cast(pa.date32()),
    }
)


@pytest.mark.parametrize(
    ("written", "rows"),
    [
        ("n > 1", [1, 3]),
        ("1 < n", [1, 3]),
        ("n = 1 or n == 4", [0, 3]),
        ("n != 1", [1, 3]),
        ("0 < x < 2", [0, 1]),
        ("n >= 1.5", [1, 3]),
        ("text in ('a', 'b c')", [0, 2]),
        ("text NOT IN ('a', 'b c')", [1]),
        ("text = 10", [1]),
        ("text > 9.5", [1]),
        ("n in (1, 4) AND NOT yes = false", [0, 3]),
        ("yes", [0, 3]),
        ("not yes", [1]),
        ("n is null", [2]),
        ("x IS NOT NULL and n is not null", [0, 1]),
        ("col('odd name') = 'q'", [1]),
        ("day >= '1970-01-03'", [2, 3]),
        ("text = 'a = b or n'", []),
    ],
)
def test_a_condition_takes_the_rows_that_it_says(written: str, rows: list[int]) -> None:
    condition = Condition(written).expression(TABLE.schema)
    table = TABLE.append_column("row", pa.array(range(4)))
    assert table.filter(condition)["row"].to_pylist() == rows


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("n >", "not a condition"),
        ("", "not a condition"),
        ("n", "neither true nor false"),
        ("n + 1 > 2", "not a column"),
        ("print('x')", 'no column "print"'),
        ("n > print", "no column"),
        ("n > abs(2)", "no column|not a value"),
        ("n.real > 1", "not a column"),
        ("n = 'one'", "holds int64, it is never 'one'"),
        ("day = 'monday'", "holds date32"),
        ("text is 'a'", "null alone"),
        ("n in 3", "not a list"),
        ("n in ()", "is empty"),
        ("n > null", "null is compared"),
        ("n = text", "n is int64, text is string"),
        ("(" * 3000 + "n" + ")" * 3000, "not a condition"),
        ("not " * 5000 + "yes", "not a condition"),
    ],
)
def test_what_is_no_condition_is_told(written: str, said: str) -> None:
    with pytest.raises((BadCondition, ColumnMissing), match=said) as wrong:
        Condition(written).expression(TABLE.schema)
    assert wrong.value.hint


def test_a_column_that_is_not_there_is_told_with_the_nearest() -> None:
    with pytest.raises(ColumnMissing) as wrong:
        Condition("textt = 'a'").expression(TABLE.schema)
    assert wrong.value.hint == 'did you mean "text"?'
