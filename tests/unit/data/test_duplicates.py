"""Near duplicates: what is one text in other letters is found, what is another text is not, and the groups are groups."""

from __future__ import annotations

import random
from typing import Literal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

from cauce.data.dataset import Dataset
from cauce.data.duplicates import near, overlap, same
from cauce.model.manifest import Input

TWEET = "Mañana viajo a Perú con toda mi familia, qué ganas de llegar ya"


def dataset(column: pa.Array, kind: Literal["text", "number"]) -> Dataset:
    return Dataset(pa.record_batch({"one": column}), (Input(name="one", type=kind),), pa.array(["x"] * len(column)), "made.csv")


def together(*texts: str | None) -> bool:
    return set(near(pa.array(texts, pa.string()))) == {0}


@pytest.mark.parametrize(
    "copy",
    [
        "RT @alguien: " + TWEET,
        TWEET + " https://t.co/abc123",
        "@una @otra " + TWEET,
        TWEET.upper(),
        "Manana viajo a Peru con toda mi familia, que ganas de llegar ya",
        TWEET.replace(" ", "  "),
        TWEET.replace(" ", "\u00a0") + "\n",
        TWEET + " 😀🔥",
        TWEET.replace(",", "") + "!!!",
        TWEET.replace("familia", "famila"),
        TWEET.replace("familia", "faimlia"),
        TWEET.replace("ganas", "gganas"),
        "rt @x: " + TWEET.replace("viajo", "viago").upper() + " www.example.com/z 😀",
    ],
)
def test_a_changed_copy_is_found(copy: str) -> None:
    assert together(TWEET, copy)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("I love Monday", "I love Sunday"),
        ("ok", "no"),
        ("bien", "bien mal"),
        ("genial 😀", "genial 😡"),
        ("@user She is 😭", "@user She is 😘"),
        ("https://t.co/a", "https://t.co/b"),
        ("cobraron 100 euros de más", "cobraron 900 euros de más"),
        ("Why is there a $1 charge on my statement", "Why is there a $5 charge on my statement"),
        (TWEET, "Mañana viajo a Cuba con todos mis amigos, qué pena de marchar ya"),
    ],
)
def test_another_text_is_not(one: str, other: str) -> None:
    assert not together(one, other)


def test_a_usual_word_for_another_makes_another_text_where_the_data_show_that_it_is_one() -> None:
    cat, bat = "can you translate cat into russian for me", "can you translate bat into russian for me"
    assert together(cat, bat)  # nothing says that "bat" is no typo
    others = [f"{animal} number {n * n} lives in a house of its own" for animal in ("cat", "bat") for n in range(3, 9)]
    assert len(set(near(pa.array([cat, bat, *others]))[:2])) == 2


def test_long_texts_are_compared_word_by_word() -> None:
    words = [f"palabra{number * 37 % 101}" for number in range(300)]
    other = [word if place % 20 else "otra" for place, word in enumerate(words)]
    far = [word if place % 4 else "otra" for place, word in enumerate(words)]
    assert near(pa.array([" ".join(words), " ".join(other), " ".join(far)])).tolist() == [0, 0, 2]


def chain() -> list[str]:
    """Texts of which each is a letter away from the one before it."""
    letters = list("uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece")
    out = []
    for place in range(40):
        letters[place] = "x" if letters[place] != " " else " "
        out.append("".join(letters))
    return list(dict.fromkeys(out))


def test_likeness_is_not_handed_on_from_row_to_row() -> None:
    assert len(set(near(pa.array(chain())))) > 3


@pytest.mark.parametrize("seed", range(5))
def test_where_groups_could_be_drawn_in_several_ways_the_order_does_not_decide(seed: int) -> None:
    def partition(texts: list[str]) -> set[frozenset[str]]:
        groups = near(pa.array(texts))
        return {frozenset(texts[row] for row in np.flatnonzero(groups == first)) for first in groups}

    assert partition(random.Random(seed).sample(chain(), len(chain()))) == partition(chain())


def test_a_null_is_alone_and_no_rows_are_no_groups() -> None:
    assert near(pa.array([None, "a", None, "a"], pa.string())).tolist() == [0, 1, 2, 1]
    assert near(pa.array([], pa.string())).tolist() == []
    assert near(pa.array([None], pa.string())).tolist() == [0]


def test_the_overlap_names_exact_and_near_copies_and_their_partners() -> None:
    first = dataset(pa.array(["nothing of the kind at all", TWEET, "the quick brown fox jumps"]), "text")
    second = dataset(pa.array(["the quick brown fox jumps", "something else entirely", TWEET.upper()]), "text")
    found = overlap(first, second)
    assert (found.exact.tolist(), found.near.tolist(), found.partners.tolist()) == ([0], [2], [2, 1])


def test_rows_of_a_table_overlap_where_they_are_equal() -> None:
    found = overlap(dataset(pa.array([1.0, 2.0, 3.0]), "number"), dataset(pa.array([3.0, 4.0]), "number"))
    assert (found.exact.tolist(), found.near.tolist(), found.partners.tolist()) == ([0], [], [2])


def test_equal_values_have_the_first_row_of_them() -> None:
    assert same(pa.array(["b", "a", "b", None, None])).tolist() == [0, 1, 0, 3, 3]


PIECES = st.sampled_from(
    ["hola", "qué tal", "RT @user:", "http://a.b/c", "😀", "mundo", "the weather", "is fine", "año", "x", "12"]
)
TEXTS = st.lists(st.lists(PIECES, min_size=0, max_size=9).map(" ".join) | st.text(max_size=60), max_size=30)


@given(texts=TEXTS, seed=st.integers(0, 1000))
@example_settings(deadline=None, max_examples=80)
def test_groups_are_a_partition_that_the_order_of_the_rows_does_not_change(texts: list[str], seed: int) -> None:
    groups = near(pa.array(texts, pa.string()))
    assert groups.dtype == np.int64
    assert all(groups[first] == first <= row for row, first in enumerate(groups))
    order = list(range(len(texts)))
    random.Random(seed).shuffle(order)
    shuffled = near(pa.array([texts[row] for row in order], pa.string()))
    parts = [{frozenset(np.flatnonzero(groups == first)) for first in groups}]
    parts.append({frozenset(order[row] for row in np.flatnonzero(shuffled == first)) for first in shuffled})
    assert parts[0] == parts[1]


@given(text=st.text(st.characters(categories=["L", "N", "Z", "P"]), max_size=80), times=st.integers(2, 4))
@example_settings(deadline=None, max_examples=60)
def test_equal_texts_are_always_together(text: str, times: int) -> None:
    assert together(*[text] * times)


def test_planted_copies_among_real_tweets(real_data) -> None:
    lines = real_data("tweeteval/emotion/train_text.txt").read_text(encoding="utf-8").splitlines()
    chance = random.Random(1)
    chosen = [row for row in chance.sample(range(len(lines)), 400) if len(lines[row]) > 40]
    groups = near(pa.array([*lines, *(f"RT @other: {lines[row].upper()} https://t.co/x" for row in chosen)]))
    assert sum(groups[len(lines) + i] == groups[row] for i, row in enumerate(chosen)) >= 0.99 * len(chosen)
    assert sum(group != row for row, group in enumerate(groups[: len(lines)])) < 0.05 * len(lines)  # looked at: all true


def test_rows_of_one_template_take_bounded_time() -> None:
    orders = [f"Dear customer, your order {number} has been sent to you by our team" for number in range(20_000)]
    assert len(set(near(pa.array(orders)))) == len(orders)  # another number is another order
