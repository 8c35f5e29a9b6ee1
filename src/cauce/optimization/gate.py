"""What a variant must prove before it may serve: it loses little, gains enough, and keeps what it declares of batches."""

from __future__ import annotations

import math
from typing import get_args

from cauce.errors import InputError, UnknownName, nearest
from cauce.model.gates import Gate, Target
from cauce.model.variant import Variant
from cauce.optimization.measure import Measured

LEAST_GAIN = 1.2
MAX_LOSS = 0.5  # points of the dev metric
MOVES = 1e-6  # of a score: what rows beside it may change of one that is declared free
TARGETS: tuple[Target, ...] = get_args(Target)
MORE = {"latency": "faster on one text", "throughput": "the texts a second", "size": "smaller"}


def check(target: str, max_loss: float) -> None:
    """Refuse a target or a loss that cannot be one.

    Raises:
        UnknownName, InputError

    """
    if target not in TARGETS:
        hint = nearest(target, TARGETS) or f"targets: {', '.join(TARGETS)}"
        raise UnknownName(f'there is no target "{target}"', hint=hint)
    if not 0 <= max_loss <= 100:
        raise InputError(f"the loss that is allowed is {max_loss:g} points", hint="give one from 0 to 100")


def judge(found: Measured, target: Target, max_loss: float) -> str:
    """What keeps a variant out; empty where it passes. Of the target `quality` it may lose nothing, and need not gain."""
    if found.batching == "free" and found.dependence.worst > MOVES:
        return (
            f"it is declared free, but the rows beside a row move its scores by up to {found.dependence.worst:.2g} "
            f"({found.dependence.flipped} of {found.dependence.rows} labels change)"
        )
    if not found.dependence.served <= MOVES:
        return f"the rows that are asked with a row move its scores by up to {found.dependence.served:.2g}"
    allowed = 0.0 if target == "quality" else max_loss
    lost = found.answers.loss.value
    if not lost <= allowed:
        return f"loses {_apart(lost, allowed)} points, allowed {allowed:g}"
    if target == "quality":
        return ""
    gain = found.gains[target]
    if not gain >= LEAST_GAIN:
        return f"{_apart(gain, LEAST_GAIN)} times {MORE[target]}, asked {LEAST_GAIN:g}"
    return ""


def gate(variant: Variant, found: Measured, target: Target, max_loss: float) -> Gate:
    """The verdict, and the figures that it rests on, as they are kept."""
    why = judge(found, target, max_loss)
    return Gate(
        variant=variant.name,
        seal=variant.seal,
        passed=not why,
        loss=_finite(found.answers.loss.value, 100.0),
        gain=_finite(found.gains[target], 0.0),
        why=why,
        figures={name: value for name, value in found.figures().items() if math.isfinite(value)},
    )


def _finite(value: float, otherwise: float) -> float:
    """What is kept of a figure that may not be a number, such as R2 of rows that are all alike."""
    return value if math.isfinite(value) else otherwise


def _apart(value: float, limit: float) -> str:
    """The value with as many decimals as tell it from the limit."""
    return next((f"{value:.{digits}f}" for digits in (1, 2, 3) if float(f"{value:.{digits}f}") != limit), f"{value:g}")
