"""A labeling: what was answered, what is left, and that a session goes on where the last one stopped."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cauce.data.labeling import Labeling
from cauce.data.tables import read_table
from cauce.errors import ColumnMissing, EmptyData, FileChanged, InputError, OutputExists

ROWS = "id,text,label\n1,uno,a\n2,dos,\n3,,\n4,cuatro, b \n5,cinco,\n6,seis,\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "texts.csv"
    path.write_text(ROWS)
    return path


def opened(file: Path, **options: object) -> Labeling:
    return Labeling(read_table(file), file.with_name("out.csv"), **options)  # type: ignore[arg-type]


def test_labels_that_are_there_stay_and_empty_texts_are_not_asked_about(file: Path) -> None:
    work = opened(file)
    assert (work.given, work.choices, work.left()) == ({0: "a", 3: "b"}, ["a", "b"], [1, 4, 5])
    work.answer(1, "b")
    work.answer(4, None)
    assert (work.counts(), work.left()) == ({"a": 1, "b": 2}, [5])
    work.save()
    work.close()
    assert file.with_name("out.csv").read_text() == ROWS.replace("2,dos,", "2,dos,b")
    assert file.read_text() == ROWS


def test_a_file_without_a_label_column_gets_one(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "number,words\n7,esto no llegó nunca a casa\n"
    )  # of two columns, the shorter is not the label here
    work = opened(tmp_path / "a.csv", choices=["x"])
    work.answer(0, "x")
    work.save()
    work.close()
    assert (tmp_path / "out.csv").read_text() == "number,words,label\n7,esto no llegó nunca a casa,x\n"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sampled_from(["a", "b", None, "undo", "reopen"]), max_size=25))
def test_any_session_in_pieces_is_the_session_in_one(file: Path, steps: list[str | None]) -> None:
    """The reference is a list; reopening at any step changes nothing but that skipped rows may be asked again."""
    journal = file.with_name("out.csv.journal")
    journal.unlink(missing_ok=True)
    work, said = opened(file), []
    for step in steps:
        if step == "reopen":
            work.close()
            work = opened(file)
        elif step == "undo":
            assert work.undo() == (said.pop() if said else None)
        elif left := work.left():
            said.append((left[0], step))
            work.answer(left[0], step)
        assert work.history == said
        assert work.known() == {0: "a", 3: "b", **{row: label for row, label in dict(said).items() if label}}
        assert all(row not in work.known() for row in work.left())
    work.close()
    work = opened(file)
    assert set(work.left()) == {1, 4, 5} - {row for row, label in dict(said).items() if label or len(dict(said)) < 3}
    work.close()


def test_an_answer_that_an_undo_took_back_is_asked_again_first(file: Path) -> None:
    work = opened(file)
    for label in ("a", None, "b"):
        work.answer(work.left()[0], label)
    assert work.left() == []
    assert work.undo() == (5, "b")
    assert work.left() == [5]
    work.close()


def test_a_session_that_begins_with_skipped_rows_alone_asks_each_once_more(file: Path) -> None:
    work = opened(file)
    for row in (1, 4, 5):
        work.answer(row, None)
    assert work.left() == []
    work.close()
    again = opened(file)
    assert again.left() == [1, 4, 5]
    assert again.undo() == (5, None)  # of the session before
    for row in (1, 4, 5):
        again.answer(row, None)
    assert again.left() == []
    again.close()


def test_a_label_keeps_its_place_among_the_choices(file: Path) -> None:
    work = opened(file, choices=["z", "a"])
    work.add_choice("nuevo")
    work.answer(1, "nuevo")
    before = work.choices
    work.close()
    again = opened(file)
    assert again.choices == before == ["z", "a", "b", "nuevo"]
    again.close()


@pytest.mark.parametrize("name", ["", "a\x1b[2J", "a\nb"])
def test_a_label_that_cannot_be_shown_is_refused(file: Path, name: str) -> None:
    work = opened(file)
    with pytest.raises(InputError, match="cannot be a label"):
        work.add_choice(name)
    work.close()


def test_a_session_without_an_answer_leaves_nothing(file: Path) -> None:
    opened(file).close()
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_file_that_changed_since_is_refused_and_the_answers_stay(file: Path) -> None:
    work = opened(file)
    work.answer(1, "a")
    work.close()
    journal = file.with_name("out.csv.journal").read_bytes()
    file.write_text(ROWS.replace("dos", "otro"))
    with pytest.raises(FileChanged, match="has changed since"):
        opened(file)
    assert file.with_name("out.csv.journal").read_bytes() == journal
    file.write_text(ROWS.replace("\n", "\r\n"))  # the same cells, written in another way
    again = opened(file)
    assert again.history == [(1, "a")]
    again.close()


def test_an_output_of_somebody_else_is_never_replaced(file: Path) -> None:
    out = file.with_name("out.csv")
    out.write_text("mine")
    with pytest.raises(OutputExists):
        opened(file)
    out.unlink()
    work = opened(file)
    work.answer(1, "a")
    work.save()
    out.write_text("edited by hand")
    with pytest.raises(FileChanged, match="changed by another program"):
        work.save()
    work.close()
    with pytest.raises(FileChanged, match="changed by another program"):
        opened(file)
    assert out.read_text() == "edited by hand"


def test_other_columns_than_the_last_time_are_refused(file: Path) -> None:
    work = opened(file)
    work.answer(1, "a")
    work.close()
    with pytest.raises(InputError, match='the label was the column "label", now it is "otra"'):
        opened(file, label="otra")


def test_in_place_the_file_has_the_answers_and_the_journal_goes(file: Path) -> None:
    work = Labeling(read_table(file), file, in_place=True)
    work.answer(1, "a")
    work.save()
    work.close()
    assert file.read_text() == ROWS.replace("2,dos,", "2,dos,a")
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_in_place_a_session_that_ended_before_its_journal_went_is_taken_up(file: Path) -> None:
    work = Labeling(read_table(file), file, in_place=True)
    work.answer(1, "a")
    work.save()
    work.journal.close()  # killed here
    again = Labeling(read_table(file), file, in_place=True)
    assert (again.given[1], again.history) == ("a", [])
    again.close()


def test_in_place_a_file_that_changed_meanwhile_is_not_replaced(file: Path) -> None:
    work = Labeling(read_table(file), file, in_place=True)
    work.answer(1, "a")
    file.write_text(ROWS + "7,siete,\n")
    with pytest.raises(FileChanged, match="meanwhile"):
        work.save()
    work.close()
    assert file.read_text() == ROWS + "7,siete,\n"
    assert file.with_name("texts.csv.journal").exists()


def test_wrong_columns_are_named(file: Path) -> None:
    with pytest.raises(ColumnMissing, match='no column "texto"'):
        opened(file, text="texto")
    with pytest.raises(ColumnMissing, match="as the text and as the label"):
        opened(file, text="text", label="text")
    with pytest.raises(EmptyData, match="no text"):
        (file.parent / "empty.csv").write_text("text,label\n ,\n")
        opened(file.parent / "empty.csv")
