"""Parts of a dataset: no row is lost, no text is on two sides, every label keeps its share."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as example_settings
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


def examples_of(part: Dataset) -> list[tuple[str, str]]:
    return list(zip(part.rows.column(0).to_pylist(), part.labels.to_pylist(), strict=True))


@st.composite
def datasets(draw: st.DrawFn) -> Dataset:
    """Labels of 3 to 40 different texts, some of them several times, in any order."""
    different = [
        (f"{label} {number}", label)
        for label in "abcd"[: draw(st.integers(2, 4))]
        for number in range(draw(st.integers(3, 40)))
    ]
    repeated = draw(st.lists(st.sampled_from(different), max_size=60))
    return dataset(draw(st.permutations(different + repeated)))


@given(data=datasets(), shares=SHARES, seed=SEEDS)
@example_settings(deadline=None, max_examples=60)
def test_every_row_is_in_one_part_exactly_once(data: Dataset, shares: tuple[float, ...], seed: int) -> None:
    parts = split(data, shares, seed)
    assert len(parts) == len(shares)
    assert Counter(example for part in parts for example in examples_of(part)) == Counter(examples_of(data))


@given(data=datasets(), shares=SHARES, seed=SEEDS)
@example_settings(deadline=None, max_examples=60)
def test_equal_texts_are_never_in_two_parts(data: Dataset, shares: tuple[float, ...], seed: int) -> None:
    texts = [set(part.rows.column(0).to_pylist()) for part in split(data, shares, seed)]
    assert sum(map(len, texts)) == len(set.union(*texts))


@given(data=datasets(), shares=SHARES, seed=SEEDS)
@example_settings(deadline=None, max_examples=60)
def test_every_label_keeps_its_share_of_different_texts(data: Dataset, shares: tuple[float, ...], seed: int) -> None:
    whole = Counter(label for _, label in set(examples_of(data)))
    for part, share in zip(split(data, shares, seed), shares, strict=True):
        found = Counter(label for _, label in set(examples_of(part)))
        assert {label: found[label] for label in whole} == {
            label: pytest.approx(share * count, abs=1.5) for label, count in whole.items()
        }


@given(data=datasets(), shares=SHARES, seed=SEEDS)
@example_settings(deadline=None, max_examples=60)
def test_every_part_has_a_row_of_every_label(data: Dataset, shares: tuple[float, ...], seed: int) -> None:
    for part in split(data, shares, seed):
        assert set(part.counts()) == set(data.counts())


@given(data=datasets(), seed=SEEDS)
@example_settings(deadline=None, max_examples=20)
def test_the_same_seed_gives_the_same_parts(data: Dataset, seed: int) -> None:
    assert split(data, (0.7, 0.15, 0.15), seed) == split(data, (0.7, 0.15, 0.15), seed)


def test_another_seed_gives_other_parts() -> None:
    data = dataset([(f"{label} {number}", label) for label in "ab" for number in range(50)])
    assert split(data, (0.5, 0.5), 0) != split(data, (0.5, 0.5), 1)


@given(data=datasets(), seed=SEEDS)
@example_settings(deadline=None, max_examples=20)
def test_rows_stay_in_the_order_of_the_file(data: Dataset, seed: int) -> None:
    order = iter(examples_of(data))
    assert all(example in order for example in examples_of(split(data, (0.7, 0.15, 0.15), seed)[0]))


@pytest.mark.parametrize("shares", [(0.7, 0.15, 0.15), (0.9, 0.1)])
@pytest.mark.parametrize("rows", [3, 4, 5, 6])
def test_the_smallest_labels_that_are_taken_leave_no_part_empty(rows: int, shares: tuple[float, ...]) -> None:
    data = dataset([(f"{label} {number}", label) for label in "ab" for number in range(rows)])
    assert all(set(part.counts()) == {"a", "b"} for part in split(data, shares, 0))


@pytest.mark.parametrize("rows", [1, 2])
def test_a_label_with_too_few_different_texts_is_refused_by_name(rows: int) -> None:
    rare = [(f"rare {number}", "rare") for number in range(rows)] * 5  # repeats do not count
    data = dataset([(f"usual {number}", "usual") for number in range(20)] + rare)
    with pytest.raises(TooFewLabels, match=rf'the label "rare" has {rows} different row\(s\)') as caught:
        split(data, (0.7, 0.15, 0.15), 0)
    assert (caught.value.code, caught.value.where) == ("too_few_labels", "made.csv")
    assert "--dev and --test" in caught.value.hint


def test_one_label_only_is_refused() -> None:
    with pytest.raises(TooFewLabels, match='every row has the label "x"'):
        split(dataset([(str(number), "x") for number in range(20)]), (0.5, 0.5), 0)


def test_a_text_with_two_labels_stays_on_one_side() -> None:
    usual = [(f"{label} {number}", label) for label in "ab" for number in range(10)]
    parts = split(dataset([*usual, *[("the same", "a"), ("the same", "b")] * 4]), (0.5, 0.5), 0)
    assert sorted(part.rows.column(0).to_pylist().count("the same") for part in parts) == [0, 8]
