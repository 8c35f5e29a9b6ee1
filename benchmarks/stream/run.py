"""How fast `cauce stream` is, on this machine and with its brokers, and what a plain loop does in the same run.

Every job is the real command in a process of its own; brokers run on the same processors. Files: messages a second of the
whole command, and of it less a job of one message, which is its start. Brokers: from the first result that is seen to the
last. Latency: from XADD of a message to XADD of its result, as Redis writes both times down. Each is measured several times
in turns; the median counts. `load` is the machine's load average: above its count of processors others were using them.
Writes benchmarks/results/stream.json.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from brokers import Kafka, Nats, Redis
from machine import machine
from posts import DATA, posts, write_arrow, write_json

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "benchmarks" / "results" / "stream.json"
CAUCE = [sys.executable, "-m", "cauce"]
NAMES = (Redis.raw, Redis.scored)
SMALL = 60_000  # messages of a run with NATS or Kafka: librdkafka's brokers keep little more
SKIPPED = 1.0  # seconds at the beginning of a latency run that do not count
PATIENCE = 300.0  # seconds


def main() -> None:
    """Measure and write the result."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--turns", type=int, default=3)
    asked.add_argument(
        "--messages", type=int, default=2_000_000, help="of the jobs with files; those with brokers have a tenth"
    )
    asked.add_argument("--transformer", type=Path, help="a folder with an int8 variant; without it that part is left out")
    asked.add_argument("--room", type=Path, help="a folder with 3 GB of space [default: a temporary one]")
    wanted = asked.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(dir=wanted.room) as name:
        bench = Bench(Path(name), wanted.messages)
        jobs: dict[str, Callable[[], float]] = {
            "start_s": lambda: bench.files("one.jsonl"),
            "jsonl_s": lambda: bench.files("many.jsonl"),
            "arrow_s": lambda: bench.files("many.arrow"),
        }
        brokers = (Redis(), Nats(), Kafka())
        counts = {"Redis": wanted.messages // 10}
        for broker in brokers:
            count = counts.get(broker.name, SMALL)
            jobs[f"{broker.name}: cauce"] = partial(bench.through, broker, count)
            jobs[f"{broker.name}: loop"] = partial(bench.through, broker, count, broker.loop(count))
        one_by_one = counts["Redis"] // 10
        jobs["Redis: one_by_one"] = lambda: bench.through(brokers[0], one_by_one, brokers[0].loop(one_by_one, bench.model))
        found: dict[str, list[float]] = {job: [] for job in jobs}
        latency: list[dict[str, float]] = []
        for _ in range(wanted.turns):
            for job, run in jobs.items():
                found[job].append(run())
                sys.stderr.write(f"{job}: {found[job][-1]:,.2f}\n")
            latency.append(bench.latency(1000, 10))
            sys.stderr.write(f"latency: {latency[-1]}\n")
        int8 = [bench.transformer(wanted.transformer) for _ in range(wanted.turns)] if wanted.transformer else []
        for broker in brokers:
            broker.close()
    middle = {job: statistics.median(values) for job, values in found.items()}
    whole = {kind: round(wanted.messages / middle[f"{kind}_s"]) for kind in ("jsonl", "arrow")}
    running = {kind: round(wanted.messages / (middle[f"{kind}_s"] - middle["start_s"])) for kind in ("jsonl", "arrow")}
    result = {
        "messages": wanted.messages,
        "start_s": round(middle["start_s"], 2),
        "to_parquet": {kind: {"running": running[kind], "whole_command": whole[kind]} for kind in whole},
        "brokers": {broker.name: beside(middle, broker.name) for broker in brokers},
        "latency_ms_at_1000": {name: statistics.median(one[name] for one in latency) for name in latency[0]},
        "int8": {name: statistics.median(one[name] for one in int8) for name in int8[0]} if int8 else None,
        "turns": {job: [round(one, 2) for one in values] for job, values in found.items()},
        "load": {"before": round(load, 2), "after": round(os.getloadavg()[0], 2), "processors": os.cpu_count()},
        **machine("numpy", "numba", "pyarrow", "redis", "hiredis", "nats-py", "confluent-kafka"),
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


def beside(middle: dict[str, float], name: str) -> dict[str, Any]:
    """The rates of a broker: ours, the loops', and what a message takes more than in the loop without a model."""
    ours, loop, slow = (middle.get(f"{name}: {job}") for job in ("cauce", "loop", "one_by_one"))
    rates = {"cauce": round(ours), "loop": round(loop), "one_by_one": slow and round(slow)}
    return {**rates, "overhead_us": round(1e6 / ours - 1e6 / loop, 1)}


class Bench:
    """The jobs, and what they need."""

    def __init__(self, room: Path, messages: int) -> None:
        self.room, self.messages, self.model = room, messages, str(room / "model")
        self.environment = {**os.environ, "CAUCE_HOME": str(room / "home")}
        train = [*CAUCE, "train", str(DATA / "sentiment" / "val_text.txt"), "--out", self.model]
        subprocess.run(train, check=True, capture_output=True)
        write_json(1, room / "one.jsonl")
        write_json(messages, room / "many.jsonl")
        write_arrow(messages, room / "many.arrow")
        self.redis = Redis()
        self.client = self.redis.client

    def files(self, source: str) -> float:
        """Seconds of the command from a file to Parquet."""
        shutil.rmtree(self.room / "out", ignore_errors=True)
        shutil.rmtree(self.room / "home", ignore_errors=True)
        ends = ["--from", f"file:{self.room / source}", "--to", f"file:{self.room / 'out'}?format=parquet"]
        start = time.perf_counter()
        subprocess.run([*CAUCE, "stream", "run", self.model, *ends], check=True, capture_output=True, env=self.environment)
        return time.perf_counter() - start

    def through(self, broker: Any, count: int, loop: list[str] | None = None) -> float:
        """Messages a second of one worker within a broker, or of a loop: from the first results to the last."""
        broker.clear()
        broker.fill(posts(count))
        ends = ["--from", broker.address.format(broker.raw), "--to", broker.address.format(broker.scored)]
        if loop is not None and isinstance(broker, Kafka):
            loop = broker.loop(count)  # it is elsewhere by now
        command = [sys.executable, *loop] if loop is not None else [*CAUCE, "stream", "run", self.model, *ends]
        process = subprocess.Popen(command, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            first, until = (0.0, 0), time.monotonic() + PATIENCE
            while (seen := broker.done()) < count:
                if seen and not first[1]:
                    first = time.perf_counter(), seen
                if process.poll() or time.monotonic() > until:
                    raise SystemExit(f"{' '.join(command)} did not answer all")
                time.sleep(0.01)
            return (count - first[1]) / (time.perf_counter() - first[0])
        finally:
            process.terminate()
            process.wait()

    def latency(self, rate: int, seconds: int) -> dict[str, float]:
        """Milliseconds from a message to its result, at so many a second with --max-delay 20ms."""
        self.redis.clear()
        ends = ["--from", f"redis://localhost/{NAMES[0]}", "--to", f"redis://localhost/{NAMES[1]}", "--max-delay", "20ms"]
        command = [*CAUCE, "stream", "run", self.model, *ends]
        process = subprocess.Popen(command, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not self.client.exists(NAMES[0]):
            time.sleep(0.05)
        time.sleep(1.0)
        added: dict[str, float] = {}
        begun = time.monotonic()
        for n, one in enumerate(posts(rate * seconds)):
            while (left := begun + n / rate - time.monotonic()) > 0:
                time.sleep(left)
            added[one["id"]] = _milliseconds(self.client.xadd(NAMES[0], {"data": json.dumps(one)}))
        until = time.monotonic() + PATIENCE
        while self.client.xlen(NAMES[1]) < len(added) and time.monotonic() < until:
            time.sleep(0.1)
        process.terminate()
        process.wait()
        results = {json.loads(fields[b"data"])["id"]: _milliseconds(place) for place, fields in self.client.xrange(NAMES[1])}
        self.redis.clear()
        taken = sorted(results[about] - at for about, at in list(added.items())[int(rate * SKIPPED) :])
        return {"p50": taken[len(taken) // 2], "p99": taken[int(len(taken) * 0.99)], "highest": taken[-1]}

    def transformer(self, model: Path) -> dict[str, float]:
        """Messages a second of the int8 variant through Redis, and of the same texts in one call."""
        count = 3000
        chosen = set(random.Random(1).sample(range(self.messages), count))
        self.redis.clear()
        self.redis.fill(one for n, one in enumerate(posts(self.messages)) if n in chosen)
        texts = self.room / "texts.json"
        found = [json.loads(fields[b"data"])["text"] for _, fields in self.client.xrange(NAMES[0])]
        texts.write_text(json.dumps(found))
        code = (
            "import cauce, json, sys, time; model = cauce.load(sys.argv[1], 'int8'); texts = json.load(open(sys.argv[2]));"
            "model.predict(texts[:200]); start = time.perf_counter(); model.predict(texts);"
            "print(len(texts) / (time.perf_counter() - start))"
        )
        done = subprocess.run([sys.executable, "-c", code, model, texts], check=True, capture_output=True, text=True)
        offline = float(done.stdout)
        ends = ["--from", f"redis://localhost/{NAMES[0]}", "--to", f"redis://localhost/{NAMES[1]}", "--variant", "int8"]
        command = [*CAUCE, "stream", "run", str(model), *ends]
        process = subprocess.Popen(command, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        first, until = (0.0, 0), time.monotonic() + PATIENCE
        while (seen := self.client.xlen(NAMES[1])) < count and time.monotonic() < until:
            if seen and not first[1]:
                first = time.perf_counter(), seen
            time.sleep(0.01)
        streamed = (seen - first[1]) / (time.perf_counter() - first[0])
        process.terminate()
        process.wait()
        self.redis.clear()
        return {"offline": round(offline, 1), "streamed": round(streamed, 1), "share": round(streamed / offline, 3)}


def _milliseconds(place: bytes) -> float:
    return float(place.split(b"-")[0])


if __name__ == "__main__":
    main()
