"""How fast a transformer answers over HTTP, beside servers that people would pick instead: one tweet a request, in one run.

All serve the same int8 graph of one model folder on this machine's processors, which the load (wrk) uses too; each with a
worker a processor, one thread each. `offline` is the runtime alone in the served layout: a thread a processor, one row a call.
Each server is started, warmed and loaded for some seconds at 1, 32 and 256 connections, several times; their turns alternate.
`linear` is a linear model beside a bare FastAPI route with pydantic that returns a constant; the lists hold 1,000 tweets each.

Needs wrk on the path, and the peers' environments: `--install` makes them under .venv/peers. A peer that is not there is left
out and said so. Writes benchmarks/results/online.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from machine import machine
from servers import HERE, PEERS, PORT, Server, ours, running
from wrk import load, script

import cauce
from cauce.text.threads import alone, threads

ROOT = HERE.parent.parent
RESULT = ROOT / "benchmarks" / "results" / "online.json"
TWEETS = ROOT.parent / "shared" / "data" / "tweeteval" / "sentiment" / "test_text.txt"
CONNECTIONS = (1, 32, 256)
LIST, LISTS_AT_ONCE = 1000, 4
STARTS = 5  # of a process in which the runtime is measured alone


def groups(folder: Path, linear: Path) -> dict[str, list[Server]]:
    """What is measured side by side."""
    port = str(PORT)
    uvicorn = ("-m", "uvicorn", "--port", port, "--log-level", "warning")
    return {
        "transformer, int8": [
            ours(folder, "--variant", "int8"),
            Server("FastAPI + onnxruntime", (*uvicorn, "--workers", "2", "fastapi_onnx:app"), "/predict", "fastapi_onnx"),
            Server("LitServe", ("litserve_onnx.py", port), "/predict", "litserve_onnx"),
            Server("BentoML", ("-m", "bentoml", "serve", "bento_onnx:Classifier", "--port", port), "/predict", "bento_onnx"),
            Server("MLServer", ("mlserver_onnx.py", port), "/predict", "mlserver_onnx"),
            Server("mlflow", ("mlflow_onnx.py", port), "/invocations", "mlflow_onnx", body='{"inputs": [%s]}'),
            Server("FastAPI + transformers.pipeline", (*uvicorn, "fastapi_pipeline:app"), "/predict", "fastapi_pipeline"),
        ],
        "linear": [
            ours(linear),
            Server("FastAPI + pydantic, a constant", (*uvicorn, "fastapi_constant:app"), "/predict", "fastapi_constant"),
        ],
    }


def install() -> None:
    """The peers' environments."""
    for needs in sorted((HERE / "peers").glob("*.txt")):
        place = PEERS / needs.stem
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        subprocess.run([place / "bin" / "python", "-m", "pip", "install", "--quiet", "--requirement", needs], check=True)


def offline(folder: Path, variant: str, texts: list[str]) -> float:
    """Texts a second of the runtime alone: a thread a processor, one row a call.

    The median of new processes: where in memory one finds its place makes a fifth of its speed.
    """
    rates = []
    for _ in range(STARTS):
        with ProcessPoolExecutor(1, get_context("spawn")) as process:
            rates.append(process.submit(_offline, folder, variant, texts).result())
    return statistics.median(rates)


def _offline(folder: Path, variant: str, texts: list[str]) -> float:
    model = cauce.load(folder, variant)
    model.warm_up()

    def ask(text: str) -> None:
        with alone():  # as a worker of the server is
            model.predict([text])

    with ThreadPoolExecutor(threads()) as pool:
        start = time.perf_counter()
        list(pool.map(ask, texts))
        return len(texts) / (time.perf_counter() - start)


def measure(
    group: list[Server],
    asked: list[Any],
    connections: tuple[int, ...],
    environment: dict[str, str],
    turns: int,
    seconds: int,
    room: Path,
) -> Any:
    """What wrk sees of each server, by connections: medians over the turns."""
    each: dict[str, dict[int, list[dict[str, float]]]] = {}
    for turn in range(turns):
        for server in group:
            if not server.python.exists():
                sys.stderr.write(f"{server.name} is not installed: left out (--install)\n")
                continue
            bodies = server.bodies(asked)
            ask = script(server.path, bodies, room)
            with running(server, bodies[0], environment, room / f"{server.environment or 'cauce'}.log"):
                load(ask, 8, 2)
                for number in connections:
                    one = load(ask, number, seconds)
                    each.setdefault(server.name, {}).setdefault(number, []).append(one)
                    sys.stderr.write(f"turn {turn}: {server.name}, {number}: {one}\n")
    return {
        name: {
            str(number): {key: statistics.median(one[key] for one in found) for key in found[0]}
            for number, found in by_connections.items()
        }
        for name, by_connections in each.items()
    }


def main() -> None:
    """Measure, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="A transformer's folder that has the variant int8.")
    parser.add_argument("--linear", type=Path, help="A linear model's folder.")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--install", action="store_true")
    asked = parser.parse_args()
    if asked.install:
        install()
    if asked.model is None or asked.linear is None or not TWEETS.exists():
        sys.stdout.write("a model (--model, --linear) or the real data are not here: nothing measured\n")
        return
    tweets = [line for line in TWEETS.read_text("utf-8").split("\n") if line.strip()]
    texts, lists = tweets[:2000], [tweets[at : at + LIST] for at in range(0, len(tweets) - LIST, LIST)]
    before = os.getloadavg()
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        room = Path(name)
        environment = {
            **os.environ,
            "PEER_MODEL": str(asked.model.resolve()),
            "PEER_PIPELINE": str(_as_huggingface(asked.model, room / "pipeline")),
            "BENTOML_DO_NOT_TRACK": "True",
            "DO_NOT_TRACK": "true",
            "HF_HUB_OFFLINE": "1",
        }
        alone = offline(asked.model, "int8", texts)
        how = environment, asked.turns, asked.seconds, room
        for title, group in groups(asked.model.resolve(), asked.linear.resolve()).items():
            result[title] = measure(group, texts, CONNECTIONS, *how)
        many = measure([ours(asked.linear.resolve(), body='{"rows": %s}')], lists, (LISTS_AT_ONCE,), *how)
    mine = result["transformer, int8"]["cauce"]
    of_lists = many["cauce"][str(LISTS_AT_ONCE)]
    result = {
        **result,
        f"linear, lists of {LIST}": {"tweets_per_second": round(LIST * of_lists["requests_per_second"]), **of_lists},
        "offline_texts_per_second": round(alone, 1),
        "share_of_offline": {key: round(one["requests_per_second"] / alone, 3) for key, one in mine.items()},
        "load": {"before": [round(x, 2) for x in before], "after": [round(x, 2) for x in os.getloadavg()]},
        "threads": threads(),
        **machine("onnxruntime", "uvicorn", "fastapi"),
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


def _as_huggingface(folder: Path, out: Path) -> Path:
    """The model as transformers.pipeline reads it."""
    subprocess.run([sys.executable, "-m", "cauce", "export", str(folder), "--to", "hf", "--out", str(out)], check=True)
    return out


if __name__ == "__main__":
    main()
