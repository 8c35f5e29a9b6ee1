"""The lines of a pipe are those that plain Python reads, however they come in."""

from __future__ import annotations

import os
from unittest.mock import patch

from hypothesis import example, given
from hypothesis import strategies as st

from cauce.stream.brokers import standard
from cauce.stream.brokers.standard import Stdin

CONTENT = st.lists(st.sampled_from([b"\n", b"a", b"{}", b" a", b"\r\n", b"\x00", b"\xff", "ñ".encode()])).map(b"".join)


@given(content=CONTENT, limit=st.integers(2, 12), block=st.integers(1, 20), most=st.integers(1, 5), room=st.integers(1, 30))
@example(content=b"a" * 30 + b"\nb", limit=2, block=4, most=5, room=30)
@example(content=b" \n\t\na", limit=5, block=3, most=1, room=1)
def test_they_are_those_of_plain_python(content: bytes, limit: int, block: int, most: int, room: int) -> None:
    reading, writing = os.pipe()
    os.write(writing, content)
    os.close(writing)
    found, places = list[bytes](), list[str]()
    with os.fdopen(reading, "rb") as file, patch.object(standard, "BLOCK", block):
        source = Stdin(limit, file)
        while not source.ended:
            if some := source.fetch(most, room, 0.0):
                assert len(some) <= most
                assert some.size - len(some.data[-1].as_py()) < room
                found += some.data.to_pylist()
                places += some.places.to_pylist()
    whole = [line for line in content.split(b"\n") if line.strip()]
    assert [line[: limit + 1] for line in found] == [line[: limit + 1] for line in whole]
    assert max(map(len, found), default=0) <= limit + 1 + block
    assert places == [str(n) for n in range(len(whole))]
