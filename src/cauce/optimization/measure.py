"""What a variant does on this processor, beside the model as it was saved: answers, speed, memory, and whether rows disturb
each other.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cauce.errors import CauceError
from cauce.evaluation.compare import given_labels, versus
from cauce.evaluation.evaluate import Scores
from cauce.evaluation.metrics import Figure
from cauce.model import folder as folders
from cauce.model import variants
from cauce.model.gates import Target
from cauce.model.model import Model
from cauce.model.scores import to_scores
from cauce.runtimes.base import Batching

REPEATS = 5
SINGLES = 40  # texts, asked one by one, in each repeat
BATCHED_SECONDS = 1.0  # about what a repeat of many rows takes the slower of the two
FEWEST, MOST = 64, 8192  # rows of a repeat
TOGETHER = (8, 32)  # rows a call, beside which the same rows one by one stand
SHUFFLES = 2  # of the larger calls: what moves one row of hundreds shows in some orders only
DISTURBED = 512  # rows that batches are made of
FRESH_SECONDS = 300
GRAPHS, WEIGHTS = ("model.onnx", "model.xml"), "weights.safetensors"

FRESH = """
import json, sys, time
start = time.perf_counter()
import cauce
model = cauce.load(sys.argv[1], sys.argv[2])
model.predict([json.loads(sys.argv[3])])
seconds = time.perf_counter() - start
try:
    lines = open("/proc/self/status").read().splitlines()
    kib = int(next(line.split()[1] for line in lines if line.startswith("VmRSS")))
except OSError:
    import resource
    kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "darwin" else 1)
print(json.dumps({"seconds": seconds, "mib": kib / 1024}))
"""


@dataclass(frozen=True, slots=True)
class Answers:
    """How a variant answers labeled rows, beside the model as it was saved.

    Attributes:
        metric: the figure that says most of the task; more of it is better.
        value: of the variant.
        loss: what the variant loses, in points of 100: the paired difference on the same rows. Below 0 it gains.
        agreement: the share of rows that get the same label or labels; None for a regression.

    """

    metric: str
    value: Figure
    loss: Figure
    agreement: float | None


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast answers come, texts to answers: one text a call, and many.

    Attributes:
        singles: milliseconds of each call of one text, by repeat, (repeats, texts).
        rates: texts a second of each repeat, (repeats,).

    """

    singles: npt.NDArray[np.float64]
    rates: npt.NDArray[np.float64]

    @property
    def p50(self) -> float:
        """Milliseconds that half of the single texts take at most."""
        return float(np.median(self.singles))

    @property
    def p95(self) -> float:
        """Milliseconds that 95 of 100 single texts take at most."""
        return float(np.percentile(self.singles, 95))

    @property
    def rate(self) -> float:
        """Texts a second, the median of the repeats."""
        return float(np.median(self.rates))

    def latency_gain(self, base: Speed) -> float:
        """How many times faster one text is answered than by `base`, the median over the repeats."""
        return float(np.median(np.median(base.singles, axis=1) / np.median(self.singles, axis=1)))

    def rate_gain(self, base: Speed) -> float:
        """How many times more texts a second than `base`, the median over the repeats."""
        return float(np.median(self.rates / base.rates))


@dataclass(frozen=True, slots=True)
class Dependence:
    """What the rows of one call do to each other's scores: the same rows one by one, in calls of 8 and 32, and shuffled.

    Attributes:
        worst: the largest difference of a score (of a regression, of a value over 1 its share).
        flipped: how many rows got another label in any of the calls.
        rows: how many were asked.
        served: the largest difference between asking for each row alone and for all, as any mode asks: what `batching` allows.

    """

    worst: float
    flipped: int
    rows: int
    served: float


@dataclass(frozen=True, slots=True)
class Fresh:
    """A process of its own that loads the model and answers one text: seconds until then, and MiB that it holds."""

    seconds: float
    mib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """All that was measured of one variant.

    Attributes:
        batching: what it declares: "free", or "single" where each row runs alone.
        gains: by target, how many times better than the model as it was saved; of quality, 1 and the share of 1 gained.
        megabytes: of all files that it needs, 10^6 bytes.

    """

    batching: Batching
    answers: Answers
    speed: Speed
    dependence: Dependence
    fresh: Fresh
    megabytes: float
    gains: dict[Target, float]

    def figures(self) -> dict[str, float]:
        """By name, as they are kept and written to JSON."""
        agreement = {} if self.answers.agreement is None else {"agreement": self.answers.agreement}
        return {
            **{part: getattr(self.answers.value, part) for part in ("value", "low", "high")},
            **{f"loss_{part}": getattr(self.answers.loss, part) for part in ("low", "high")},
            **agreement,
            "p50_ms": self.speed.p50,
            "p95_ms": self.speed.p95,
            "texts_per_second": self.speed.rate,
            "load_seconds": self.fresh.seconds,
            "memory_mib": self.fresh.mib,
            "megabytes": self.megabytes,
            "batch_worst": self.dependence.worst,
            "batch_flipped": float(self.dependence.flipped),
            "batch_rows": float(self.dependence.rows),
            "batch_served": self.dependence.served,
            **{f"gain_{target}": gain for target, gain in self.gains.items()},
        }


def answers(model: Model, truth: npt.NDArray[Any], base: Scores, scores: Scores) -> Answers:
    """Figures from the scores (n, labels) of the model as it was saved and of the variant, of the same rows."""
    limits = model.manifest.calibration.thresholds
    of_base, of_variant, differences = versus(model.task, truth, model.labels, (base, limits), (scores, limits))
    metric = of_base.headline
    lost = differences[metric].difference
    alike = (given_labels(model.task, base, limits) == given_labels(model.task, scores, limits)).all(axis=1)
    return Answers(
        metric,
        of_variant.metrics[metric],
        Figure(*(0.0 - 100 * end for end in (lost.value, lost.high, lost.low))),
        None if model.task == "regression" else float(alike.mean()),
    )


def speeds(models: Sequence[Model], rows: pa.RecordBatch, *, repeats: int | None = None) -> list[Speed]:
    """The speed of each model on the same rows, in turns: what else the machine does meanwhile meets all of them.

    Args:
        rows: (n,) labeled ones or others; of many only as many as take about a second.

    """
    for model in models:
        model.warm_up()
        model.predict_arrow(rows.slice(0, FEWEST))
    slowest = max(_seconds(lambda model=model: model.predict_arrow(rows.slice(0, FEWEST))) for model in models)  # type: ignore[misc]
    count = int(np.clip(BATCHED_SECONDS / slowest * min(FEWEST, len(rows)), FEWEST, MOST))
    many = _spread(rows, count)
    singles = [many.slice(place, 1) for place in np.linspace(0, len(many) - 1, SINGLES).astype(int).tolist()]
    taken: list[list[list[float]]] = [[] for _ in models]
    rates: list[list[float]] = [[] for _ in models]
    for repeat in range(repeats or REPEATS):
        for turn in range(len(models)):
            place = (turn + repeat) % len(models)  # nobody always comes first
            model = models[place]
            taken[place].append([1000 * _seconds(lambda one=one: model.predict_arrow(one)) for one in singles])  # type: ignore[misc]  # noqa: B023
            rates[place].append(len(many) / _seconds(lambda: model.predict_arrow(many)))  # noqa: B023
    return [Speed(np.array(taken[place]), np.array(rates[place])) for place in range(len(models))]


def dependence(model: Model, rows: pa.RecordBatch, *, seed: int = 0) -> Dependence:
    """What the rows of one call of the runtime do to each other's scores.

    Args:
        rows: (n,) that the model can answer; 512 of them are asked.

    """
    some = _spread(rows, DISTURBED)
    model.warm_up()  # from then on a lone row may run on all threads
    encoded = model.runtime.encode(some)
    rng = np.random.default_rng(seed)

    def scores(places: npt.NDArray[np.int64], size: int) -> Scores:
        calls = [places[start : start + size] for start in range(0, len(places), size)]
        logits = np.concatenate([model.runtime.forward(encoded.take(call)) for call in calls])
        found = np.empty_like(logits)
        found[places] = logits
        return to_scores(model.task, found, model.manifest.calibration.temperature)

    def apart(a: Scores, b: Scores) -> float:
        return float((np.abs(a - b) / np.maximum(np.abs(a), 1)).max())  # a regression's values may be large

    alone = scores(np.arange(len(some)), 1)
    limits = model.manifest.calibration.thresholds
    worst, flipped = 0.0, np.zeros(len(some), np.bool_)
    for places, size in [(np.arange(len(some)), size) for size in TOGETHER] + [
        (rng.permutation(len(some)), TOGETHER[-1]) for _ in range(SHUFFLES)
    ]:
        beside = scores(places, size)
        worst = max(worst, apart(alone, beside))
        if model.task != "regression":
            flipped |= (given_labels(model.task, alone, limits) != given_labels(model.task, beside, limits)).any(axis=1)
    by_row = np.concatenate([model.predict(some.slice(row, 1)).scores for row in range(len(some))])
    return Dependence(worst, int(flipped.sum()), len(some), apart(by_row, model.predict(some).scores))


def fresh(folder: Path, variant: str, row: dict[str, Any]) -> Fresh:
    """Load a variant in a process of its own and answer one row there.

    Raises:
        CauceError: the process failed, was killed (out of memory, most often), or took too long.

    """
    command = [sys.executable, "-c", FRESH, str(folder), variant, json.dumps(row)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=FRESH_SECONDS, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise CauceError(f"loading {variant} in a fresh process took over {FRESH_SECONDS} s") from None
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["nothing was said"]
        how = "was killed; is there enough memory?" if done.returncode < 0 else f"failed: {last[0][:200]}"
        raise CauceError(f"loading {variant} in a fresh process {how}")
    found = json.loads(done.stdout.strip().splitlines()[-1])
    return Fresh(found["seconds"], found["mib"])


def megabytes(folder: Path, variant: str) -> float:
    """The size of all files that a variant needs: its own, and those of the model that it does not bring along, 10^6 bytes.

    A graph that a variant brings has its weights with it, so the model's weights are not counted then.
    """
    manifest = folders.read(folder)
    needed = {name: file.bytes for name, file in manifest.files.items()}
    if variant != manifest.variant:
        own = {name: file.bytes for name, file in variants.read(folder, variant).files.items()}
        if any(name in own for name in GRAPHS):
            needed = {name: size for name, size in needed.items() if name not in (*GRAPHS, WEIGHTS)}
        needed |= own
    return sum(needed.values()) / 1e6


def _spread(rows: pa.RecordBatch, count: int) -> pa.RecordBatch:
    """At most so many rows, from all over."""
    if len(rows) <= count:
        return rows
    return rows.take(pa.array(np.linspace(0, len(rows) - 1, count).astype(np.int64)))


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
