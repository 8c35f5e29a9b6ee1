"""The journal: what is in it stays, and one process holds it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cauce.data.journal import Journal
from cauce.errors import InUse, UnreadableData


def test_a_journal_that_was_cut_anywhere_keeps_every_whole_entry(tmp_path: Path) -> None:
    entries = [{"row": 1, "label": "sí"}, {"undo": True}, {"row": 2, "label": None}]
    journal = Journal(tmp_path / "j")
    for entry in entries:
        journal.append(entry)
    journal.close()
    whole = (tmp_path / "j").read_bytes()
    for end in range(len(whole) + 1):
        (tmp_path / "j").write_bytes(whole[:end])
        again = Journal(tmp_path / "j")
        assert again.entries == entries[: whole[:end].count(b"\n")]
        again.append({"row": 9, "label": "x"})
        again.close()
        last = Journal(tmp_path / "j")
        assert last.entries == [*again.entries]
        last.close()


def test_a_second_holder_is_refused_until_the_first_lets_go(tmp_path: Path) -> None:
    first = Journal(tmp_path / "j")
    with pytest.raises(InUse, match="another session"):
        Journal(tmp_path / "j")
    first.remove()
    assert not (tmp_path / "j").exists()
    Journal(tmp_path / "j").close()


@pytest.mark.parametrize("line", [b"{not json\n", b"[1]\n", b"\xff\n"])
def test_a_damaged_line_is_named_and_left_alone(tmp_path: Path, line: bytes) -> None:
    content = b'{"a": 1}\n' + line + b'{"b": 2}\n'
    (tmp_path / "j").write_bytes(content)
    with pytest.raises(UnreadableData) as caught:
        Journal(tmp_path / "j")
    assert caught.value.where.endswith("line 2")
    assert (tmp_path / "j").read_bytes() == content
    (tmp_path / "j").write_bytes(b"")
    Journal(tmp_path / "j").close()  # the refused one let go
