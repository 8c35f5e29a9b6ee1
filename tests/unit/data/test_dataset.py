"""A dataset: its identity, its labels, its rows."""

from __future__ import annotations

import csv
import json
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
