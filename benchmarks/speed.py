"""How fast the linear model trains and answers, beside scikit-learn's TF-IDF pipeline of quality.py, in one run.

One model folder, trained on the 47,447 tweets of SemEval, scores those same tweets. Medians of 5; one text inside
`Model.predict` is the median of 2000. The peer is fitted on, and scores, the first 4000 tweets: its rate does not rise with
more. Memory is the peak while the folder is loaded and all tweets are scored, above that of a process that holds
the texts. `load` is the machine's load average: above its count of processors others were using them, and rates are too low.
Writes benchmarks/results/speed.json.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from machine import machine
from quality import DATA, TASKS
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union

import cauce
from cauce.data.read import read
from cauce.text.threads import threads

RESULT = Path(__file__).parent / "results" / "speed.json"
RUNS, SINGLES, PEER_ROWS = 5, 2000, 4000

MEMORY = """
import sys
import cauce, pyarrow as pa
from cauce.data.read import read
def mib(field):
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(field))) / 1024
texts = read(sys.argv[2]).rows.column(0)
before = mib("VmRSS")
open("/proc/self/clear_refs", "w").write("5")  # the peak starts again from here
model = cauce.load(sys.argv[1])
model.predict_arrow(pa.record_batch([texts], names=[model.manifest.inputs[0].name]))
print(mib("VmHWM") - before)
"""


def seconds(work: Callable[[], object]) -> dict[str, float]:
    """Median, least and most wall seconds of some calls."""
    taken = []
    for _ in range(RUNS):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return {"median": statistics.median(taken), "min": min(taken), "max": max(taken)}


def rates(rows: int, taken: dict[str, float]) -> dict[str, int]:
    """Rows a second of those seconds."""
    return {"median": round(rows / taken["median"]), "min": round(rows / taken["max"]), "max": round(rows / taken["min"])}


def peer_rate(texts: list[str], labels: list[str]) -> dict[str, int]:
    """Texts a second that scikit-learn's pipeline scores."""
    features = make_union(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, min_df=2),
    )
    pipeline = make_pipeline(features, LogisticRegression(max_iter=1000, class_weight="balanced")).fit(texts, labels)
    return rates(len(texts), seconds(lambda: pipeline.predict_proba(texts)))


def main() -> None:
    """Measure and write the result."""
    if not DATA.exists():
        sys.stdout.write("the real data are not here: nothing measured\n")
        return
    load = os.getloadavg()
    task = next(task for task in TASKS if task.name == "tweeteval/sentiment")
    tweets, banking = DATA / task.train, DATA / "banking77" / "train.csv"
    data = read(tweets)
    with tempfile.TemporaryDirectory() as room:
        cauce.train(banking, out=f"{room}/first")  # compiles the kernels where that was not done yet
        run = cauce.train(tweets, dev=DATA / str(task.dev), out=f"{room}/tweets")
        banking_seconds = cauce.train(banking, out=f"{room}/banking").seconds
        model, name = cauce.load(f"{room}/tweets"), run.model.manifest.inputs[0].name
        batch = data.rows.rename_columns([name])
        model.predict_arrow(batch)
        ours = rates(len(data), seconds(lambda: model.predict_arrow(batch)))
        singles = []
        for text in data.texts().to_pylist()[:SINGLES]:
            start = time.perf_counter()
            model.predict([text])
            singles.append(1e6 * (time.perf_counter() - start))
        memory = subprocess.run(
            [sys.executable, "-c", MEMORY, f"{room}/tweets", tweets], check=True, capture_output=True, text=True
        )
    theirs = peer_rate(data.texts().to_pylist()[:PEER_ROWS], data.labels.to_pylist()[:PEER_ROWS])
    result = {
        "tweets": len(data),
        "predict_arrow_tweets_per_second": ours,
        "scikit_learn_tweets_per_second": theirs,
        "ratio": round(ours["median"] / theirs["median"], 1),
        "one_text_microseconds": {
            "median": round(statistics.median(singles), 1),
            "p99": round(float(np.percentile(singles, 99)), 1),
        },
        "train_seconds": {"tweets": round(run.seconds, 1), "banking77": round(banking_seconds, 1)},
        "scoring_peak_memory_mib": round(float(memory.stdout), 1),
        "load": {"before": [round(x, 2) for x in load], "after": [round(x, 2) for x in os.getloadavg()]},
        "threads": threads(),
        **machine("numpy", "numba", "pyarrow", "scikit-learn"),
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
