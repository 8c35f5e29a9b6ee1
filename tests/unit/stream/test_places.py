"""Which places several workers can share."""

from __future__ import annotations

import pytest

from cauce.errors import InputError
from cauce.stream import places


def test_streams_of_a_broker_and_a_folder_of_parts_are_shared() -> None:
    places.shared("redis://host/raw", "redis://host/scored", "redis://host/raw:dead")
    places.shared("redis://host/raw", "file:scored", "file:scored/dead_letters")


@pytest.mark.parametrize(
    ("from_", "to", "said"),
    [
        ("file:posts.jsonl", "file:out", '"file:posts.jsonl": its lines are read in order'),
        ("-", "file:out", '"-": a pipe gives each line to whoever comes first'),
        ("redis://me:secret@host/raw", "-", '"-": their lines would be mixed'),
        ("http://127.0.0.1:9000/raw", "redis://host/scored", "one process listens at an address"),
        ("redis://host/raw", "console:", '"console:": it is one terminal'),
        ("memory:raw", "redis://host/scored", '"memory:raw": it is the memory of one process'),
    ],
)
def test_what_one_worker_alone_can_read_or_write_is_refused(from_: str, to: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        places.shared(from_, to)
    assert said in caught.value.message
    assert caught.value.hint
