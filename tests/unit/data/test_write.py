"""What is written is what is read back, or it is refused and nothing changes."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cauce.data.tables import read_table
from cauce.data.write import write_table
from cauce.errors import CannotWrite, UnknownName

texts = st.text(st.characters(codec="utf-8"), max_size=12)


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cells=st.lists(st.tuples(texts, texts), min_size=1, max_size=5))
def test_every_cell_comes_back_or_the_file_is_refused(tmp_path: Path, kind: str, cells: list[tuple[str, str]]) -> None:
    table = pa.table({"text": [a for a, _ in cells], 'otra, "cosa"': [b for _, b in cells]})
    out = tmp_path / f"out.{kind}"
    out.unlink(missing_ok=True)
    try:
        write_table(table, out)
    except CannotWrite:
        assert kind != "jsonl"
        assert not out.exists()
    else:
        assert read_table(out).table.to_pydict() == table.to_pydict()
    assert [path for path in tmp_path.iterdir() if path != out] == []


def test_a_tab_cannot_be_held_by_tsv_and_the_old_file_stays(tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    out.write_text("before")
    with pytest.raises(CannotWrite, match=r"out\.tsv cannot hold"):
        write_table(pa.table({"text": ["a\tb"], "label": ["x"]}), out)
    assert out.read_text() == "before"


def test_the_rights_of_a_file_and_a_link_to_it_stay(tmp_path: Path) -> None:
    real = tmp_path / "real.csv"
    real.write_text("a\n1\n")
    real.chmod(0o640)
    (tmp_path / "link.csv").symlink_to(real)
    write_table(pa.table({"a": ["2"]}), tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert real.read_text() == "a\n2\n"
    assert real.stat().st_mode & 0o777 == 0o640


def test_other_kinds_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="is of a kind that is not written"):
        write_table(pa.table({"a": ["1"]}), tmp_path / "out.xlsx")
