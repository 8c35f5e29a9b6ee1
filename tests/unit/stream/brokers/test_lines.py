"""The lines of a file are those that plain Python reads, whatever the size of a block; a position is kept line by line."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from cauce.settings import settings
from cauce.stream.brokers import lines
from cauce.stream.brokers.lines import read_lines
from cauce.stream.brokers.pace import Pace
from cauce.stream.brokers.replay import Replay
from cauce.stream.deliveries import Deliveries

Line = tuple[bytes, int, int]
CONTENT = st.lists(st.sampled_from([b"\n", b"\r", b" ", b"\t", b"\x0b", b"a", b"{}", b"\x00", b"\xff", "ñ".encode()])).map(
    b"".join
)
LIMITS, BLOCKS = st.integers(1, 12), st.integers(1, 20)
anything = hypothesis_settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CAUCE_HOME", str(tmp_path / "home"))
    settings.cache_clear()
    yield
    settings.cache_clear()


def expected(content: bytes, limit: int) -> list[Line]:
    """Of each line that is not blank: its bytes, cut behind the limit, and where it begins and ends."""
    found, at = list[Line](), 0
    for line in io.BytesIO(content):
        bare = line.removesuffix(b"\n").removesuffix(b"\r")
        if bare.strip():
            found.append((bare[: limit + 1], at, at + len(line)))
        at += len(line)
    return found


def read(content: bytes, limit: int) -> list[Line]:
    file, found = io.BytesIO(content), list[Line]()
    while (some := read_lines(file, limit)) is not None:
        rows = zip(some.starts.tolist(), some.sizes.tolist(), some.places.tolist(), some.ends.tolist(), strict=True)
        found += [(some.data[start : start + size].tobytes(), place, end) for start, size, place, end in rows]
    return found


@anything
@given(content=CONTENT, limit=LIMITS, block=BLOCKS)
@example(content=b" " * 20 + b"a", limit=1, block=1)
@example(content=b"aa\r\n", limit=1, block=1)
@example(content=b"\r\r\n\n\r", limit=1, block=1)
def test_they_are_those_of_plain_python(content: bytes, limit: int, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "BLOCK", block)
    assert read(content, limit) == expected(content, limit)


def replay(path: Path, limit: int = 100, pace: Pace | None = None, *, loop: bool = False) -> Replay:
    return Replay(path, "group", limit, pace or Pace(), loop=loop)


def rest(source: Replay, most: int = 100) -> list[Deliveries]:
    found = []
    while not source.ended:
        some = source.fetch(most, 1 << 20, 0.0)
        found += [] if some is None else [some]
    source.close()
    return found


def data(of: list[Deliveries]) -> list[bytes]:
    return [one for some in of for one in some.data.to_pylist()]


@anything
@given(content=CONTENT, limit=LIMITS, block=BLOCKS, most=st.integers(1, 5), draw=st.data())
def test_a_position_goes_on_behind_the_line_that_was_acknowledged(
    content: bytes, limit: int, block: int, most: int, draw: st.DataObject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "BLOCK", block)
    (tmp_path / "home" / "stream").mkdir(parents=True, exist_ok=True)
    for kept in (tmp_path / "home" / "stream").glob("*.json"):
        kept.unlink()
    path, whole = tmp_path / "in.jsonl", [line for line, _, _ in expected(content, limit)]
    path.write_bytes(content)
    source = replay(path, limit)
    given = rest(source, most)
    assert data(given) == whole
    places = [place for some in given for place in some.places.to_pylist()]
    done = 0
    while done < len(whole):
        step = draw.draw(st.integers(1, len(whole) - done))
        source.acknowledge(places[done : done + step])
        done += step
        assert data(rest(replay(path, limit), most)) == whole[done:]


def test_a_loop_gives_the_file_again_as_another_source_and_goes_on_in_its_pass(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(b"a\n\nb\nc")
    source = replay(path, loop=True)
    given = [some for some in (source.fetch(2, 1000, 0.0) for _ in range(6)) if some is not None]
    assert [(one.source, one.data.to_pylist()) for one in given][:4] == [
        ("file:in.jsonl", [b"a", b"b"]),
        ("file:in.jsonl", [b"c"]),
        ("file:in.jsonl#1", [b"a", b"b"]),
        ("file:in.jsonl#1", [b"c"]),
    ]
    source.acknowledge([place for some in given[:2] for place in some.places.to_pylist()])
    source.acknowledge(given[2].places.to_pylist()[:1])
    source.close()
    again = replay(path, loop=True)
    found = again.fetch(100, 1000, 0.0)
    assert found is not None
    assert (found.source, found.data.to_pylist()) == ("file:in.jsonl#1", [b"b"])  # what has no line feed comes by itself
    again.close()


@pytest.mark.parametrize("content", [b"", b"\n\n \r\n"])
def test_a_loop_over_nothing_ends(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(content)
    source = replay(path, loop=True)
    assert rest(source) == []


def test_so_many_are_given_out_a_second_or_as_they_were_recorded(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    times = [1_700_000_000 + n / 2 for n in range(9)]
    path.write_bytes(b"".join(json.dumps({"text": "a", "created_at": time}).encode() + b"\n" for time in times))
    for pace in (Pace(rate=20), Pace(speed=10)):  # both: one every 0.05 s
        begun, came = time.monotonic(), list[float]()
        source = replay(path, pace=pace)
        while not source.ended:
            some = source.fetch(100, 1 << 20, 0.02)
            came += [time.monotonic() - begun] * (0 if some is None else len(some))
        source.close()
        assert len(came) == 9
        assert all(at >= 0.05 * n - 0.001 for n, at in enumerate(came))
        assert came[-1] < 3
