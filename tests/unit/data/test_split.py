"""Parts of a dataset: no row is lost, no text is on two sides, every label keeps its share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

from cauce.data.dataset import Dataset
from cauce.data.split import split
from cauce.errors import InputError, TooFewLabels
from cauce.model.manifest import Input

SHARES = st.sampled_from([(0.7, 0.15, 0.15), (0.9, 0.1), (0.5, 0.5), (0.8, 0.1, 0.1), (0.6, 0.2, 0.2)])
WORDS = """chair table garden window kettle hammer blanket mirror bottle candle ladder carpet pencil basket guitar helmet
    jacket magnet needle oven pillow quilt radio saddle teapot umbrella vase wallet zipper anchor bucket camera drum engine
    feather glove harp iron jar kite""".split()
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


def timed(days: list[int | None], labels: list[str] | None = None) -> Dataset:
    """Different texts at these days of January 2024."""
    texts = pa.array([f"{number * 7919} is the only number here" for number in range(len(days))], pa.string())
    moments = [None if day is None else datetime(2024, 1, day, tzinfo=UTC) for day in days]
    return replace(
        dataset(list(zip(texts.to_pylist(), labels or ["a", "b"] * (len(days) // 2), strict=True))),
        time=pa.array(moments, pa.timestamp("us", "UTC")),
    )


def test_near_duplicates_are_in_one_part_and_it_is_said() -> None:
    texts = [f"{word} is what they sent me this time, and {word} it is" for word in WORDS]
    rows = [(text, "ab"[n % 2]) for n, text in enumerate(texts)]
    copies = [(f"RT @user{n}: {text.upper()} https://t.co/{n}", label) for n, (text, label) in enumerate(rows)]
    parts = split(dataset(rows + copies), (0.6, 0.2, 0.2), 0)
    kinds = [{word for word in WORDS if any(word in text.lower() for text in part.texts().to_pylist())} for part in parts]
    assert sum(map(len, kinds)) == len(WORDS)
    assert any("40 row(s) repeat another" in note for note in parts[0].notes)


def test_by_time_the_oldest_are_for_training_and_it_is_said() -> None:
    days = [*range(20, 0, -1)]
    parts = split(timed(days), (0.7, 0.15, 0.15), 0)
    found = [[moment.day for moment in part.time.to_pylist()] for part in parts if part.time]
    assert [sorted(part) for part in found] == [[*range(1, 15)], [15, 16, 17], [18, 19, 20]]
    assert "split by time: train up to 2024-01-14, dev up to 2024-01-17, test what is later" in parts[0].notes


def test_rows_of_one_day_stay_together_and_the_real_shares_are_said() -> None:
    parts = split(timed([1] * 10 + [2] * 6 + [3] * 4), (0.7, 0.15, 0.15), 0)
    assert [len(part) for part in parts] == [10, 6, 4]
    assert "rows of one moment stay together, so the parts are train 50%, dev 30%, test 20%" in parts[0].notes


def test_by_label_the_time_does_not_count() -> None:
    parts = split(timed([*range(1, 21)]), (0.5, 0.5), 0, by="label")
    assert all(set(part.counts()) == {"a", "b"} for part in parts)


def test_too_few_moments_no_time_and_rows_without_one_are_refused() -> None:
    with pytest.raises(InputError, match=r"2 different time\(s\) cannot make 3 parts"):
        split(timed([1, 1, 2, 2]), (0.7, 0.15, 0.15), 0)
    with pytest.raises(InputError, match="no time to split by") as caught:
        split(dataset([("x", "a"), ("y", "b")]), (0.5, 0.5), 0, by="time")
    assert "--time" in caught.value.hint
    with pytest.raises(InputError, match=r"1 row\(s\) have no time"):
        split(timed([1, None, 3, 4]), (0.5, 0.5), 0)


def test_by_time_a_label_that_training_lacks_is_refused_and_one_that_a_part_lacks_is_said() -> None:
    days = [*range(1, 21)]
    with pytest.raises(TooFewLabels, match='no row of the label "new"'):
        split(timed(days, ["a", "b"] * 9 + ["new"] * 2), (0.7, 0.15, 0.15), 0)
    parts = split(timed(days, ["old"] * 2 + ["a", "b"] * 9), (0.7, 0.15, 0.15), 0)
    assert 'dev has no row of the label "old": it is not measured there' in parts[0].notes


def test_numbers_are_split_by_quantile() -> None:
    texts = pa.array([f"{number * 7919} is the only number here" for number in range(100)], pa.string())
    numbers = pa.array([float(number**2) for number in range(100)])
    data = replace(dataset([(text, "x") for text in texts.to_pylist()]), labels=numbers, task="regression")
    parts = split(data, (0.7, 0.15, 0.15), 0)
    for part in parts:
        places = [round(value**0.5) for value in part.labels.to_pylist()]
        assert all(any(low <= place < low + 20 for place in places) for low in range(0, 100, 20))
    assert sum(map(len, parts)) == 100


@given(rows=st.lists(st.sets(st.sampled_from("abcde")), min_size=12, max_size=80), seed=SEEDS)
@example_settings(deadline=None, max_examples=60)
def test_sets_of_labels_are_split_and_none_is_lost(rows: list[set[str]], seed: int) -> None:
    lists = [sorted(labels) for labels in rows]
    texts = [f"{number * 7919} is the only number here" for number in range(len(rows))]
    data = replace(dataset([(text, "x") for text in texts]), labels=pa.array(lists, pa.list_(pa.string())), task="multilabel")
    if all(labels == lists[0] for labels in lists):
        return
    parts = split(data, (0.7, 0.15, 0.15), seed)
    assert Counter(text for part in parts for text in part.texts().to_pylist()) == Counter(texts)
    assert all(len(part) for part in parts)


def test_every_usual_label_of_a_set_is_in_every_part() -> None:
    lists = [["a", "b"][: 1 + n % 2] + (["rare"] if n % 9 == 0 else []) for n in range(90)]
    texts = [f"{number * 7919} is the only number here" for number in range(90)]
    data = replace(dataset([(text, "x") for text in texts]), labels=pa.array(lists, pa.list_(pa.string())), task="multilabel")
    assert all(set(part.counts()) == {"a", "b", "rare"} for part in split(data, (0.7, 0.15, 0.15), 0))


def test_the_parts_do_not_depend_on_the_number_of_threads(messages: Path) -> None:
    program = (
        "from cauce.data.read import read; from cauce.data.split import split; import sys;"
        "print([part.sha256() for part in split(read(sys.argv[1]), (0.7, 0.15, 0.15), 0)])"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program, messages],
            env={**os.environ, "CAUCE_THREADS": count},
            capture_output=True,
            check=True,
        ).stdout
        for count in ("1", "3")
    }
    assert len(said) == 1


@pytest.mark.parametrize("seed", range(8))
def test_a_label_of_one_row_of_several_labels_is_trained_on(seed: int) -> None:
    sets = [[["a"], ["b"], ["a", "b"]][i % 3] for i in range(90)]
    sets[7] = ["a", "rare"]
    texts = pa.array([f"{chr(97 + i % 26) * 9} {i * 7919} words of row" for i in range(90)])
    inputs = (Input(name="text", type="text"),)
    data = Dataset(
        pa.record_batch({"text": texts}), inputs, pa.array(sets, pa.list_(pa.string())), "made.csv", task="multilabel"
    )
    parts = split(data, (0.7, 0.15, 0.15), seed)
    assert "rare" in parts[0].counts()
    assert sum(len(part) for part in parts) == 90
    moved = [note for note in parts[0].notes if '"rare"' in note]
    plain = split(replace(data, labels=pa.array([[n for n in s if n != "rare"] for s in sets])), (0.7, 0.15, 0.15), seed)
    was_held_out = len(parts[0]) != len(plain[0])
    assert bool(moved) == was_held_out


def test_a_table_of_few_values_is_split_by_rows_and_it_is_said() -> None:
    colors = pa.array(["rojo", "azul"] * 100)
    labels = pa.array([("yes", "no")[(i // 3) % 2] for i in range(200)])
    data = Dataset(pa.record_batch({"color": colors}), (Input(name="color", type="category"),), labels, "made.csv")
    parts = split(data, (0.7, 0.15, 0.15), 0)
    assert [len(part) for part in parts] == [140, 30, 30]
    assert any("most rows repeat another" in note for note in parts[0].notes)


def test_a_table_of_which_some_rows_repeat_keeps_them_together() -> None:
    numbers = pa.array([float(i) for i in range(90)] * 2 + [float(i) for i in range(90, 200)])
    labels = pa.array([("yes", "no")[int(i) % 2] for i in numbers.to_pylist()])
    data = Dataset(pa.record_batch({"size": numbers}), (Input(name="size", type="number"),), labels, "made.csv")
    held = [set(part.rows.column(0).to_pylist()) for part in split(data, (0.7, 0.15, 0.15), 0)]
    assert not held[0] & held[1]
    assert not (held[0] | held[1]) & held[2]
