"""Dead letters go back, from a folder and from a broker that only knows positions; what stays can go later."""

from __future__ import annotations

import json
import threading
import uuid
from pathlib import Path

import orjson
import pytest

from cauce.errors import FileMissing, InputError
from cauce.settings import Stream
from cauce.stream import places
from cauce.stream.brokers.memory import TOPICS
from cauce.stream.deliveries import Deliveries
from cauce.stream.letter import letters
from cauce.stream.messages import read
from cauce.stream.patience import Patience
from cauce.stream.redrive import redrive
from cauce.stream.schemes import Opening

BAD = [b"not json", b'{"id": 1.5}', b"\xff", b'{"text": "' + b"x" * 200 + b'"}', b'{"text": "", "id": true}']
CODES = {"not_json": 1, "wrong_id": 2, "not_utf8": 1, "too_large": 1}


def opening() -> Opening:
    return Opening(Stream(part_rows=2), Patience(0, lambda line: None, threading.Event()))


def die(address: str) -> None:
    """Dead letters of the bad messages."""
    found = Deliveries.of("s", BAD, [str(row) for row in range(len(BAD))])
    sink = places.dead(address, opening())
    sink.write(letters(found, read(found.data, 100, "text").codes, 100))
    sink.flush()
    sink.close()


@pytest.fixture(params=["file", "memory"])
def dead(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"file:{tmp_path / 'dead_letters'}" if request.param == "file" else f"memory:{uuid.uuid4()}"


def test_letters_with_a_code_go_and_the_others_can_go_later(dead: str) -> None:
    die(dead)
    to = f"memory:{uuid.uuid4()}"
    some = redrive(opening(), dead, to, code="wrong_id")
    assert (some.went, some.stayed) == ({"wrong_id": 2}, {"not_json": 1, "not_utf8": 1, "too_large": 1})
    rest = redrive(opening(), dead, to)
    assert (rest.went, rest.stayed) == ({"not_json": 1, "not_utf8": 1}, {"too_large": 1})
    assert redrive(opening(), dead, to).stayed == {"too_large": 1}
    messages = [data for data, _, _ in TOPICS[to.removeprefix("memory:")].waiting]
    assert sorted(messages) == sorted(one for one in BAD if len(one) < 100)


def test_what_dies_meanwhile_is_for_another_time() -> None:
    """Else a message that dies again would go round and round."""
    dead, to = f"memory:{uuid.uuid4()}", f"memory:{uuid.uuid4()}"
    die(dead)
    waiting = TOPICS[dead.removeprefix("memory:")].waiting
    data, *rest = waiting[0]
    waiting[0] = (orjson.dumps({**orjson.loads(data), "at": "2999-01-01T00:00:00.000+00:00"}), *rest)
    assert redrive(opening(), dead, to).went.total() == 3
    assert [orjson.loads(one)["code"] for one, *_ in waiting] == ["not_json", "too_large"]


def test_a_part_of_which_all_went_is_gone_and_the_rest_is_whole(tmp_path: Path) -> None:
    folder = tmp_path / "dead_letters"
    die(f"file:{folder}")
    redrive(opening(), f"file:{folder}", f"memory:{uuid.uuid4()}")
    left = [json.loads(line) for part in folder.glob("part-*") for line in part.read_text("utf-8").splitlines()]
    assert [one["code"] for one in left] == ["too_large"]


def test_they_can_go_to_stdout(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    die(f"file:{tmp_path}")
    redrive(opening(), f"file:{tmp_path}", "-", code="not_json")
    assert capfdbinary.readouterr().out == b"not json\n"


def test_what_cannot_be_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileMissing, match="there is no folder"):
        redrive(opening(), f"file:{tmp_path}/no", "memory:x")
    with pytest.raises(InputError, match="no source"):
        redrive(opening(), f"file:{tmp_path}", f"file:{tmp_path}/out")
    (tmp_path / "part-001-000001.jsonl").write_text('{"id": 1}\n')
    with pytest.raises(InputError, match="line 1 there is no dead letter"):
        redrive(opening(), f"file:{tmp_path}", "memory:x")
    assert (tmp_path / "part-001-000001.jsonl").exists()
