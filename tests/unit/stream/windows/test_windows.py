"""Counts by label, term and window: none is lost or depends on the order; a database adds workers up."""

from __future__ import annotations

import itertools
import json
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import sqlalchemy as sa
from brokers import own_postgres, schema
from hypothesis import given
from hypothesis import strategies as st

import cauce
from cauce.errors import BrokerGone, InputError
from cauce.model.model import Model, echo_model
from cauce.stream.deliveries import Deliveries
from cauce.stream.key import keys_of
from cauce.stream.messages import read as read_messages
from cauce.stream.messages import text_key
from cauce.stream.patience import Patience
from cauce.stream.results import Results
from cauce.stream.sinks.database import Database
from cauce.stream.windows.ledger import Ledger
from cauce.stream.windows.moments import moments
from cauce.stream.windows.outbox import Message, Outbox
from cauce.stream.windows.tally import Cell, Tally
from cauce.stream.windows.terms import pattern
from cauce.stream.windows.windows import Windows

MANY, FEW = "aaaa", "x"  # what the echo model calls many_a and few_a
NOON = 1_700_000_040 // 60  # a minute, counted since 1970
Counts = dict[tuple[int, str, str], tuple[int, int]]


def results(documents: Sequence[dict[str, Any]], received: float | None = None, model: Model | None = None) -> Results:
    """What a worker would hand on; received when they were made, where nothing else is said."""
    model = model or echo_model()
    when = [float(one.get("created_at", 0)) if received is None else received for one in documents]
    data, places = [json.dumps(one).encode() for one in documents], [str(n) for n in range(len(documents))]
    deliveries = Deliveries.of("raw", data, places, received=when)
    messages = read_messages(deliveries.data, 1_000_000, text_key(model.manifest.inputs))
    name = text_key(model.manifest.inputs)
    rows: Any = pa.RecordBatch.from_arrays([messages.texts], [name]) if name else [orjson.loads(one) for one in data]
    keys = keys_of("raw", deliveries.places, messages)
    return Results(model, deliveries, messages, keys, model.predict(rows), np.arange(len(data)))


def at(minute: float, text: str = MANY, **other: Any) -> dict[str, Any]:
    return {"id": 1, "text": text, "created_at": (NOON + minute) * 60, **other}


def tallied(*batches: Sequence[dict[str, Any]], tally: Tally | None = None, **options: Any) -> Counts:
    """Counted and late, by minute from noon, term and label."""
    tally, found = tally or Tally(60, 30, ()), Counter[tuple[Any, int]]()
    for batch in batches:
        some = results(batch, **options)
        for cell, count, late in tally.add(some, some.deliveries.received):
            found.update({(cell, 0): count, (cell, 1): late})
    return {
        (cell.window - NOON, cell.term, cell.label): (found[cell, 0], found[cell, 1])
        for cell in sorted({one for one, _ in found})
    }


def test_results_are_counted_by_label_and_minute() -> None:
    assert tallied([at(0), at(0.5, FEW), at(0.99), at(1)]) == {
        (0, "", ""): (3, 0),
        (0, "", "few_a"): (1, 0),
        (0, "", "many_a"): (2, 0),
        (1, "", ""): (1, 0),
        (1, "", "many_a"): (1, 0),
    }


def test_a_term_counts_the_texts_that_hold_it() -> None:
    texts = ["el Servicio al\u00a0cliente, fatal", "aaaa CAFÉ aaaa", "cafetería", "el servicio del té y el café es bueno", MANY]
    found = tallied([at(0, text) for text in texts], tally=Tally(60, 30, ("servicio al cliente", "café", "nada")))
    assert {cell: count for cell, (count, _) in found.items() if not cell[2]} == {
        (0, "", ""): 5,
        (0, "café", ""): 2,
        (0, "servicio al cliente", ""): 1,
    }
    assert found[0, "café", "many_a"] == (1, 0)


def test_what_comes_too_late_is_counted_as_late_where_the_newest_is() -> None:
    in_time = [at(0), at(1.4), at(0.9)]  # the first minute ends at 1 and is open until 1.5
    assert tallied(in_time)[0, "", ""] == (2, 0)
    found = tallied([*in_time, at(1.5), at(0.9)])
    assert (found[0, "", ""], found[1, "", ""], found[1, "", "many_a"]) == ((2, 0), (2, 1), (2, 1))


jitters = st.lists(st.tuples(st.floats(0, 9), st.floats(0, 0.499), st.sampled_from((MANY, FEW))), min_size=1, max_size=30)
cuts = st.sets(st.integers(1, 29), max_size=4)


def cut(rows: list[Any], places: set[int]) -> list[list[Any]]:
    ends = [0, *sorted(one for one in places if one < len(rows)), len(rows)]
    return [rows[start:end] for start, end in itertools.pairwise(ends)]


@given(jitters, cuts)
def test_any_order_within_the_lateness_gives_the_same_counts(rows: list[tuple[float, float, str]], places: set[int]) -> None:
    ordered = [at(minute, text) for minute, _, text in sorted(rows)]
    late = [at(minute, text) for minute, _, text in sorted(rows, key=lambda one: one[0] + one[1])]
    expected = tallied(ordered)
    assert all(late == 0 for _, late in expected.values())
    assert tallied(*cut(late, places)) == expected


@given(jitters, cuts, st.randoms(use_true_random=False))
def test_no_result_is_lost_in_any_order_and_batches_make_no_difference(rows: list[Any], places: set[int], random: Any) -> None:
    random.shuffle(rows)
    documents = [at(minute, text) for minute, _, text in rows]
    found = tallied(*cut(documents, places))
    assert found == tallied(documents)
    assert sum(count + late for (_, _, label), (count, late) in found.items() if not label) == len(rows)
    assert sum(count + late for (_, _, label), (count, late) in found.items() if label) == len(rows)


def test_a_clock_that_is_ahead_makes_nobody_late() -> None:
    ahead = at(60 * 24 * 365)
    assert tallied([at(0), ahead, at(0.1)], received=(NOON + 0.2) * 60) == {(0, "", ""): (3, 0), (0, "", "many_a"): (3, 0)}
    # Nor does a broker that believes it, or whose own clock is ahead.
    future = time.time() + 1e6
    found = tallied([{"id": 1, "text": MANY, "created_at": future}, {"id": 2, "text": MANY}], received=future)
    now = int(time.time() // 60) - NOON
    assert {window for window, _, _ in found} <= {now - 1, now}


def test_a_message_without_a_time_counts_when_it_was_received() -> None:
    documents = [{"text": MANY}, {"text": MANY, "created_at": "ayer"}, {"text": MANY, "created_at": "2023-02-31T00:00:00Z"}]
    assert tallied(documents, received=NOON * 60)[0, "", ""] == (3, 0)


def test_an_edit_is_an_event_more_and_a_deletion_takes_nothing_away() -> None:
    edit, deletion = at(0, FEW, rev=1), {"id": 1, "op": "delete", "rev": 2, "created_at": (NOON + 5) * 60}
    found = tallied([at(0), edit, deletion], [at(0)])
    assert found == {(0, "", ""): (3, 0), (0, "", "few_a"): (1, 0), (0, "", "many_a"): (2, 0)}


def test_a_result_with_several_labels_counts_for_each_and_once_in_all(task_folders: dict[str, Path]) -> None:
    model = cauce.load(task_folders["multilabel"])
    documents = [
        {"title": "malo", "body": body, "color": "verde", "created_at": NOON * 60} for body in ("llegó tarde", "pronto")
    ]
    some = results(documents, model=model)
    expected = Counter(label for one in some.predictions for label in one.labels or ())
    found = tallied(documents, model=model)
    assert found.pop((0, "", "")) == (2, 0)
    assert {label: count for (_, _, label), (count, _) in found.items()} == expected
    assert expected.total() > 2


def test_a_regression_is_counted_without_labels(task_folders: dict[str, Path]) -> None:
    model = cauce.load(task_folders["regression"])
    documents = [{"title": "malo", "color": "rojo", "size": 1.5, "paid": "yes", "created_at": NOON * 60}]
    assert tallied(documents, model=model) == {(0, "", ""): (1, 0)}


TIMES = {
    "2023-11-14T22:14:00Z": 1_700_000_040,
    "2023-11-14T22:14:00.250Z": 1_700_000_040.25,
    "2023-11-14 23:14:00.123456789+01:00": 1_700_000_040.123457,
    "2023-11-14T22:14": 1_700_000_040,
    "2023-11-14T19:14:00-0300": 1_700_000_040,
    "2023-11-14": 1_699_920_000,
    "2024-02-29T00:00:00Z": 1_709_164_800,
    "Tue Nov 14 22:14:00 +0000 2023": 1_700_000_040,
    "1700000040": 1_700_000_040,
    "1700000040.5": 1_700_000_040.5,
    "1700000040250": 1_700_000_040.25,
    "1700000040250000": 1_700_000_040.25,
    "1.70000004e9": 1_700_000_040,
    **dict.fromkeys(("2023-02-29T00:00:00Z", "2023-11-14T25:00:00Z", "-1", "NaN", "1e300", "1969-12-31", "", "ayer", "9" * 99)),
    "Foo Nov 14 22:14:00 +0000 2023": None,
}


@pytest.mark.parametrize("written", TIMES)
def test_times_are_read_in_the_ways_in_which_they_are_written(written: str) -> None:
    expected = np.nan if TIMES[written] is None else TIMES[written]
    assert moments(pa.array([written])) == pytest.approx(expected, abs=1e-6, nan_ok=True)
    others = moments(pa.array(["2023-11-14T22:14:00Z", None, written, "1700000040"]))
    assert others == pytest.approx([1_700_000_040, np.nan, expected, 1_700_000_040], abs=1e-6, nan_ok=True)


@pytest.mark.parametrize(
    ("term", "text", "there"),
    [
        ("cauce", "El CAUCE.", True),
        ("cauce", "#cauce!", True),
        ("cauce", "😀cauce😀", True),
        ("cauce", "encauce", False),
        ("cauce", "cauces", False),
        ("cauce", "mi_cauce", False),
        ("cauce", "cauceé", False),
        ("el niño", "EL\n NIN\u0303O", True),
        ("nino", "niño", True),
        ("niño", "nino", True),
        ("C++", "uso c++ y", True),
        ("a.b", "axb", False),
        ("#vuelta", "la #Vuelta", True),
        ("#vuelta", "x#vuelta", True),
        ("ΟΔΟΣ", "οδος", True),
        ("привет", "ПРИВЕТ!", True),
        ("سلام", "سلام، عليكم", True),
        ("服务", "很差的服务态度", True),
        ("😀", "a😀b", True),
    ],
)
def test_a_term_is_found_between_words_whatever_its_case_and_accents(term: str, text: str, there: bool) -> None:
    assert pc.match_substring_regex(pa.array([text]), pattern(term))[0].as_py() is there


@pytest.mark.parametrize("term", ["", "  ", "x" * 300])
def test_a_term_that_is_none_is_refused(term: str) -> None:
    with pytest.raises(InputError, match="is no term"):
        pattern(term)


class Place:
    """A database that a test may look into."""

    def __init__(self, url: str, options: dict[str, str]) -> None:
        self.url, self.options = url, options

    def database(self, seconds: float = 5.0) -> Database:
        return Database(self.url, self.options, Patience(seconds, lambda line: None, threading.Event()))

    def ledger(self, stream: str = "cafe", seconds: float = 5.0) -> Ledger:
        return Ledger(self.database(seconds), stream, 60)

    def windows(self, stream: str = "cafe", **options: Any) -> Windows:
        return Windows(Tally(60, 30, ("café",)), self.ledger(stream), **options)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        database = self.database()
        try:
            return [tuple(one) for one in database(lambda connection: connection.execute(sa.text(query)).all())]
        finally:
            database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "sqlite":
        yield Place(f"sqlite:///{tmp_path}/windows.db", {})
        return
    with schema() as name:
        yield Place("postgresql://postgres@127.0.0.1:5432/test", {"options": f"-csearch_path={name}"})


def seen(windows: Windows, *documents: dict[str, Any]) -> Windows:
    some = results(documents)
    windows.see(some, some.deliveries.received)
    return windows


def test_what_a_worker_could_not_send_any_more_is_another_s_and_nobody_else_s(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cauce.stream.windows.ledger.LEFT", timedelta(seconds=0.3))
    dead, heir, other = place.ledger(), place.ledger(), place.ledger("te")
    message = Message(b"{}", "a")
    assert [one.turn("rule", NOON, message, firing=True) for one in (dead, heir)] == [True, False]
    assert heir.left([]) == []  # it has just been held
    for _ in range(3):
        time.sleep(0.2)
        dead.left(["a"])
    assert heir.left([]) == []
    time.sleep(0.4)
    assert (other.left([]), heir.left([]), heir.left([])) == ([], [message], [])
    heir.forget(["a"])
    time.sleep(0.4)
    assert heir.left([]) == []
    for one in (dead, heir, other):
        one.close()


class Refusing:
    """A receiver that takes nothing for a while."""

    def __init__(self, times: int) -> None:
        self.times, self.taken = times, list[str]()

    def send(self, body: bytes, message_id: str) -> None:
        self.times -= 1
        if self.times >= 0:
            raise BrokerGone("https://example.test answers 503")
        self.taken.append(message_id)

    def close(self) -> None:
        pass


def test_an_alert_that_its_worker_left_unsent_is_sent_by_the_next(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cauce.stream.windows.ledger.LEFT", timedelta(seconds=0.3))
    monkeypatch.setattr("cauce.stream.windows.windows.LOOK", 0.5)
    dead = place.ledger()
    dead.turn("rule", NOON, Message(b"{}", "a"), firing=True)
    dead.close()
    hook = Refusing(2)
    outbox = Outbox(hook, lambda line: None)
    heir = place.windows(outbox=outbox)
    end = time.monotonic() + 20
    while not hook.taken and time.monotonic() < end:
        time.sleep(0.05)
    heir.close()
    assert (hook.taken, outbox.sent, outbox.failed) == (["a"], 1, 2)
    assert place.rows("select * from window_messages") == []


def test_the_database_adds_workers_and_restarts_up(place: Place) -> None:
    seen(place.windows(), at(0), at(0, FEW), at(0, "aaaa café aaaa")).close()
    first, second = place.windows(), place.windows()
    seen(first, at(0), at(1)).turn()
    seen(second, at(0))
    seen(first, at(1), at(3), at(0)).close()  # the last one is late
    second.turn()
    second.turn()
    second.close()
    totals = place.rows("select start, term, label, count, late from window_totals where stream = 'cafe' order by 1, 2, 3")
    noon = datetime.fromtimestamp(NOON * 60, UTC).isoformat()[:16].replace("T", " ")
    assert [(str(start)[:16] == noon, *other) for start, *other in totals] == [
        (True, "", "", 5, 0),
        (True, "", "few_a", 1, 0),
        (True, "", "many_a", 4, 0),
        (True, "café", "", 1, 0),
        (True, "café", "many_a", 1, 0),
        (False, "", "", 2, 0),
        (False, "", "many_a", 2, 0),
        (False, "", "", 1, 1),
        (False, "", "many_a", 1, 1),
    ]
    ledger, other = place.ledger(), place.ledger("te")
    assert ledger.counts(NOON + 1) == {
        Cell(NOON + minute, "", label): count for minute, count in ((1, 2), (3, 1)) for label in ("", "many_a")
    }
    assert other.counts(0) == {}
    ledger.close()
    other.close()


def test_a_write_that_is_repeated_changes_nothing(place: Place) -> None:
    ledger, rows = place.ledger(), {Cell(NOON, "", ""): (7, 1)}
    ledger.write(rows)
    ledger.write(rows)
    ledger.write({Cell(NOON, "", ""): (9, 2)})
    ledger.close()
    assert place.rows("select count, late from windows") == [(9, 2)]


def test_many_workers_may_begin_at_once(place: Place) -> None:
    begun = [threading.Thread(target=lambda: seen(place.windows(), at(0)).close()) for _ in range(6)]
    for one in begun:
        one.start()
    for one in begun:
        one.join()
    assert place.rows("select sum(count) from window_totals where label = ''") == [(6,)]


@contextmanager
def without_table(path: Path) -> Iterator[None]:
    """The database does not take counts meanwhile."""
    with closing(sqlite3.connect(path)) as own:
        own.execute("alter table windows rename to away")
        yield
        own.execute("alter table away rename to windows")


def test_counts_wait_for_a_database_that_takes_none_and_are_not_doubled(tmp_path: Path) -> None:
    place, told = Place(f"sqlite:///{tmp_path}/windows.db", {}), list[str]()
    windows = seen(place.windows(tell=told.append), at(0), at(1))
    windows.turn()
    with without_table(tmp_path / "windows.db"):
        seen(windows, at(1), at(2))
        with pytest.raises(InputError):
            windows.turn()
    seen(windows, at(2)).close()
    assert place.rows("select count from window_totals where label = '' order by start") == [(1,), (2,), (2,)]


def test_a_server_that_goes_away_and_comes_back_has_each_count_once() -> None:
    with own_postgres() as server:
        server.start()
        place, told = Place(f"postgresql://postgres:se%2Fcret@127.0.0.1:{server.port}/postgres", {}), list[str]()
        windows = Windows(Tally(60, 30, ()), place.ledger(seconds=60), tell=told.append)
        seen(windows, at(0), at(1)).turn()
        server.stop()
        writing = threading.Thread(target=seen(windows, at(1), at(2)).turn)
        writing.start()
        seen(windows, at(2))  # nobody waits for it
        server.start()
        writing.join()
        windows.close()
        found = place.rows("select count from window_totals where label = '' order by start")
        server.stop()
    assert (found, told) == ([(1,), (2,), (2,)], [])


def test_a_worker_waits_where_too_many_windows_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cauce.stream.windows.windows.MOST", 5)
    monkeypatch.setattr("cauce.stream.windows.windows.EVERY", 1e6)
    place = Place(f"sqlite:///{tmp_path}/windows.db", {})
    windows = seen(place.windows(), *(at(minute) for minute in range(6)))
    assert place.rows("select sum(count) from windows where label = ''") == [(6,)]  # though no second has gone by
    with without_table(tmp_path / "windows.db"), pytest.raises(InputError):
        seen(windows, *(at(minute) for minute in range(6, 12)))
    windows.close()
    assert place.rows("select sum(count) from windows where label = ''") == [(12,)]


def test_totals_are_those_of_the_worker(tmp_path: Path) -> None:
    windows = seen(Windows(Tally(60, 30, ("café",))), at(0), at(5, FEW), at(0, "aaaa café aaaa"))
    totals = windows.totals()
    windows.close()
    assert totals.counted == {("", ""): 2, ("", "many_a"): 1, ("", "few_a"): 1, ("café", ""): 0, ("café", "many_a"): 0}
    assert totals.late == {("", ""): 1, ("", "many_a"): 1, ("", "few_a"): 0, ("café", ""): 1, ("café", "many_a"): 1}


def test_a_moving_share_is_that_of_the_last_closed_windows() -> None:
    rows = [at(0), at(1), at(1, FEW), at(1, "aaaa café aaaa"), at(2), at(2, FEW), at(3), at(3.6)]
    windows = seen(Windows(Tally(60, 30, ("café",))), *rows)
    shares = windows.shares(120)
    windows.close()
    assert {cell: figure.value for cell, figure in shares.items()} == {
        ("", "few_a"): 2 / 5,
        ("", "many_a"): 3 / 5,
        ("café", "many_a"): 1.0,
    }
    assert shares["", "many_a"].low < 3 / 5 < shares["", "many_a"].high
