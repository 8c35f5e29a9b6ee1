"""Posts for the benchmarks: distinct tweets as messages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

DATA = Path(__file__).parents[3] / "shared" / "data" / "tweeteval"


def posts(count: int) -> Iterator[dict[str, str]]:
    """Tweets of TweetEval with a number behind each, so that all are distinct."""
    files = sorted(DATA.glob("*/*_text.txt"))
    tweets = [line for file in files for line in file.read_text("utf-8").split("\n") if line]
    for n in range(count):
        text = f"{tweets[n % len(tweets)]} {n}"
        yield {"id": f"t{n}", "text": text, "created_at": "2026-11-21T10:00:00Z", "user": f"u{n % 5000}", "lang": "en"}


def write_json(count: int, to: Path) -> None:
    """A message a line."""
    with to.open("w", encoding="utf-8") as file:
        for one in posts(count):
            file.write(json.dumps(one, ensure_ascii=False) + "\n")


def write_arrow(count: int, to: Path) -> None:
    """A message a row, 65,536 in a batch."""
    rows = pa.Table.from_pylist(list(posts(count)))
    with pa.ipc.new_stream(str(to), rows.schema) as out:
        out.write_table(rows, max_chunksize=65_536)
