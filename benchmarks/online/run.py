"""How fast a transformer answers over HTTP, beside servers that people would pick instead: one tweet a request, in one run.

All serve the same int8 graph of one model folder on this machine's processors, which the load (wrk) uses too; each with a
worker a processor, one thread each. `offline` is the runtime alone in the served layout: a thread a processor, one row a call.
Each server is started, warmed and loaded for some seconds at 1, 32 and 256 connections, several times; their turns alternate.
`linear` is a linear model beside a bare FastAPI route with pydantic that returns a constant.

Needs wrk on the path, and the peers' environments: `--install` makes them under .venv/peers. A peer that is not there is left
out and said so. Writes benchmarks/results/online.json.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from machine import machine  # noqa: E402  (a folder above)

import cauce  # noqa: E402
from cauce.text.threads import threads  # noqa: E402

ROOT = HERE.parent.parent
RESULT = ROOT / "benchmarks" / "results" / "online.json"
TWEETS = ROOT.parent / "shared" / "data" / "tweeteval" / "sentiment" / "test_text.txt"
PEERS = ROOT / ".venv" / "peers"
CONNECTIONS = (1, 32, 256)
PORT = 8765
LUA = """
local texts, at = {}, 0
for line in io.lines("%s") do texts[#texts + 1] = line end
math.randomseed(os.time())
at = math.random(#texts)
request = function()
  at = at %% #texts + 1
  return wrk.format("POST", "%s", {["Content-Type"] = "application/json"}, texts[at])
end
done = function(summary, latency, requests)
  local e = summary.errors
  local errors = e.status + e.connect + e.read + e.write + e.timeout
  io.write(string.format("RESULT %%d %%d %%d %%f %%f %%f %%f\\n", summary.requests, summary.duration, errors,
    latency:percentile(50), latency:percentile(95), latency:percentile(99), latency.max))
end
"""


@dataclass(frozen=True)
class Peer:
    """A server: how it is started, and where it answers."""

    name: str
    command: tuple[str, ...]
    path: str
    environment: str = ""

    @property
    def python(self) -> Path:
        """The interpreter of its environment."""
        return PEERS / self.environment / "bin" / "python" if self.environment else Path(sys.executable)


def servers(folder: Path, linear: Path) -> dict[str, list[Peer]]:
    """The groups that are measured side by side."""
    port = str(PORT)
    uvicorn = ("-m", "uvicorn", "--port", port, "--log-level", "warning")
    mine = ("-m", "cauce", "serve")
    return {
        "transformer, int8": [
            Peer("cauce", (*mine, str(folder), "--variant", "int8", "--port", port), "/v1/predict"),
            Peer("FastAPI + onnxruntime", (*uvicorn, "--workers", "2", "fastapi_onnx:app"), "/predict", "fastapi_onnx"),
            Peer("LitServe", ("litserve_onnx.py", port), "/predict", "litserve_onnx"),
            Peer("BentoML", ("-m", "bentoml", "serve", "bento_onnx:Classifier", "--port", port), "/predict", "bento_onnx"),
            Peer("FastAPI + transformers.pipeline", (*uvicorn, "fastapi_pipeline:app"), "/predict", "fastapi_pipeline"),
        ],
        "linear": [
            Peer("cauce", (*mine, str(linear), "--port", port), "/v1/predict"),
            Peer("FastAPI + pydantic, a constant", (*uvicorn, "fastapi_constant:app"), "/predict", "fastapi_constant"),
        ],
    }


def install() -> None:
    """The peers' environments."""
    for needs in sorted((HERE / "peers").glob("*.txt")):
        place = PEERS / needs.stem
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        subprocess.run([place / "bin" / "python", "-m", "pip", "install", "--quiet", "--requirement", needs], check=True)


def offline(folder: Path, variant: str, texts: list[str]) -> float:
    """Texts a second of the runtime alone: a thread a processor, one row a call."""
    model = cauce.load(folder, variant)
    model.warm_up()
    rows = [[text] for text in texts]
    rates = []
    with ThreadPoolExecutor(threads()) as pool:
        for _ in range(3):
            start = time.perf_counter()
            list(pool.map(model.predict, rows))
            rates.append(len(rows) / (time.perf_counter() - start))
    return statistics.median(rates)


def load(script: Path, connections: int, seconds: int) -> dict[str, float]:
    """What wrk sees."""
    told = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", str(script), f"http://127.0.0.1:{PORT}"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    found = re.search(r"RESULT (.+)", told)
    assert found is not None, told
    requests, micros, errors, p50, p95, p99, most = map(float, found[1].split())
    return {
        "requests_per_second": round(1e6 * requests / micros, 1),
        "errors": errors,
        **{
            name: round(value / 1e3, 2) for name, value in (("p50_ms", p50), ("p95_ms", p95), ("p99_ms", p99), ("max_ms", most))
        },
    }


def started(peer: Peer, environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    """The server, once it answers."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            [peer.python, *peer.command], cwd=HERE / "peers", env=environment, stdout=out, stderr=out, start_new_session=True
        )
    body = json.dumps({"text": "hello"}).encode()
    for _ in range(600):
        try:
            request = urllib.request.Request(f"http://127.0.0.1:{PORT}{peer.path}", body, {"content-type": "application/json"})
            with urllib.request.urlopen(request, timeout=5):
                return process
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.1)
    end(process)
    raise RuntimeError(f"{peer.name} does not answer: {log.read_text('utf-8')[-2000:]}")


def end(process: subprocess.Popen[bytes]) -> None:
    """The server and its workers."""
    for number in (15, 9):
        try:
            os.killpg(process.pid, number)
            process.wait(10)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
    time.sleep(0.5)


def measure(group: list[Peer], texts: list[str], environment: dict[str, str], turns: int, seconds: int, room: Path) -> Any:
    """Requests a second of each server, by connections: medians over the turns."""
    data = room / "bodies.txt"
    data.write_text("\n".join(json.dumps({"text": text}) for text in texts) + "\n", encoding="utf-8")
    each: dict[str, dict[int, list[dict[str, float]]]] = {}
    for turn in range(turns):
        for peer in group:
            if not peer.python.exists():
                sys.stderr.write(f"{peer.name} is not installed: left out (--install)\n")
                continue
            script = room / "ask.lua"
            script.write_text(LUA % (data, peer.path), encoding="utf-8")
            process = started(peer, environment, room / f"{peer.environment or 'cauce'}.log")
            try:
                load(script, 8, 2)
                for connections in CONNECTIONS:
                    one = load(script, connections, seconds)
                    each.setdefault(peer.name, {}).setdefault(connections, []).append(one)
                    sys.stderr.write(f"turn {turn}: {peer.name}, {connections}: {one}\n")
            finally:
                end(process)
    return {
        name: {
            str(connections): {key: statistics.median(one[key] for one in found) for key in found[0]}
            for connections, found in by_connections.items()
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
    texts = [line for line in TWEETS.read_text("utf-8").split("\n") if line.strip()][:2000]
    before = os.getloadavg()
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        room = Path(name)
        environment = {
            **os.environ,
            "PEER_MODEL": str(asked.model.resolve()),
            "PEER_PIPELINE": str(_as_huggingface(asked.model, room / "pipeline")),
            "BENTOML_DO_NOT_TRACK": "True",
            "HF_HUB_OFFLINE": "1",
        }
        alone = offline(asked.model, "int8", texts)
        for title, group in servers(asked.model.resolve(), asked.linear.resolve()).items():
            result[title] = measure(group, texts, environment, asked.turns, asked.seconds, room)
    mine = result["transformer, int8"]["cauce"]
    result = {
        **result,
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
