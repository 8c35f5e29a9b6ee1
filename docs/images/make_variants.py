"""Makes variants.svg: quality against texts a second of every form of a model, from benchmarks/results/variants.json.

Run it from anywhere:  python docs/images/make_variants.py
"""

from __future__ import annotations

import json
import math
import sys
from html import escape
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "benchmarks" / "results" / "variants.json"
PICTURE = Path(__file__).with_name("variants.svg")
CALLED = {"lstm": "LSTM", "taught": "LSTM, taught"}
NETWORKS = ("fp32", "bf16", "int8")  # of one transformer, joined by a line; beside them those of fewer layers

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 420, 64, 24, 46, 54
NAME, LINE = 90, 15  # the room of a name
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2933 } .axis { fill: #52606d; font-size: 12px } .title { font-weight: 600 }
.rail { stroke: #e4e7eb } .range { stroke: #9fb3c8; stroke-width: 2 } .joined { fill: none; stroke: #bcccdc }
.network { fill: #0b69a3 } .small { fill: #c65d07 }
"""


def chart(found: dict[str, Any]) -> str:
    """The picture: each form a point at its rate, on the interval of its quality."""
    forms = {name: (one["texts_per_second"]["median"], one["quality"], one) for name, one in found["forms"].items()}
    lowest, highest = (
        edge(end * 100 for _, quality, _ in forms.values() for end in (quality["low"], quality["high"]))
        for edge in (lambda values: 5 * math.floor(min(values) / 5), lambda values: 5 * math.ceil(max(values) / 5))
    )
    first, last = (
        edge([math.log10(rate) for rate, _, _ in forms.values()])
        for edge in (lambda logs: math.floor(min(logs) * 2) / 2, lambda logs: math.ceil(max(logs) * 2 + 0.2) / 2)
    )

    def x(rate: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (math.log10(rate) - first) / (last - first)

    def y(points: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (highest - points) / (highest - lowest)

    shapes = []
    for points in range(int(lowest), int(highest) + 1, 5):
        shapes.append(f'<line class="rail" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(points):.1f}" y2="{y(points):.1f}"/>')
        shapes.append(f'<text class="axis" x="{LEFT - 8}" y="{y(points) + 4:.1f}" text-anchor="end">{points}</text>')
    for rate in (times * 10**power for power in range(8) for times in (1, 3)):
        if 10**first <= rate <= 10**last:
            shapes.append(f'<line class="rail" x1="{x(rate):.1f}" x2="{x(rate):.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
            at = f'x="{x(rate):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle"'
            shapes.append(f'<text class="axis" {at}>{rate:,}</text>')
    joined = sorted((x(rate), y(100 * quality["value"])) for name, (rate, quality, _) in forms.items() if name in NETWORKS)
    shapes.append(f'<polyline class="joined" points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in joined)}"/>')
    named: list[tuple[float, float]] = []  # where names stand: none is written over another
    for name, (rate, quality, one) in forms.items():
        low, high, middle = (y(100 * quality[end]) for end in ("low", "high", "value"))
        kind = "network" if name in NETWORKS or name.startswith("layers") else "small"
        right = x(rate) > WIDTH - 150
        height = middle - 7
        while any(abs(x(rate) - left) < NAME and abs(height - other) < LINE for left, other in named):
            height += LINE
        named.append((x(rate), height))
        place = f'x="{x(rate) + (-9 if right else 9):.1f}" y="{height:.1f}" text-anchor="{"end" if right else "start"}"'
        told = f"{called(name)}: {100 * quality['value']:.1f} points, {rate:,} texts a second, {one['megabytes']:g} MB"
        shapes.append(f'<line class="range" x1="{x(rate):.1f}" x2="{x(rate):.1f}" y1="{low:.1f}" y2="{high:.1f}"/>')
        circle = f'<circle class="{kind}" cx="{x(rate):.1f}" cy="{middle:.1f}" r="5">'
        shapes.append(f"{circle}<title>{escape(told)}</title></circle><text {place}>{escape(called(name))}</text>")
    title = f"{found['data']}, {found['metric']} on {found['part']} in points, with 95 % intervals"
    middle = (LEFT + WIDTH - RIGHT) / 2
    under = f"texts a second on {found['threads']} threads (each step is about 3 times faster)"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f'<title>{escape(title)}</title><style>{STYLE}</style><rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
        f'<text class="title" x="{LEFT}" y="26">{escape(title)}</text>{"".join(shapes)}'
        f'<text class="axis" x="{middle}" y="{HEIGHT - 14}" text-anchor="middle">{escape(under)}</text></svg>\n'
    )


def called(name: str) -> str:
    """A form's name as it is read."""
    return f"{name.removeprefix('layers')} layers" if name.startswith("layers") else CALLED.get(name, name)


if __name__ == "__main__":
    if RESULT.exists():
        PICTURE.write_text(chart(json.loads(RESULT.read_text("utf-8"))), encoding="utf-8")
    else:
        sys.stderr.write("no picture: run benchmarks/variants.py first\n")
