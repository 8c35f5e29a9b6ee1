"""Labels: names, sets of names, or numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from cauce.data.columns import Columns
from cauce.data.dataset import Dataset
from cauce.data.read import read
from cauce.errors import InputError, TooFewLabels, UnreadableData


def written(folder: Path, *lines: str, name: str = "data.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def labeled(folder: Path, *cells: str, columns: Columns = Columns()) -> Dataset:
    return read(written(folder, "text\tlabel", *(f"text {i}\t{cell}" for i, cell in enumerate(cells))), columns)


def test_labels_that_are_floats_are_regression_and_this_is_said(tmp_path: Path) -> None:
    data = labeled(tmp_path, "1.5", "2", "-3.25", "", "1e2")
    assert (data.task, data.labels.to_pylist()) == ("regression", [1.5, 2, -3.25, 100])
    assert any("regression" in note and "--task classification" in note for note in data.notes)


def test_prices_with_a_decimal_comma_are_regression(tmp_path: Path) -> None:
    data = labeled(tmp_path, "1.234,50", "12,5")
    assert (data.task, data.labels.to_pylist()) == ("regression", [1234.5, 12.5])


def test_few_whole_numbers_are_names_of_classes_and_many_are_not(tmp_path: Path) -> None:
    assert labeled(tmp_path, *(str(i % 20) for i in range(60))).task == "classification"
    assert labeled(tmp_path, *(str(i % 21) for i in range(63))).task == "regression"


def test_floats_are_labels_as_they_are_written_where_the_caller_says_so(tmp_path: Path) -> None:
    data = labeled(tmp_path, "1.50", "2.5", columns=Columns(task="classification"))
    assert (data.task, data.labels.to_pylist()) == ("classification", ["1.50", "2.5"])


def test_whole_floats_are_whole_numbers_and_this_is_said(tmp_path: Path) -> None:
    data = labeled(tmp_path, "1.0", "2.0", "2")
    assert (data.task, data.labels.to_pylist()) == ("classification", ["1", "2", "2"])
    assert 'labels like "1.0" are read as "1"' in data.notes


def test_words_are_labels_though_they_mean_missing_elsewhere(tmp_path: Path) -> None:
    assert labeled(tmp_path, "none", "NA", "unknown", "joy").labels.to_pylist() == ["none", "NA", "unknown", "joy"]


def test_a_text_among_the_numbers_of_a_regression_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(UnreadableData, match="'dear'") as caught:
        labeled(tmp_path, "1.5", "dear", "2", columns=Columns(task="regression"))
    assert caught.value.where.endswith("line 3")


def test_ten_thousand_labels_are_read_and_wondered_at(tmp_path: Path) -> None:
    data = labeled(tmp_path, *(f"class {i // 2}" for i in range(20_000)))
    assert len(data.counts()) == 10_000
    assert '10000 different labels in 20000 rows: is "label" the label?' in data.notes


def test_nothing_is_wondered_at_where_labels_have_rows_enough(tmp_path: Path) -> None:
    assert not [note for note in labeled(tmp_path, *(f"c{i % 100}" for i in range(500))).notes if "different labels" in note]


def test_lists_of_json_are_sets_of_labels_and_an_empty_one_is_kept(tmp_path: Path) -> None:
    rows = [
        '{"text": "a", "label": ["y", "x", "y"]}',
        '{"text": "b", "label": []}',
        '{"text": "c"}',
        '{"text": "d", "label": ["x"]}',
    ]
    data = read(written(tmp_path, *rows, name="data.jsonl"))
    assert (data.task, data.labels.to_pylist()) == ("multilabel", [["x", "y"], [], ["x"]])
    assert data.counts() == {"x": 2, "y": 1}
    assert "1 row(s) have no label at all: kept, as examples of none" in data.notes
    assert "left out: 1 row(s) without a label" in data.notes


def test_the_three_ways_of_writing_sets_of_labels_are_one_dataset(tmp_path: Path) -> None:
    lists = read(written(tmp_path, '{"text":"a","label":["y","x"]}', '{"text":"b","label":[]}', name="data.jsonl"))
    cells = read(written(tmp_path, "text,label", "a,y | x", "b,"), Columns(label_delimiter="|"))
    flags = read(written(tmp_path, "text,y,x", "a,1,yes", "b,0,no"), Columns(label=("y", "x")))
    assert lists.labels.to_pylist() == [["x", "y"], []]
    assert lists.sha256() == cells.sha256() == flags.sha256()
    assert [data.task for data in (lists, cells, flags)] == ["multilabel"] * 3


def test_a_column_of_flags_with_something_else_in_it_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(UnreadableData, match="\"y\" holds '2'") as caught:
        read(written(tmp_path, "text,x,y", "a,1,0", "b,1,2"), Columns(label=("x", "y")))
    assert caught.value.where.endswith("line 3")


@pytest.mark.parametrize(
    "columns",
    [
        Columns(task="multilabel"),
        Columns(task="classification", label_delimiter=","),
        Columns(task="regression", label=("label", "other")),
    ],
)
def test_labels_that_do_not_fit_the_task_are_refused(columns: Columns, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read(written(tmp_path, "text,label,other", "a,1,0", "b,0,1"), columns)
    assert caught.value.hint


def test_a_list_among_single_labels_is_refused_with_its_line(tmp_path: Path) -> None:
    rows = ['{"text": "a", "label": "x"}', '{"text": "b", "label": ["x", "y"]}']
    with pytest.raises(UnreadableData, match='"label" holds a list') as caught:
        read(written(tmp_path, *rows, name="data.jsonl"))
    assert caught.value.where.endswith("line 2")


@pytest.mark.parametrize("cells", [("1.5", "1.5"), ("x", "x")])
def test_labels_that_are_all_the_same_cannot_be_learned(cells: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(TooFewLabels, match="every row has the label"):
        labeled(tmp_path, *cells).check_trainable()


def test_the_task_and_the_types_are_part_of_the_hash(tmp_path: Path) -> None:
    path = written(tmp_path, "text,age,label", "a,1,1", "b,2,2")
    ways = [
        Columns(),
        Columns(task="regression"),
        Columns(number=("age",)),
        Columns(category=("age",)),
        Columns(text=("text", "age")),
    ]
    assert len({read(path, columns).sha256() for columns in ways}) == len(ways)


@pytest.mark.parametrize("columns", [Columns(label=("label", "y")), Columns(label=("y",), id="label"), Columns(time="label")])
def test_a_list_is_nothing_but_the_label(columns: Columns, tmp_path: Path) -> None:
    with pytest.raises(InputError, match='"label" holds lists'):
        read(written(tmp_path, '{"text":"a","label":["x"],"y":1}', name="data.jsonl"), columns)
