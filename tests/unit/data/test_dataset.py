"""A dataset: its identity, its labels, its rows."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import strategies as st

from cauce.data.dataset import Dataset
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


def test_labels_become_places_in_the_given_order() -> None:
    assert dataset(("a", "y"), ("b", "x"), ("c", "y")).places(("x", "y", "z")).tolist() == [1, 0, 1]


def test_unknown_labels_are_counted_and_the_first_is_placed() -> None:
    data = dataset(("a", "good"), ("b", "goood"), ("c", "bad"), ("d", "goood"), ("e", "odd"))
    with pytest.raises(UnknownLabel) as caught:
        data.places(("bad", "good"))
    assert '"goood" (2), "odd" (1)' in caught.value.message
    assert caught.value.where == "made.csv, first at row 2 of those with text and label"
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
