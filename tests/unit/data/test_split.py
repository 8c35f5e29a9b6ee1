"""Parts of a dataset: no row is lost, no text is on two sides, every label keeps its share."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import strategies as st

from cauce.data.dataset import Dataset
from cauce.data.split import split
from cauce.errors import TooFewLabels
from cauce.model.manifest import Input

SHARES = st.sampled_from([(0.7, 0.15, 0.15), (0.9, 0.1), (0.5, 0.5), (0.8, 0.1, 0.1), (0.6, 0.2, 0.2)])
SEEDS = st.integers(0, 2**32 - 1)


def dataset(examples: list[tuple[str, str]]) -> Dataset:
    texts, labels = zip(*examples, strict=True)
    rows = pa.record_batch({"text": pa.array(texts, pa.string())})
    return Dataset(rows, (Input(name="text", type="text"),), pa.array(labels, pa.string()), "made.csv")
    assert "--dev and --test" in caught.value.hint


def test_one_label_only_is_refused() -> None:
    with pytest.raises(TooFewLabels, match='every row has the label "x"'):
        split(dataset([(str(number), "x") for number in range(20)]), (0.5, 0.5), 0)


def test_a_text_with_two_labels_stays_on_one_side() -> None:
    usual = [(f"{label} {number}", label) for label in "ab" for number in range(10)]
    parts = split(dataset([*usual, *[("the same", "a"), ("the same", "b")] * 4]), (0.5, 0.5), 0)
    assert sorted(part.rows.column(0).to_pylist().count("the same") for part in parts) == [0, 8]
