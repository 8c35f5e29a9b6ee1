"""The processor that we run on: what a measurement of speed, or of rounding, holds for."""

from __future__ import annotations

import platform
import re
from functools import cache
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
# What an engine chooses its arithmetic by: the same variant may round otherwise without one of these.
X86 = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
ARM = ("asimddp", "i8mm", "bf16", "sve", "sve2")


@cache
def name() -> str:
    """The processor's name and the instruction sets that change answers, for people."""
    return f"{_model()} ({', '.join(instructions()) or platform.machine()})"


@cache
def slug() -> str:
    """The same as the name of a file: equal where a measurement of one holds for the other."""
    return "-".join(re.sub(r"[^a-z0-9_]+", "-", part.lower()).strip("-") for part in (_model(), *instructions()))[:200]


@cache
def instructions() -> tuple[str, ...]:
    """Those of the instruction sets that it has, in a fixed order."""
    fields = _cpuinfo()
    has = set(f"{fields.get('flags', '')} {fields.get('Features', '')}".split())
    return tuple(flag for flag in (*X86, *ARM) if flag in has)


def _model() -> str:
    """Maker and model. In a cloud the name alone is that of several generations, so their numbers stand with it."""
    fields = _cpuinfo()
    numbers = [fields[key] for key in ("cpu family", "model", "CPU implementer", "CPU part") if key in fields]
    words = fields.get("model name") or platform.processor() or platform.machine()
    return " ".join([re.sub(r"\((R|TM|r|tm)\)", "", words), *numbers])


@cache
def _cpuinfo() -> dict[str, str]:
    """What the system says of its first processor; nothing where it does not say it as Linux does."""
    try:
        first = CPUINFO.read_text(encoding="utf-8", errors="replace").split("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}
