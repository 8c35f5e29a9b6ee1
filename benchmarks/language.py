"""How often the language of a tweet is told rightly, wrongly or not at all: the test parts of UMSAB in Spanish and English.

Some of these tweets are in another language, or a single word. Writes benchmarks/results/language.json.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from pathlib import Path

from cauce.data.language import language

ROOT = Path(__file__).parent.parent
TWEETS = ROOT.parent / "shared" / "data" / "umsab"
RESULT = ROOT / "benchmarks" / "results" / "language.json"


def main() -> None:
    """Count and write."""
    result = {}
    for folder, code in (("spanish", "es"), ("english", "en")):
        texts = (TWEETS / folder / "test_text.txt").read_text(encoding="utf-8").split("\n")[:-1]
        start = time.perf_counter()
        said = Counter(language(text) for text in texts)
        seconds = time.perf_counter() - start
        result[folder] = {
            "texts": len(texts),
            "right": round(said[code] / len(texts), 4),
            "unknown": round(said["unknown"] / len(texts), 4),
            "wrong": round(1 - (said[code] + said["unknown"]) / len(texts), 4),
            "texts_a_second": round(len(texts) / seconds),
        }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
