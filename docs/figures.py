"""Put what was measured into the READMEs: the result of `make demo`, and benchmarks/results. `make docs` runs it.

A figure stands behind a comment that names it: <!-- figure: base_install_mb -->426 MB.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
READMES = (ROOT / "README.md", ROOT / "README.es.md")
FIGURE = re.compile(r"(<!-- figure: (\w+) -->)[\d.?]+")
DEMO = re.compile(r"(<!-- begin: make demo -->\n```text\n).*?(```\n<!-- end -->)", re.DOTALL)
VARIES = re.compile(r"@[0-9a-f]{12}|in [\d.]+ s")  # the version and the seconds differ from machine to machine


def figures() -> dict[str, str]:
    """Every figure that has a name, from the newest benchmark results."""
    startup, speed = (json.loads((RESULTS / f"{name}.json").read_text("utf-8")) for name in ("startup", "speed"))
    return {
        **{name: str(startup[name]) for name in ("base_install_mb", "help_s", "import_s", "predict_s")},
        "tweets_a_second_k": str(round(speed["predict_arrow_tweets_per_second"]["median"] / 1000)),
        "ratio": str(speed["ratio"]),
        "one_text_us": str(speed["one_text_microseconds"]["median"]),
        "tweets": str(speed["tweets"]),
        "threads": str(speed["threads"]),
        "train_tweets_s": str(speed["train_seconds"]["tweets"]),
    }


def demo() -> str:
    """What the training of `make demo` prints, notes left out, its columns aligned."""
    with tempfile.TemporaryDirectory() as room:
        command = [sys.executable, "-m", "cauce", "train", "examples/data/messages.csv", "--out", f"{room}/messages"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True, encoding="utf-8")
    said = done.stderr.replace(f"{room}/", "demo/")
    head, verdict = (next(line for line in said.splitlines() if line.startswith(start)) for start in ("demo/", "macro F1"))
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([head, "", *table, "", verdict, ""])


def filled(page: str, values: dict[str, str], result: str) -> str:
    """The page with its figures and the result of the demo as they are now."""
    page = FIGURE.sub(lambda found: found[1] + values[found[2]], page)
    return DEMO.sub(lambda found: found[1] + result + found[2], page)


if __name__ == "__main__":
    values, result = figures(), demo()
    for readme in READMES:
        readme.write_text(filled(readme.read_text("utf-8"), values, result), encoding="utf-8")
