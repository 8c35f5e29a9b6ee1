"""Closed-loop load by wrk: each connection asks again as soon as it is answered."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from servers import PORT

LUA = """
local bodies, at = {}, 0
for line in io.lines("%s") do bodies[#bodies + 1] = line end
math.randomseed(os.time())
at = math.random(#bodies)
request = function()
  at = at %% #bodies + 1
  return wrk.format("POST", "%s", {["Content-Type"] = "application/json"}, bodies[at])
end
done = function(summary, latency, requests)
  local e = summary.errors
  local errors = e.status + e.connect + e.read + e.write + e.timeout
  io.write(string.format("RESULT %%d %%d %%d %%f %%f %%f %%f\\n", summary.requests, summary.duration, errors,
    latency:percentile(50), latency:percentile(95), latency:percentile(99), latency.max))
end
"""


def script(path: str, bodies: list[str], room: Path) -> Path:
    """What wrk is to ask: these bodies in turn."""
    data, out = room / "bodies.txt", room / "ask.lua"
    data.write_text("\n".join(bodies) + "\n", encoding="utf-8")
    out.write_text(LUA % (data, path), encoding="utf-8")
    return out


def load(ask: Path, connections: int, seconds: int) -> dict[str, float]:
    """What wrk sees."""
    told = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", str(ask), f"http://127.0.0.1:{PORT}"],
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
