from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cauce.batch import blocks, kernels
from cauce.batch.blocks import Shape, scan
from cauce.batch.text_files import Delimited

CELL = st.text(st.sampled_from(["a", "ñ", '"', ",", "\n", "\r", " ", "\t"]), max_size=6)


def rows_of(raw: bytes, shape: Shape, start: int = 0) -> list[tuple[int, list[str]]]:
    found = []
    for block in scan(io.BytesIO(raw), start, len(raw), shape):
        for row, fault in enumerate(block.faults):
            cells = [block.column(place, np.array([row]))[0].as_py() for place in range(shape.columns)] if not fault else []
            found.append((int(fault), cells))
    return found


@pytest.mark.parametrize("size", [1, 2, 3, 5, 16, 1 << 20])
@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=6),
    ending=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_rows_are_those_of_the_csv_module_for_blocks_of_any_size(
    size: int, rows: list[tuple[str, str]], ending: str, quoting: Literal[0, 1]
) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=ending, quoting=quoting).writerows(rows)
    raw = text.getvalue().encode()
    try:
        expected = [row for row in csv.reader(io.StringIO(text.getvalue(), newline="\n"), strict=True) if row]
    except csv.Error:  # the writer leaves a lone carriage return without quotes
        return
    before = blocks.BLOCK
    blocks.BLOCK = size
    try:
        found = [cells for fault, cells in rows_of(raw, Shape(ord(","), True, 2, 10_000)) if fault != kernels.BLANK]
    finally:
        blocks.BLOCK = before
    assert found == expected


@pytest.mark.parametrize("size", [4, 1 << 20])
@pytest.mark.parametrize(
    ("raw", "faults"),
    [
        (b'a,b\n"x"y,1\nc,d\n', [kernels.FINE, kernels.QUOTE, kernels.FINE]),
        (b'a,b\nx,"open\nc,d\n', [kernels.FINE, kernels.QUOTE, kernels.FINE]),
        (b'a,b\nx,"open\nc,"d"\ne,f\n', [kernels.FINE, kernels.QUOTE, kernels.FINE, kernels.FINE]),
        (b"a,b\n1,2,3\n4\nc,d", [kernels.FINE, kernels.RAGGED, kernels.RAGGED, kernels.FINE]),
        (b"a,b\nx\ry,z\nc,d\n", [kernels.FINE, kernels.RETURN, kernels.FINE]),
        (b"a,b\nx\0,z\nc,d\n", [kernels.FINE, kernels.NUL, kernels.FINE]),
        (b"a,b\n\n\r\nc,d\n", [kernels.FINE, kernels.BLANK, kernels.BLANK, kernels.FINE]),
        (b"a,b\n" + b"x" * 90 + b",1\nc,d\n", [kernels.FINE, kernels.LONG, kernels.FINE]),
        (b"a,b\n" + b"x" * 90, [kernels.FINE, kernels.LONG]),
    ],
)
def test_a_row_that_cannot_be_read_touches_no_neighbor(
    raw: bytes, faults: list[int], size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK", size)
    assert [fault for fault, _ in rows_of(raw, Shape(ord(","), True, 2, 50))] == faults


@settings(deadline=None, max_examples=100)
@example(raw=b'x,y\n""",\n"\r"')
@given(raw=st.binary(max_size=60).map(lambda raw: b"x,y\n" + raw.translate(bytes(b'",\na\r\n",b'[i % 9] for i in range(256)))))
def test_spans_have_the_rows_of_the_whole_file(raw: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("spans") / "a.csv"
    path.write_bytes(raw)
    reader = Delimited(path, ".csv", "a.csv")
    (whole,) = list(reader.spans(1000)) or [None]
    pieces = list(reader.spans(5))
    if whole is None:
        assert not pieces
        return

    def told(span):
        for window in reader.windows(span, ["x", "y"], None):
            yield from (
                (int(n), int(at), *row.values())
                for n, at, row in zip(window.numbers, window.lines, window.rows.to_pylist(), strict=True)
            )
            # what else is wrong with a broken row may lie behind the end of a span: the reason may be another
            yield from ((letter.row, letter.line, letter.raw) for letter in window.dead)

    assert sorted(map(str, told(whole))) == sorted(str(row) for span in pieces for row in told(span))
    assert sum(span.rows for span in pieces) == whole.rows


def test_a_line_of_any_length_takes_the_memory_of_a_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK", 1000)
    path = tmp_path / "long.csv"
    path.write_bytes(b"a\n1\n" + b"x" * 1_000_000 + b"\n2\n")
    with path.open("rb") as file:
        found = list(scan(file, 2, path.stat().st_size, Shape(ord(","), True, 1, 5000)))
    assert max(len(block.data) for block in found) < 10_000
    assert [int(fault) for block in found for fault in block.faults] == [kernels.FINE, kernels.LONG, kernels.FINE]
