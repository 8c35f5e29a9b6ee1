"""What each column is for: named or guessed, and said."""

from __future__ import annotations

from pathlib import Path

import pytest

from cauce.data.columns import Columns
from cauce.data.dataset import Dataset
from cauce.data.read import read
from cauce.errors import ColumnMissing, UnreadableData
from cauce.model.manifest import Input


def written(folder: Path, header: str, *rows: str) -> Path:
    path = folder / "data.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def types(data: Dataset) -> dict[str, str]:
    return {one.name: one.type for one in data.inputs}


CUSTOMERS = (
    "id,age,city,member,zip,country,ref,y",
    "1,31,Madrid,yes,08001,ES,a,no",
    "2,40,Madrid,no,28080,ES,b,yes",
    "3,31,Bilbao,yes,08001,ES,c,no",
    "4,,Bilbao,,28080,ES,d,yes",
)


def test_a_table_becomes_typed_inputs_without_ids_and_constants_and_says_so(tmp_path: Path) -> None:
    data = read(written(tmp_path, *CUSTOMERS))
    assert types(data) == {"age": "number", "city": "category", "member": "boolean", "zip": "category"}
    assert data.rows.slice(3).to_pylist() == [{"age": None, "city": "Bilbao", "member": None, "zip": "28080"}]
    assert "left out, the same in every row: country" in data.notes
    assert "left out, different in every row: id, ref" in data.notes
    assert "number: age" in data.notes


def test_types_of_a_table_can_be_named_and_columns_ignored(tmp_path: Path) -> None:
    data = read(written(tmp_path, *CUSTOMERS), Columns(category=("age",), number=("zip",), ignore=("city",), id="ref"))
    assert types(data) == {"age": "category", "member": "boolean", "zip": "number"}
    assert "not used: city" in data.notes
    assert data.ids is not None
    assert data.ids.to_pylist() == ["a", "b", "c", "d"]


def test_beside_a_text_the_other_columns_are_used_only_where_they_are_named(tmp_path: Path) -> None:
    path = written(tmp_path, "text,age,city,label", "a,1,M,x", "b,2,B,y")
    assert types(read(path)) == {"text": "text"}
    assert "not used: age, city" in read(path).notes
    assert types(read(path, Columns(number=("age",)))) == {"text": "text", "age": "number"}
    assert types(read(path, Columns(text=("text", "city")))) == {"text": "text", "city": "text"}


def test_several_texts_of_a_row_are_joined_for_a_reader(tmp_path: Path) -> None:
    path = written(tmp_path, "title,body,label", "uno,dos,x", "tres,cuatro,y")
    assert read(path, Columns(text=("title", "body"))).texts().to_pylist() == ["uno\ndos", "tres\ncuatro"]


def test_the_only_column_of_sentences_is_the_text_whatever_its_name(tmp_path: Path) -> None:
    rows = [f"{i % 2},this is what they said {i},x{i % 2}" for i in range(6)]
    data = read(written(tmp_path, "a,said,label", *rows))
    assert types(data) == {"said": "text"}
    assert 'text is the column "said"' in data.notes


def test_of_several_columns_of_sentences_one_must_be_named(tmp_path: Path) -> None:
    rows = [f"a whole sentence {i},another whole sentence {i},x{i % 2}" for i in range(6)]
    with pytest.raises(ColumnMissing, match="one, two") as caught:
        read(written(tmp_path, "one,two,label", *rows))
    assert "--text" in caught.value.hint


@pytest.mark.parametrize(
    "columns",
    [
        Columns(text=("text",), label=("text",)),
        Columns(number=("age",), category=("age",)),
        Columns(label=("label",), time="label"),
        Columns(ignore=("age",), id="age"),
    ],
)
def test_a_column_named_in_two_roles_is_refused(columns: Columns, tmp_path: Path) -> None:
    path = written(tmp_path, "text,age,label", "a,1,x")
    with pytest.raises(ColumnMissing, match="is named as the") as caught:
        read(path, columns)
    assert (caught.value.where, bool(caught.value.hint)) == (str(path), True)


@pytest.mark.parametrize("role", ["text", "category", "number", "boolean", "ignore", "label"])
def test_a_named_column_that_is_missing_is_refused_in_every_role(role: str, tmp_path: Path) -> None:
    with pytest.raises(ColumnMissing) as caught:
        read(written(tmp_path, "text,age,label", "a,1,x"), Columns(**{role: ("agee",)}))  # type: ignore[arg-type]
    assert caught.value.hint == 'did you mean "age"?'


def test_a_category_with_a_million_values_is_said_to_look_like_an_id(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    with path.open("w") as file:
        file.write("customer,city,y\n")
        file.writelines(f"c{i},{'MB'[i % 2]},{'xy'[i % 2]}\n" for i in [*range(1_000_000), 0])
    data = read(path)
    assert len(data) == 1_000_001
    assert any('"customer" looks like an id' in note and "--ignore customer" in note for note in data.notes)
    assert not any('"city"' in note for note in data.notes)


def test_a_guessed_number_column_with_a_text_in_it_is_refused_and_not_made_a_category(tmp_path: Path) -> None:
    rows = [f"{i % 7},M,{'xy'[i % 2]}" for i in range(100)]
    rows[41] = "seven,M,x"
    with pytest.raises(UnreadableData, match="'seven'") as caught:
        read(written(tmp_path, "age,city,y", *rows))
    assert caught.value.where.endswith("line 43")
    assert "--category age" in caught.value.hint


def test_dates_of_a_table_are_left_out_and_said(tmp_path: Path) -> None:
    data = read(written(tmp_path, "day,age,y", "2024-05-01,1,x", "2024-05-02,2,y", "2024-05-01,1,x"))
    assert types(data) == {"age": "number"}
    assert "left out, times; name one with --time: day" in data.notes


def test_numbers_that_count_the_rows_are_an_id_and_other_different_numbers_are_not(tmp_path: Path) -> None:
    data = read(written(tmp_path, "n,customer_id,spent,y", "7,90,100,x", "8,1700,2,y", "9,400,31,x", "10,5,999,y"))
    assert types(data) == {"spent": "number"}
    assert "left out, different in every row: n, customer_id" in data.notes


def test_two_columns_of_numbers_are_a_table(tmp_path: Path) -> None:
    data = read(written(tmp_path, "age,y", "31,no", "40,yes", "31,no"))
    assert types(data) == {"age": "number"}


def test_a_models_inputs_are_read_exactly_and_in_their_types(tmp_path: Path) -> None:
    inputs = (Input(name="age", type="number"), Input(name="zip", type="category"), Input(name="member", type="boolean"))
    data = read(written(tmp_path, *CUSTOMERS), Columns.of_model(inputs, "classification", label=("y",)))
    assert data.inputs == inputs[:1] + inputs[2:] + inputs[1:2]  # in the order of the file
    assert "not used: id, city, country, ref" in data.notes


def test_a_list_is_no_input(tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_text('{"text": ["a"], "label": "x"}\n')
    with pytest.raises(UnreadableData, match='"text" holds lists'):
        read(tmp_path / "data.jsonl", Columns(text=("text",)))
