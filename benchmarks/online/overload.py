"""What a server still does when far more is asked than it can do: the same MiniLM as in run.py, int8, one tweet a request.

The most that it does is what wrk gets at 32 connections. Then requests are due at 3 and at 10 times that, whether or not
earlier ones were answered, each with a second of patience (`X-Request-Timeout`): how many are answered in time, as a share of
the most; how long it takes to be refused; what memory the server holds. The load runs on the same processors.

`admission` is the data plane alone, in this process: a call of 20 ms and one row, at 3 times the load, beside what the threads
could do if none of them were ever idle or busy in vain.

Needs wrk on the path. Writes benchmarks/results/online_overload.json.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import open_loop
from machine import machine
from servers import ours, running
from wrk import load, script

from cauce.errors import Expired, Overloaded
from cauce.model.model import echo_model
from cauce.online.load import milliseconds
from cauce.online.plane import Plane
from cauce.online.served import Served
from cauce.runtimes.echo import Echo
from cauce.text.threads import threads

ROOT = Path(__file__).parent.parent.parent
RESULT = ROOT / "benchmarks" / "results" / "online_overload.json"
TWEETS = ROOT.parent / "shared" / "data" / "tweeteval" / "sentiment" / "test_text.txt"
TIMES = (3, 10)
PATIENCE = 1.0
CONNECTIONS = 2048
SLOW, SLOW_PATIENCE = 0.020, 0.5
PERCENTILES = (50, 99, 100)


def overload(folder: Path, seconds: int, room: Path) -> dict[str, Any]:
    """The most that a server does, and what it does beyond."""
    server = ours(folder, "--variant", "int8")
    texts = [line for line in TWEETS.read_text("utf-8").split("\n") if line.strip()][:2000]
    bodies = server.bodies(texts)
    with running(server, bodies[0], dict(os.environ), room / "cauce.log") as process:
        ask = script(server.path, bodies, room)
        load(ask, 8, 2)
        most = load(ask, 32, seconds)["requests_per_second"]
        found: dict[str, Any] = {"most_per_second": most, "memory_mb": memory(process.pid)}
        for times in TIMES:
            answers = open_loop.run(
                [request(server.path, body) for body in bodies],
                times * most,
                seconds,
                patience=PATIENCE,
                connections=CONNECTIONS,
            )
            found[f"{times} times"] = {**told(answers, seconds, most), "memory_mb": memory(process.pid)}
            sys.stderr.write(f"{times} times: {found[f'{times} times']}\n")
            time.sleep(2 * PATIENCE)
    return found


def request(path: str, body: str) -> bytes:
    """As it is sent."""
    content = body.encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nX-Request-Timeout: {PATIENCE:g}\r\n"
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


def told(answers: list[open_loop.Answer], seconds: int, most: float) -> dict[str, Any]:
    """Of what came: the rate of answers in time while the load was on, and the times."""
    took: dict[int, list[float]] = {}
    for one in answers:
        took.setdefault(one.status, []).append(one.took)
    good = sum(one.status == 200 and one.took <= PATIENCE and one.at <= seconds for one in answers) / seconds
    return {
        "due_per_second": round(len(answers) / seconds, 1),
        "goodput_per_second": round(good, 1),
        "share_of_most": round(good / most, 3),
        "answers": {str(status) if status else "lost": len(each) for status, each in sorted(took.items())},
        "answered_ms": milliseconds(took.get(200, []), PERCENTILES),
        "refused_ms": milliseconds(took.get(429, []), PERCENTILES),
    }


def memory(process: int) -> float:
    """Megabytes that it holds."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text("ascii"))
    assert found is not None
    return round(int(found[1]) / 1024, 1)


def admission(seconds: int) -> dict[str, Any]:
    """Answers in time of a plane that is asked 3 times what it can do."""
    served = Served(echo_model(Echo(delay=SLOW, batching="single")), seen=lambda *_: None)
    served.load()
    ideal = threads() / SLOW
    counts: Counter[str] = Counter()

    async def one(plane: Plane, end: float) -> None:
        deadline = time.monotonic() + SLOW_PATIENCE
        try:
            await plane.predict(["a"], deadline=deadline)
        except Overloaded:
            counts["refused"] += 1
        except Expired:
            counts["expired"] += 1
        else:
            now = time.monotonic()
            counts["late" if now > deadline else "in time" if now <= end else "after the load"] += 1

    async def whole() -> None:
        plane = Plane([served])
        await asyncio.sleep(0.1)  # its golden row
        tasks: list[asyncio.Task[None]] = []
        begin = time.monotonic()
        while (now := time.monotonic() - begin) < seconds:
            due = int(now * TIMES[0] * ideal) - len(tasks)
            tasks += [asyncio.create_task(one(plane, begin + seconds)) for _ in range(due)]
            await asyncio.sleep(0.001)
        await asyncio.gather(*tasks)
        await plane.close()

    asyncio.run(whole())
    good = counts["in time"] / seconds
    return {"ideal_per_second": ideal, "goodput_per_second": good, "share_of_ideal": round(good / ideal, 3), "answers": counts}


def main() -> None:
    """Measure, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="A transformer's folder that has the variant int8.")
    parser.add_argument("--seconds", type=int, default=10, help="Of each load.")
    asked = parser.parse_args()
    if asked.model is None or not TWEETS.exists():
        sys.stdout.write("a model (--model) or the real data are not here: nothing measured\n")
        return
    before = os.getloadavg()
    with tempfile.TemporaryDirectory() as name:
        found = overload(asked.model.resolve(), asked.seconds, Path(name))
    result = {
        **found,
        "admission": admission(asked.seconds),
        "load": {"before": [round(x, 2) for x in before], "after": [round(x, 2) for x in os.getloadavg()]},
        "threads": threads(),
        **machine("onnxruntime", "uvicorn", "uvloop"),
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
