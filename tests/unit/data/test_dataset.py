"""A dataset: its identity, its labels, its rows."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

from cauce.data.dataset import Dataset
from cauce.data.read import read
from cauce.errors import TooFewLabels, UnknownLabel
from cauce.model.manifest import Input

# what every format can hold: no line ends, no tab, no byte-order mark
TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\n\r\t\0\ufeff"), min_size=1, max_size=40).filter(
    str.strip
)
EXAMPLES = st.lists(st.tuples(TEXTS, st.sampled_from(["no", "sí", "very good"])), min_size=1, max_size=12)


def dataset(*examples: tuple[str, str]) -> Dataset:
    texts, labels = zip(*examples, strict=True)
    rows = pa.record_batch({"text": pa.array(texts, pa.string())})
    return Dataset(rows, (Input(name="text", type="text"),), pa.array(labels, pa.string()), "made.csv")


def write_every_format(folder: Path, examples: list[tuple[str, str]]) -> list[Path]:
    for name, dialect in (("comma.csv", ","), ("semicolon.csv", ";")):
        with (folder / name).open("w", encoding="utf-8-sig", newline="") as file:
            csv.writer(file, delimiter=dialect).writerows([("text", "label"), *examples])
    (folder / "tab.tsv").write_bytes("".join(f"{text}\t{label}\n" for text, label in [("text", "label"), *examples]).encode())
    rows = [json.dumps({"id": i, "label": label, "text": text}) for i, (text, label) in enumerate(examples)]
    (folder / "rows.jsonl").write_text("\n".join(rows))
    (folder / "pair_text.txt").write_bytes("".join(text + "\n" for text, _ in examples).encode())
    (folder / "pair_labels.txt").write_bytes("".join(label + "\n" for _, label in examples).encode())
    return [folder / name for name in ("comma.csv", "semicolon.csv", "tab.tsv", "rows.jsonl", "pair")]


@given(examples=EXAMPLES)
@example_settings(deadline=None, max_examples=40)
def test_the_hash_and_the_examples_do_not_depend_on_the_file_format(
    examples: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("formats")
    expected = dataset(*examples)
    for path in write_every_format(folder, examples):
        data = read(path)
        assert data.rows.to_pylist() == expected.rows.to_pylist(), path.name
        assert data.labels.to_pylist() == expected.labels.to_pylist(), path.name
        assert data.sha256() == expected.sha256(), path.name


@pytest.mark.parametrize(
    "other",
    [
        [("a", "x"), ("b", "x")],
        [("a", "x"), ("B", "y")],
        [("b", "y"), ("a", "x")],
        [("ab", "x"), ("", "y")],
        [("a", "y"), ("b", "x")],
        [("a", "x"), ("b", "y"), ("b", "y")],
    ],
    ids=["a label", "a text", "the order", "where a text ends", "labels changed about", "a row more"],
)
def test_whatever_changes_in_the_examples_changes_the_hash(other: list[tuple[str, str]]) -> None:
    assert dataset(("a", "x"), ("b", "y")).sha256() != dataset(*other).sha256()


def test_counts_are_by_label_in_alphabetical_order() -> None:
    assert list(dataset(("a", "y"), ("b", "x"), ("c", "y")).counts().items()) == [("x", 1), ("y", 2)]


def test_taken_rows_keep_their_labels_and_their_source() -> None:
    taken = dataset(("a", "x"), ("b", "y"), ("c", "z")).take(np.array([2, 0]))
    assert (taken.rows.column("text").to_pylist(), taken.labels.to_pylist()) == (["c", "a"], ["z", "x"])
    assert (len(taken), taken.source) == (2, "made.csv")


def test_labels_become_places_in_the_given_order() -> None:
    assert dataset(("a", "y"), ("b", "x"), ("c", "y")).places(("x", "y", "z")).tolist() == [1, 0, 1]


def test_unknown_labels_are_counted_and_the_first_is_placed() -> None:
    data = dataset(("a", "good"), ("b", "goood"), ("c", "bad"), ("d", "goood"), ("e", "odd"))
    with pytest.raises(UnknownLabel) as caught:
        data.places(("bad", "good"))
    assert '"goood" (2), "odd" (1)' in caught.value.message
    assert caught.value.where == "made.csv, first at row 2 of those with a label"
    assert caught.value.hint == 'did you mean "good"?'


def test_an_unknown_label_near_none_lists_the_known() -> None:
    with pytest.raises(UnknownLabel) as caught:
        dataset(("a", "7")).places(("bad", "good"))
    assert caught.value.hint == "known labels: bad, good"


def test_one_label_only_is_not_trainable() -> None:
    with pytest.raises(TooFewLabels, match='every row has the label "x"') as caught:
        dataset(("a", "x"), ("b", "x")).check_trainable()
    assert (caught.value.code, caught.value.where) == ("too_few_labels", "made.csv")
    assert caught.value.hint


def several(*sets: list[str]) -> Dataset:
    texts = pa.array([f"text {i}" for i in range(len(sets))])
    labels = pa.array(sets, pa.list_(pa.string()))
    return Dataset(pa.record_batch({"text": texts}), (Input(name="text", type="text"),), labels, "made.csv", task="multilabel")


@given(sets=st.lists(st.lists(st.sampled_from("abc"), unique=True), min_size=1, max_size=9), data=st.data())
def test_the_truth_of_several_labels_is_a_mark_for_each(sets: list[list[str]], data: st.DataObject) -> None:
    known = tuple(data.draw(st.permutations("abcd")))
    index = np.array(data.draw(st.lists(st.integers(0, len(sets) - 1), min_size=1)))
    whole = several(*sets)
    expected = [[label in labels for label in known] for labels in sets]
    assert whole.truth(known).tolist() == expected
    assert whole.take(index).truth(known).tolist() == [expected[i] for i in index]
    cut = replace(whole, rows=whole.rows.slice(1), labels=whole.labels.slice(1))
    assert cut.truth(known).tolist() == expected[1:]


def test_an_unknown_label_of_several_is_placed_at_its_row() -> None:
    with pytest.raises(UnknownLabel) as caught:
        several(["a", "b"], [], ["a", "z"], ["z"]).truth(("a", "b"))
    assert '"z" (2)' in caught.value.message
    assert caught.value.where == "made.csv, first at row 3 of those with a label"


def test_the_truth_of_one_label_and_of_a_number() -> None:
    assert dataset(("a", "y"), ("b", "x")).truth(("x", "y")).tolist() == [1, 0]
    number = replace(dataset(("a", "1"), ("b", "2")), labels=pa.array([1.5, -2.0]), task="regression")
    assert number.truth(("price",)).tolist() == [[1.5], [-2.0]]
