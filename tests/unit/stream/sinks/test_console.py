"""What people see of results: numbers that are right, and texts of strangers that do nothing."""

from __future__ import annotations

import io
import re
from typing import Any

import orjson
import pyarrow as pa
import pytest
from rich.console import Console

from cauce.stream import schemes
from cauce.stream.records import Records
from cauce.stream.sinks import console
from cauce.stream.sinks.screen import LONGEST, MOST_LABELS, Screen

HOSTILE = "[bold red]x[/] \x1b[2J\x1b]0;pwned\x07 \x9b31m a\tb\nc \u202egnirts \u2028 :smile:"
SHOWN = "[bold red]x[/] ␛[2J␛]0;pwned␇ ‹U+009B›31m a␉b␊c ‹U+202E›gnirts ‹U+2028› :smile:"
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")  # those that rich itself writes


def records(*documents: dict[str, Any]) -> Records:
    keys = [f"{n:032x}" for n in range(len(documents))]
    return Records(pa.array(keys, pa.string()), pa.array(list(map(orjson.dumps, documents)), pa.large_binary()))


def seen(*documents: dict[str, Any], width: int = 100, last: int = 10) -> str:
    """What is on a terminal in the end."""
    file = io.StringIO()
    able = {"TERM": "xterm"}  # whatever terminal the tests have
    terminal = Console(file=file, force_terminal=True, width=width, height=60, color_system=None, _environ=able)
    sink = console.Shown(Screen(terminal, last))
    for one in documents:
        sink.write(records(one))
    sink.flush()
    sink.close()
    written = file.getvalue()
    assert written.rstrip().endswith("\x1b[?25h")  # the cursor is there again
    return ESCAPES.sub("", written.rpartition("messages, ")[2])


def test_the_last_results_and_the_labels_are_shown() -> None:
    shown = seen(
        *({"id": n, "text": f"número {n}", "label": "good" if n % 4 else "bad", "score": 0.91234} for n in range(20)), last=3
    )
    assert re.findall(r"número \d+", shown) == ["número 19", "número 18", "número 17"]
    assert re.search(r"good +15 +75.0% █+ *\n", shown)
    assert re.search(r"bad +5 +25.0% █+ *\n", shown)
    assert "0.912" in shown


def test_a_text_of_a_stranger_is_neither_markup_nor_obeyed() -> None:
    assert seen({"text": HOSTILE, "label": HOSTILE}, width=300).count(SHOWN) == 3  # counted, and twice in its row
    file = io.StringIO()
    plain = console.Plain(file)
    plain.write(records({"text": HOSTILE, "label": "good", "score": 1}))
    plain.flush()
    assert file.getvalue().split("\t")[1:] == ["good", "1.000", f"{SHOWN}\n"]


def test_a_long_text_is_cut_to_the_terminal_and_never_wraps() -> None:
    shown = seen({"text": "ñandú " * 100_000, "label": "good", "score": 0.5}, width=60)
    (line,) = [one for one in shown.splitlines() if "ñandú" in one]
    assert len(line) <= 60
    assert line.endswith("…")
    file = io.StringIO()
    console.Plain(file).write(records({"text": "x" * 1_000_000, "label": "good"}))
    assert len(file.getvalue()) < LONGEST + 50


@pytest.mark.parametrize(
    ("document", "parts"),
    [
        ({"text": None, "op": "delete", "id": "a", "label": None}, ["(withdrawn)"]),
        ({"text": "two", "labels": ["late", "broken"], "label": "late", "score": 0.7}, ["late, broken", "0.700"]),
        ({"text": "three", "labels": [], "label": "late", "score": 0.2}, ["three", "0.200"]),
        ({"text": "four", "label": None, "score": 12.5}, ["12.500", "four"]),
        ({"age": 3, "job": "admin", "label": "yes", "key": "k"}, ["yes", '{"age":3,"job":"admin"}']),
        ({"text": 3, "label": 4, "score": "much"}, ['"text":3']),
    ],
)
def test_every_kind_of_result_has_a_line(document: dict[str, Any], parts: list[str]) -> None:
    shown = seen(document)
    assert [part for part in parts if part not in shown] == []


def test_labels_without_end_need_no_memory_without_end() -> None:
    file = io.StringIO()
    screen = Screen(Console(file=file, force_terminal=True, width=100, height=100), 5)
    screen.add({"text": "x", "label": f"label {n}"} for n in range(10_000))
    screen.close()
    assert len(screen._labels) == MOST_LABELS + 1
    assert f"{10_000 - MOST_LABELS:,}" in file.getvalue()
    assert len(screen._rows) == 5


def test_what_cannot_be_shown_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    scheme = console.SCHEME
    assert scheme.sink is not None
    for address, said in (("console:?last=0", "0 results"), ("console:?last=2.5", "2.5"), ("console:?last=x", "no number")):
        with pytest.raises(Exception, match=said):
            scheme.sink(schemes.read(address, written=True), None)  # type: ignore[arg-type]
    scheme.sink(schemes.read("console:", written=True), None).write(records({"text": "a", "label": "b"}))  # type: ignore[arg-type]
    assert capsys.readouterr().out.endswith("b\t\ta\n")
