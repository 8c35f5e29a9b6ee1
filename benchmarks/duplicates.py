"""How well and how fast near duplicates are found: planted among real tweets, with a seed.

Each planted copy is a tweet changed in one way or several (`CHANGES`). Beside them stand texts that look alike and are
not: short tweets with one word exchanged for another usual word. A pair is a row and the first row of its group. False
are the pairs with such a text, of a copy with a stranger, and natural ones that difflib finds less than 80 % alike.
Writes benchmarks/results/duplicates.json.
"""

from __future__ import annotations

import difflib
import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
from machine import machine

from cauce.data import duplicates
from cauce.data.tables import read_table
from cauce.text.threads import threads

ROOT = Path(__file__).parent.parent
TWEETS = ROOT.parent / "shared" / "data" / "semeval_2013_2016_train" / "train.tsv"
RESULT = ROOT / "benchmarks" / "results" / "duplicates.json"
ROWS, COPIES, STRANGERS = 50_000, 3_000, 3_000
LEAST_WORDS, MOST_WORDS = 5, 10  # of a tweet that is copied at least, and of one that gets another word at most
ALIKE = 0.8
RUNS = 5
ACCENTS = str.maketrans("aeioun", "áéíóúñ")


def typo(text: str, random: random.Random) -> str:
    """A letter dropped, doubled, changed or swapped with its neighbor."""
    letters = [i for i in range(1, len(text) - 1) if text[i].isalpha() and text[i + 1].isalpha()]
    i = random.choice(letters or [0])
    other = random.choice("aeiorstnl")
    return text[:i] + random.choice(
        (text[i + 1 :], text[i] + text[i:], other + text[i + 1 :], text[i : i + 2][::-1] + text[i + 2 :])
    )


def link(text: str, random: random.Random) -> str:
    """Another link at the end."""
    return re.sub(r"\s*(https?:?\S*|http)\s*$", "", text) + f" https://t.co/{random.randrange(16**8):x}"


CHANGES: dict[str, Callable[[str, random.Random], str]] = {
    "typo": typo,
    "retweet": lambda text, random: f"RT @user{random.randrange(10**6)}: {text}",
    "link": link,
    "accents": lambda text, random: text.translate(ACCENTS),
    "case": lambda text, random: random.choice((text.upper(), text.lower(), text.title())),
    "spaces": lambda text, random: text.replace(" ", random.choice(("  ", "\u00a0", "\t"))),
    "emoji": lambda text, random: f"{text} {random.choice('😀😭🔥❤👏')}",
}


def several(text: str, random: random.Random) -> str:
    """Three changes, one after the other."""
    for change in random.sample(list(CHANGES.values()), 3):
        text = change(text, random)
    return text


def another_word(text: str, usual: list[str], random: random.Random) -> str:
    """One of its longer words exchanged for another usual word."""
    words = text.split()
    places = [i for i, word in enumerate(words) if word.isalpha() and len(word) > 2] or [0]
    i = random.choice(places)
    words[i] = random.choice([word for word in random.sample(usual, 8) if word != words[i].lower()])
    return " ".join(words)


def letters(text: str) -> str:
    """What a tweet says, roughly: without retweet marks, mentions, links and punctuation."""
    return re.sub(r"rt @\w+:|@\w+|https?\S*|\W+", " ", text.lower())


def main(seed: int = 0) -> None:
    """Plant, find, count, write."""
    chance = random.Random(seed)
    tweets = read_table(TWEETS).table.column("text").to_pylist()
    chance.shuffle(tweets)
    tweets = tweets[: ROWS - COPIES - STRANGERS]
    usual = [
        word
        for word, _ in Counter(w for text in tweets for w in text.lower().split() if w.isalpha() and len(w) > 2).most_common(
            1000
        )
    ]
    long = [i for i, text in enumerate(tweets) if len(re.findall(r"[^\W\d_]{2,}", text)) >= LEAST_WORDS]
    short = [i for i in long if len(tweets[i].split()) <= MOST_WORDS]
    kinds = {**CHANGES, "several": several}
    planted = [
        (i, kind, kinds[kind](tweets[i], chance))
        for i, kind in zip(chance.choices(long, k=COPIES), list(kinds) * COPIES, strict=False)
    ]
    strangers = [(i, another_word(tweets[i], usual, chance)) for i in chance.choices(short, k=STRANGERS)]
    texts = [*tweets, *(text for _, _, text in planted), *(text for _, text in strangers)]

    column = pa.array(texts)
    duplicates.near(column.slice(0, 2000))  # compiles
    taken = []
    for _ in range(RUNS):
        start = time.perf_counter()
        groups = duplicates.near(column)
        taken.append(time.perf_counter() - start)

    base = len(tweets)
    found = Counter(kind for row, (i, kind, _) in enumerate(planted, start=base) if groups[row] == groups[i])
    sought = Counter(kind for _, kind, _ in planted)
    family = [*range(base), *(i for i, _, _ in planted), *range(base + COPIES, len(texts))]
    pairs = [(row, int(first)) for row, first in enumerate(groups) if first != row]
    natural = {row: first for row, first in pairs if row < base and first < base}  # nearly one text already
    wrong = [
        (row, first)
        for row, first in pairs
        if natural.get(family[row], family[row]) != natural.get(family[first], family[first])
        or (row in natural and difflib.SequenceMatcher(None, letters(texts[row]), letters(texts[first])).ratio() < ALIKE)
    ]
    result = {
        "rows": len(texts),
        "planted": COPIES,
        "found": round(sum(found.values()) / COPIES, 4),
        "found_by_change": {kind: round(found[kind] / sought[kind], 4) for kind in kinds},
        "other_texts_planted": STRANGERS,
        "pairs": len(pairs),
        "false_pairs": len(wrong),
        "false_share": round(len(wrong) / len(pairs), 4),
        "seconds": {"median": round(sorted(taken)[RUNS // 2], 3), "min": round(min(taken), 3), "max": round(max(taken), 3)},
        "seed": seed,
        "threads": threads(),
        **machine("numpy", "numba", "pyarrow"),
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(result, indent=2) + "\n")
    for row, first in wrong[: int(len(sys.argv) > 1) * 40]:
        sys.stdout.write(f"{texts[first]}\n{texts[row]}\n\n")


if __name__ == "__main__":
    main()
