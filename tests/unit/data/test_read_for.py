"""Reading a file for a model: its columns by name, in any order; of a model of one text, by whatever name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cauce.data.columns import Columns
from cauce.data.read import read_for
from cauce.errors import ColumnMissing, UnreadableData
from cauce.model.manifest import Input

TEXT = (Input(name="text", type="text"),)
TABLE = (
    Input(name="title", type="text"),
    Input(name="body", type="text"),
    Input(name="low", type="number"),
    Input(name="high", type="number"),
    Input(name="color", type="category"),
    Input(name="paid", type="boolean"),
)
ROW = {"title": "un título", "body": "un texto", "low": 1.0, "high": 9.0, "color": "rojo", "paid": True}
ONE = Columns(task="classification")


def written(folder: Path, header: str, *rows: str) -> Path:
    path = folder / "data.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("title,body,low,high,color,paid,label", "un título,un texto,1,9,rojo,yes,a"),
        ("label,paid,color,high,low,body,title", "a,yes,rojo,9,1,un texto,un título"),
        ("high,extra,low,body,label,title,color,paid", "9,x,1,un texto,a,un título,rojo,yes"),
    ],
)
def test_columns_are_found_by_their_names_in_any_order(header: str, row: str, tmp_path: Path) -> None:
    data = read_for(written(tmp_path, header, row), TABLE, ONE, target="label")
    assert data.rows.to_pylist() == [ROW]
    assert data.inputs == TABLE
    assert data.labels.to_pylist() == ["a"]


def test_the_types_are_the_models_whatever_the_values_look_like(tmp_path: Path) -> None:
    path = written(tmp_path, "color,size,label", "1,7,0.5", "2,7,1.5")
    inputs = (Input(name="color", type="category"), Input(name="size", type="number"))
    data = read_for(path, inputs, ONE, target="label")
    assert data.rows.to_pylist() == [{"color": "1", "size": 7.0}, {"color": "2", "size": 7.0}]
    assert data.labels.to_pylist() == ["0.5", "1.5"]  # names, as the model's task says
    with pytest.raises(UnreadableData, match='"size" holds'):
        read_for(written(tmp_path, "color,size,label", "1,big,a"), inputs, ONE)


def test_a_table_that_lacks_a_column_of_the_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ColumnMissing, match='no column "color"') as caught:
        read_for(written(tmp_path, "title,body,low,high,colour,paid,label", "a,b,1,2,c,yes,x"), TABLE, ONE, target="label")
    assert caught.value.hint == 'did you mean "colour"?'


@pytest.mark.parametrize(
    ("header", "row", "columns"),
    [
        ("text,label", "hola,a", {}),
        ("label,text,other", "a,hola,x", {}),
        ("opinión,etiqueta", "hola que tal,a", {}),
        ("first,second,label", "no,hola,a", {"text": ("second",)}),
        ("text,other,label", "no,hola,a", {"text": ("other",)}),
        ("text,verdict", "hola,a", {"label": ("verdict",)}),
    ],
)
def test_a_model_of_one_text_takes_the_text_by_any_name(header: str, row: str, columns: dict[str, Any], tmp_path: Path) -> None:
    data = read_for(written(tmp_path, header, row), TEXT, Columns(task="classification", **columns), target="label")
    assert data.rows.schema.names == ["text"]
    assert data.rows.column(0).to_pylist()[0].startswith("hola")
    assert data.labels.to_pylist() == ["a"]


def test_the_label_is_the_target_then_a_guess_and_never_another_than_was_named(tmp_path: Path) -> None:
    path = written(tmp_path, "text,label,mood", "hola,a,b")
    assert read_for(path, TEXT, ONE, target="mood").labels.to_pylist() == ["b"]
    assert read_for(path, TEXT, ONE, target="gone").labels.to_pylist() == ["a"]
    assert read_for(path, TEXT, Columns(label=("mood",), task="classification"), target="label").labels.to_pylist() == ["b"]
    with pytest.raises(ColumnMissing, match='no column "labl"') as caught:
        read_for(path, TEXT, Columns(label=("labl",), task="classification"), target="label")
    assert caught.value.hint == 'did you mean "label"?'


def test_no_label_to_be_found_is_told(tmp_path: Path) -> None:
    with pytest.raises(ColumnMissing, match="which column is the label"):
        read_for(written(tmp_path, "title,body,low,high,color,paid", "a,b,1,2,c,yes"), TABLE, ONE)


def test_several_labels_and_numbers_are_read_as_the_model_has_them(tmp_path: Path) -> None:
    path = written(tmp_path, "text,tags,x,y,price", "hola,a|b,1,0,7", "adiós,,0,0,8")
    several = read_for(path, TEXT, Columns(label=("x", "y"), task="multilabel"))
    assert several.labels.to_pylist() == [["x"], []]
    cell = read_for(path, TEXT, Columns(label=("tags",), label_delimiter="|", task="multilabel"))
    assert cell.labels.to_pylist() == [["a", "b"], []]
    assert read_for(path, TEXT, Columns(task="regression"), target="price").labels.to_pylist() == [7.0, 8.0]
    with pytest.raises(ColumnMissing, match="one label a row"):
        read_for(path, TEXT, Columns(task="multilabel"), target="price")
