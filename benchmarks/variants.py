"""What each form of a model is worth and how fast it is: linear, LSTM alone and taught, and the variants of a transformer.

All answer the same rows in turns, so that what else the machine does meets all of them. Quality is that of dev; with `--final`
the test part is read, once a run, and benchmarks/results/variants.json counts how often. The gate is not asked here: what it
would keep out is shown too. The models come from the folder CAUCE_BENCH_MODELS (`linear`, `lstm`, `taught`, `transformer`, all
of the same rows), and are trained where one is missing: up to an hour on two cores. docs/images/make_variants.py draws it.

    python benchmarks/variants.py [tweeteval/emotion] [--final]
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
from machine import machine
from quality import DATA, TASKS

import cauce
from cauce.data.dataset import Dataset
from cauce.evaluation.evaluate import ask, report
from cauce.evaluation.metrics import said
from cauce.model.model import Model, load
from cauce.optimization import measure
from cauce.optimization.candidates import candidates
from cauce.optimization.optimize import add
from cauce.text.threads import threads

RESULT = Path(__file__).parent / "results" / "variants.json"
TURNS = 7
TRAINED = {  # the arguments of each training; a teacher is another of these
    "linear": {"recipe": "linear"},
    "lstm": {"recipe": "lstm"},
    "transformer": {"recipe": "transformer"},
    "taught": {"recipe": "lstm", "options": {"teacher": "transformer"}},
}


def folders(room: Path, train: Path, dev: Path) -> dict[str, Path]:
    """The folder of each model, trained if it is not there."""
    for name, how in TRAINED.items():
        if not (room / name).exists():
            sys.stderr.write(f"training {name}\n")
            options = {key: str(room / value) for key, value in how.get("options", {}).items()}
            cauce.train(train, dev=dev, recipe=how["recipe"], out=room / name, options=options)
    return {name: room / name for name in TRAINED}


def forms(places: dict[str, Path], copy: Path, train: Dataset, dev: Dataset) -> Iterator[tuple[str, Path, Model]]:
    """Every model, and every variant that can be made of the transformer in a copy of it, whatever it loses."""
    for name in ("linear", "lstm", "taught"):
        yield name, places[name], load(places[name], cauce.load(places[name]).manifest.variant)
    shutil.copytree(places["transformer"], copy, ignore=shutil.ignore_patterns("variants"))
    whole = load(copy)
    yield "fp32", copy, whole
    for one in candidates(copy, whole, train, dev):
        if one.obstacle:
            sys.stderr.write(f"{one.name}: {one.obstacle}\n")
            continue
        sys.stderr.write(f"making {one.name}\n")
        add(copy, one, whole.version, dev.rows, lambda share, what: None)
        yield one.name, copy, load(copy, one.name)


def main() -> None:
    """Measure and write the result."""
    final = "--final" in sys.argv
    name = next((word for word in sys.argv[1:] if not word.startswith("-")), "tweeteval/emotion")
    task = next(one for one in TASKS if one.name == name)
    train, dev, measured = task.parts(final)
    load_before = os.getloadavg()
    with tempfile.TemporaryDirectory(prefix="cauce-variants-") as scratch:
        room = Path(os.environ.get("CAUCE_BENCH_MODELS", scratch))
        room.mkdir(parents=True, exist_ok=True)
        places = folders(room, DATA / task.train, DATA / str(task.dev))
        found = list(forms(places, Path(scratch) / "copy", train, dev))
        speeds = measure.speeds([model for _, _, model in found], measured.rows, repeats=TURNS)
        rows = {}
        for (form, folder, model), speed in zip(found, speeds, strict=True):
            scores = ask(model, measured.rows)
            limits = model.manifest.calibration.thresholds
            figures = report(model.task, measured.truth(model.labels), scores, model.labels, limits)
            rows[form] = {
                "quality": asdict(figures.metrics[figures.headline]),
                "texts_per_second": {
                    "median": round(speed.rate),
                    "min": round(float(np.min(speed.rates))),
                    "max": round(float(np.max(speed.rates))),
                },
                "p50_ms": round(speed.p50, 3),
                "p95_ms": round(speed.p95, 3),
                "megabytes": round(measure.megabytes(folder, model.variant), 2),
                "batching": model.runtime.batching,
            }
    before = json.loads(RESULT.read_text("utf-8")) if RESULT.exists() else {}
    result = {
        "data": name,
        "part": "test" if final and task.test else "dev",
        "times_test_was_read": before.get("times_test_was_read", 0) + bool(final and task.test),
        "metric": said(figures.headline),
        "rows": len(measured),
        "forms": rows,
        "threads": threads(),
        "load": {"before": [round(x, 2) for x in load_before], "after": [round(x, 2) for x in os.getloadavg()]},
        **machine("onnxruntime", "openvino", "torch", "tokenizers"),
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
