"""What the slow steps of the normalizer cost: rows a second of the linear model with and without them, in the same run."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import pyarrow as pa
from machine import machine

import cauce
from cauce.data.read import read
from cauce.text.normalize import Normalizer
from cauce.text.threads import threads

ROOT = Path(__file__).parent.parent
DATA = ROOT.parent / "shared" / "data"
RESULT = ROOT / "benchmarks" / "results" / "normalizer.json"
ROWS, REPEATS = 100_000, 7


def main() -> None:
    """Time each way in turn, so that a busy moment of the machine meets all of them."""
    if not DATA.exists():
        sys.stdout.write("the real data are not here: nothing measured\n")
        return
    tweets = read(DATA / "semeval_2013_2016_train" / "train.tsv").texts().to_pylist()
    bare = [text for text in tweets if text.isascii() and "<" not in text and "&" not in text]
    tagged = [f"<p>{text.replace('&', '&amp;')}</p>" for text in tweets]
    models = {}
    with tempfile.TemporaryDirectory() as room:
        for name, normalizer in (
            ("usual", Normalizer()),
            ("html", Normalizer(html=True)),
            ("spelling", Normalizer(spelling=True)),
        ):
            emotion = DATA / "tweeteval" / "emotion"
            run = cauce.train(
                emotion / "train_text.txt", dev=emotion / "val_text.txt", out=f"{room}/{name}", normalizer=normalizer
            )
            models[name] = run.model
    ways = {
        "usual, no row has < or &": ("usual", bare, ROWS),
        "html, no row has < or &": ("html", bare, ROWS),
        "usual, tweets as they are": ("usual", tweets, ROWS),
        "html, tweets as they are": ("html", tweets, ROWS),
        "html, every row has tags": ("html", tagged, ROWS // 5),
        "spelling, tweets as they are": ("spelling", tweets, ROWS // 5),
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(REPEATS):
        for way, (name, texts, rows) in ways.items():
            batch = pa.array((texts * (rows // len(texts) + 1))[:rows])
            start = time.perf_counter()
            models[name].predict(batch)
            seconds[way].append((time.perf_counter() - start) * ROWS / rows)
    result = {
        "rows_per_second": {way: round(ROWS / median(times)) for way, times in seconds.items()},
        "rows_per_second_best": {way: round(ROWS / min(times)) for way, times in seconds.items()},
        "share_of_rows_with_markup": round(sum("<" in text or "&" in text for text in tweets) / len(tweets), 3),
        "repeats": REPEATS,
        "processors": os.cpu_count(),
        "threads": threads(),
        **machine("numba", "symspellpy"),
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
