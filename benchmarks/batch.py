"""How fast `cauce batch` is, how much memory it takes, and what two peers do on the same machine in the same run.

The rows are the tweets of TweetEval with a number behind each, so that all are distinct; the model is trained on its emotion
part. Every job is the real command in a process of its own, and its peak memory is what the system says of it.
The peers get fewer rows: pandas with scikit-learn's TF-IDF pipeline in chunks, and Polars that calls the same
`predict_arrow` for each batch. `load` is the machine's load average: above its count of processors others were using
them, and rates are too low.
Writes benchmarks/results/batch.json.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from machine import machine

ROOT = Path(__file__).parent.parent
RESULT = ROOT / "benchmarks" / "results" / "batch.json"
DATA = ROOT.parent / "shared" / "data" / "tweeteval"
STEP = 100_000  # rows written at a time
PEERS = ("pandas", "polars")

PANDAS = """
import sys, time
import pandas as pd, pyarrow.parquet as pq
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union
data, source, out = sys.argv[1:4]
def lines(part):
    return open(f"{data}/emotion/train_{part}.txt", encoding="utf-8").read().rstrip("\\n").split("\\n")
texts, labels = lines("text"), lines("labels")
words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
chars = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True)
model = make_pipeline(make_union(words, chars), LogisticRegression(max_iter=300)).fit(texts, labels)
start, rows = time.perf_counter(), 0
for number, batch in enumerate(pq.ParquetFile(source).iter_batches(20_000)):
    frame = batch.to_pandas()
    scores = model.predict_proba(frame["text"])
    frame["label"], frame["score"] = model.classes_[scores.argmax(axis=1)], scores.max(axis=1)
    frame.to_parquet(f"{out}/part-{number}.parquet")
    rows += len(frame)
print(rows / (time.perf_counter() - start))
"""
POLARS = """
import sys, time
import polars as pl, pyarrow as pa
import cauce
folder, source, out = sys.argv[1:4]
model = cauce.load(folder)
model.warm_up()
def answer(frame):
    batches = frame.to_arrow().to_batches()
    return pl.from_arrow(pa.Table.from_batches([model.predict_arrow(batch) for batch in batches]))
start = time.perf_counter()
frame = answer(pl.read_parquet(source))
frame.write_parquet(out + "/out.parquet")
print(len(frame) / (time.perf_counter() - start))
"""


def write_rows(rows: int, to: Path) -> None:
    """Distinct tweets, as Parquet or CSV."""
    files = sorted(DATA.glob("*/*_text.txt"))
    tweets = pa.array([line for file in files for line in file.read_text("utf-8").split("\n") if line])
    schema = pa.schema([("id", pa.int64()), ("text", pa.string())])
    writer: Any = pq.ParquetWriter(to, schema) if to.suffix == ".parquet" else pa.csv.CSVWriter(to, schema)
    with writer:
        for start in range(0, rows, STEP):
            numbers = pa.array(range(start, min(start + STEP, rows)))
            places = pc.subtract(numbers, pc.multiply(pc.divide(numbers, len(tweets)), len(tweets)))
            texts = pc.binary_join_element_wise(tweets.take(places), numbers.cast(pa.string()), " ")
            writer.write(pa.RecordBatch.from_arrays([numbers, texts], schema=schema))


def job(model: Path, source: Path, out: Path, *more: str) -> dict[str, float]:
    """Run the command: seconds, rows a second of the whole process, and its peak memory."""
    command = [sys.executable, "-m", "cauce", "batch", str(model), str(source), str(out), "--json", *more]
    start = time.perf_counter()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.DEVNULL)
        peak = 0
        while process.poll() is None:  # not ru_maxrss, which begins with what this process has
            status = Path(f"/proc/{process.pid}/status").read_text()
            peak = max(peak, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)
            time.sleep(0.02)
        taken = time.perf_counter() - start
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
        said.seek(0)
        manifest = json.loads(said.read())
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    processors = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    rows = manifest["rows"]["read"]
    return {
        "rows": rows,
        "seconds": round(taken, 2),
        "rows_per_second": round(rows / taken),
        "peak_mb": round(peak / 1024),
        "processor_seconds": round(processors, 2),
    }


def peers(room: Path, model: Path, fewest: Path, few: Path) -> dict[str, Any]:
    """Rows a second of the peers, in an environment of their own above this one."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", room / "venv"], check=True)
    python = room / "venv" / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, *PEERS, "-c", ROOT / "constraints.txt"], check=True)
    site = next((room / "venv" / "lib").glob("python*/site-packages"))
    (site / "above.pth").write_text(f"{sysconfig.get_path('purelib')}\n{ROOT / 'src'}\n")
    found: dict[str, Any] = {}
    jobs = (("pandas + scikit-learn", PANDAS, DATA, fewest), ("polars + predict_arrow", POLARS, model, few))
    for name, code, first, source in jobs:
        out = room / name.split()[0]
        out.mkdir()
        done = subprocess.run([python, "-c", code, first, source, out], check=True, capture_output=True, text=True)
        found[name] = {"rows": pq.ParquetFile(source).metadata.num_rows, "rows_per_second": round(float(done.stdout))}
    listed = subprocess.run([python, "-m", "pip", "list", "--format=json"], capture_output=True, text=True, check=False).stdout
    known = {one["name"].lower(): one["version"] for one in json.loads(listed or "[]")}
    return {**found, "versions": {name: known.get(name, "?") for name in (*PEERS, "scikit-learn")}}


def main() -> None:
    """Measure and write the result."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--rows", type=int, default=5_000_000, help="of the Parquet job; the others have shares of it")
    asked.add_argument("--room", type=Path, help="a folder with 5 GB of space [default: a temporary one]")
    wanted = asked.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(dir=wanted.room) as name:
        room = Path(name)
        model = room / "model"
        train = [sys.executable, "-m", "cauce", "train", str(DATA / "emotion" / "train_text.txt"), "--out", str(model)]
        subprocess.run(train, check=True, capture_output=True)
        sizes = {"many": wanted.rows, "few": wanted.rows // 5, "peer": wanted.rows // 50, "most": wanted.rows * 2}
        write_rows(sizes["many"], room / "many.parquet")
        parquet = job(model, room / "many.parquet", room / "out-many")
        again = job(model, room / "many.parquet", room / "out-many")
        write_rows(sizes["few"], room / "few.csv")
        text = job(model, room / "few.csv", room / "out-csv")
        write_rows(sizes["few"], room / "few.parquet")
        few = job(model, room / "few.parquet", room / "out-few")
        for path in (room / "out-many").glob("part-*"):
            path.unlink()
        (room / "many.parquet").unlink()
        write_rows(sizes["most"], room / "most.parquet")
        most = job(model, room / "most.parquet", room / "out-most")
        write_rows(sizes["peer"], room / "peer.parquet")
        others = peers(room, model, room / "peer.parquet", room / "few.parquet")
    slope = (most["peak_mb"] - few["peak_mb"]) / (most["rows"] - few["rows"]) * 100_000
    result = {
        "parquet_to_parquet": parquet,
        "csv_to_csv": text,
        "run_again_s": again["seconds"],
        "memory": {"few": few, "most": most, "slope_mb_per_100k_rows": round(slope, 3)},
        "peers": others,
        "times_pandas": round(parquet["rows_per_second"] / others["pandas + scikit-learn"]["rows_per_second"], 1),
        "times_polars": round(parquet["rows_per_second"] / others["polars + predict_arrow"]["rows_per_second"], 2),
        "load": {"before": round(load, 2), "after": round(os.getloadavg()[0], 2), "processors": os.cpu_count()},
        **machine("numpy", "numba", "pyarrow"),
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
