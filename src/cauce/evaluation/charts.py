"""The charts of the report: inline SVG whose colors are those of the page, each with a title that says what it shows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from cauce.evaluation.markup import cut, escaped
from cauce.evaluation.metrics import Figure
from cauce.evaluation.slices import wilson
from cauce.evaluation.study import Bin, Grid

SHADES = 6  # of a heat map
SIDE, LEFT, BOTTOM = 300, 52, 44  # of a square chart and its axes, in units of the view box
NAME = 26  # characters of a label beside a heat map


def waffle(share: Figure, title: str) -> str:
    """A hundred squares: full up to the interval, pale within it, empty above."""
    low, high = round(100 * share.low), round(100 * share.high)
    squares = "".join(
        f'<rect class="{_place(k, low, high)}" x="{k % 10 * 20 + 2}" y="{182 - k // 10 * 20}" width="16" height="16" rx="3"/>'
        for k in range(100)
    )
    return _svg("waffle", 200, 200, title, squares)


def whisker(figure: Figure, low: float, high: float, mark: float | None, title: str) -> str:
    """A point on its interval, between low and high; a line at `mark`."""

    def x(value: float) -> float:
        return 6 + 148 * (min(max(value, low), high) - low) / ((high - low) or 1)

    line = "" if mark is None else f'<line class="mark" x1="{x(mark):.1f}" x2="{x(mark):.1f}" y1="1" y2="19"/>'
    return _svg(
        "whisker",
        160,
        20,
        title,
        '<line class="rail" x1="6" x2="154" y1="10" y2="10"/>'
        f'{line}<line class="range" x1="{x(figure.low):.1f}" x2="{x(figure.high):.1f}" y1="10" y2="10"/>'
        f'<circle class="point" cx="{x(figure.value):.1f}" cy="10" r="4.5"/>',
    )


def reliability(bins: Sequence[Bin], title: str, across: str, up: str) -> str:
    """What a model says against how often it is right, with the 95 % interval of each point."""
    most = max((one.rows for one in bins), default=1)
    ticks = [(share, f"{share:.0%}") for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    points = ""
    for one in bins:
        near = wilson(one.right * one.rows, one.rows)
        x = _x(one.score)
        points += (
            f'<line class="range" x1="{x:.1f}" x2="{x:.1f}" y1="{_y(near.low):.1f}" y2="{_y(near.high):.1f}"/>'
            f'<circle class="point" cx="{x:.1f}" cy="{_y(one.right):.1f}" r="{3 + 6 * math.sqrt(one.rows / most):.1f}"/>'
        )
    return _square(title, across, up, ticks, points)


def grid(found: Grid, ticks: Sequence[tuple[float, str]], title: str, across: str, up: str) -> str:
    """Predicted against true numbers; `ticks` are places from 0 to 1 and what stands there."""
    size = len(found.rows)
    cells = _heat(
        ((column, size - 1 - row, count) for row, counts in enumerate(found.rows) for column, count in enumerate(counts)),
        max(max(row) for row in found.rows),
    )
    scale = SIDE / size
    return _square(title, across, up, ticks, f'<g transform="translate({LEFT} 10) scale({scale:.4f})">{cells}</g>')


def bars(counts: Sequence[tuple[float, int]], labels: tuple[str, str, str], title: str, across: str) -> str:
    """A histogram around zero; `labels` stand at its left end, middle and right end."""
    most = max((count for _, count in counts), default=1) or 1
    width = SIDE / max(len(counts), 1)
    shapes = "".join(
        f'<rect class="bar" x="{LEFT + k * width + 1:.1f}" y="{10 + 140 * (1 - count / most):.1f}" width="{width - 2:.1f}" '
        f'height="{140 * count / most:.1f}"/>'
        for k, (_, count) in enumerate(counts)
    )
    middle = LEFT + SIDE / 2
    texts = "".join(
        f'<text x="{x:.1f}" y="166" text-anchor="middle">{escaped(text)}</text>'
        for x, text in zip((LEFT, middle, LEFT + SIDE), labels, strict=True)
    )
    return _svg(
        "chart",
        LEFT + SIDE + 28,
        192,
        title,
        f'{shapes}<line class="mark" x1="{middle:.1f}" x2="{middle:.1f}" y1="6" y2="150"/>'
        f'<line class="axis" x1="{LEFT}" x2="{LEFT + SIDE}" y1="150" y2="150"/>{texts}'
        f'<text class="title" x="{middle:.1f}" y="186" text-anchor="middle">{escaped(across)}</text>',
    )


def heat_map(confusion: Sequence[Sequence[int]], labels: Sequence[str], title: str) -> str:
    """A confusion of many labels: the share of each row, blue on the diagonal and orange off it."""
    size = len(labels)
    step = 9 if size <= 100 else 6
    left = 200 if step == 9 else 40
    shares = [[count / (sum(row) or 1) for count in row] for row in confusion]
    right = _heat(((k, k, row[k]) for k, row in enumerate(shares)), 1.0)
    wrong = _heat(((j, k, share) for k, row in enumerate(shares) for j, share in enumerate(row) if j != k), 1.0, "off")
    names = "".join(
        f'<text x="{left - 4}" y="{20 + step * k + step - 2}" text-anchor="end">{escaped(cut(label, NAME))} {k + 1}</text>'
        for k, label in enumerate(labels)
        if step == 9
    ) or "".join(
        f'<text x="{left - 4}" y="{20 + step * k + step}" text-anchor="end">{k + 1}</text>' for k in range(0, size, 10)
    )
    heads = "".join(
        f'<text x="{left + step * (k + 0.5):.1f}" y="14" text-anchor="middle">{k + 1}</text>'
        for k in (0, *range(4, size, 5 if step == 9 else 10))
    )
    side = step * size
    return _svg(
        "heat",
        left + side + 12,
        side + 28,
        title,
        f'<rect class="frame" x="{left}" y="20" width="{side}" height="{side}"/>'
        f'<g transform="translate({left} 20) scale({step})">{right}{wrong}</g>{names}{heads}',
        natural=True,
    )


def _svg(kind: str, width: float, height: float, title: str, inside: str, *, natural: bool = False) -> str:
    size = f' width="{width:g}" height="{height:g}"' if natural else ""
    return (
        f'<svg class="{kind}" viewBox="0 0 {width:g} {height:g}"{size} role="img" aria-label="{escaped(title)}">'
        f"<title>{escaped(title)}</title>{inside}</svg>"
    )


def _place(k: int, low: int, high: int) -> str:
    return "full" if k < low else "pale" if k < high else "empty"


def _x(share: float) -> float:
    return LEFT + SIDE * share


def _y(share: float) -> float:
    return 10 + SIDE * (1 - share)


def _square(title: str, across: str, up: str, ticks: Sequence[tuple[float, str]], inside: str) -> str:
    """A square chart with the same axis on both sides, and a diagonal."""
    lines = "".join(
        f'<line class="rail" x1="{_x(0):.1f}" x2="{_x(1):.1f}" y1="{_y(at):.1f}" y2="{_y(at):.1f}"/>'
        f'<line class="rail" x1="{_x(at):.1f}" x2="{_x(at):.1f}" y1="{_y(0):.1f}" y2="{_y(1):.1f}"/>'
        f'<text x="{LEFT - 6}" y="{_y(at) + 4:.1f}" text-anchor="end">{escaped(text)}</text>'
        f'<text x="{_x(at):.1f}" y="{SIDE + 26}" text-anchor="middle">{escaped(text)}</text>'
        for at, text in ticks
    )
    middle = 10 + SIDE / 2
    turned = f'transform="rotate(-90 11 {middle})"'
    return _svg(
        "chart",
        LEFT + SIDE + 28,
        SIDE + BOTTOM + 10,
        title,
        f'{lines}<line class="diagonal" x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}"/>{inside}'
        f'<text class="title" x="{LEFT + SIDE / 2}" y="{SIDE + 46}" text-anchor="middle">{escaped(across)}</text>'
        f'<text class="title" x="11" y="{middle}" text-anchor="middle" {turned}>{escaped(up)}</text>',
    )


def _heat(cells: Iterable[tuple[int, int, float]], most: float, kind: str = "on") -> str:
    """Unit cells (x, y, value), one path for each shade: a map of many cells stays small."""
    paths = [""] * SHADES
    for x, y, value in cells:
        if value > 0:
            paths[min(SHADES - 1, int(SHADES * math.sqrt(value / most)))] += f"M{x} {y}h1v1h-1z"
    return "".join(f'<path class="{kind} s{shade}" d="{path}"/>' for shade, path in enumerate(paths) if path)
