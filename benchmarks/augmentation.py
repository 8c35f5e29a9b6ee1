"""What augmentation and spelling correction give on texts with faults, and what they cost on clean ones.

Spanish tweets whose accents are dropped, English tweets with typing faults. Never on test: once on dev, and once over train
and dev in folds (each row is measured by a model that saw neither it nor its text while fitting or choosing). The figures
are macro F1, and paired bootstraps of the difference to the model without either, in points.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from machine import machine

import cauce
from cauce.data.alterations import ALTERATIONS
from cauce.data.augment import Augment
from cauce.data.dataset import Dataset
from cauce.data.read import read
from cauce.data.split import split
from cauce.text.normalize import Normalizer

ROOT = Path(__file__).parent.parent
DATA = ROOT.parent / "shared" / "data"
RESULT = ROOT / "benchmarks" / "results" / "augmentation.json"
FOLDS, RESAMPLES = 8, 2000
FAULTS = {"accents": "dropped accents", "typos": "typing faults"}
SHARE = 0.2  # of the words of a measured text that get a fault (accents: all)

Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Variant:
    """A way to train."""

    augment: Augment | None = None
    normalizer: Normalizer = Normalizer()


@dataclass(frozen=True)
class Task:
    """A data set, the fault that its texts get, and the ways to train that are compared to the usual one."""

    name: str
    fault: str
    variants: dict[str, Variant]


USUAL, SPELLING = Variant(), Variant(normalizer=Normalizer(spelling=True))
TASKS = (
    Task("umsab/spanish", "accents", {"accents": Variant(Augment.parse("accents")), "spelling": SPELLING}),
    Task("tweeteval/emotion", "typos", {"typos": Variant(Augment.parse("typos,share=0.2")), "spelling": SPELLING}),
)


def texts_of(data: Dataset) -> list[str]:
    """The texts."""
    found: list[str] = data.texts().to_pylist()
    return found


def faulty(texts: list[str], fault: str) -> list[str]:
    """The texts with the fault, from seeds that no training uses."""
    return [ALTERATIONS[fault](text, Random(f"measured {row}"), SHARE) for row, text in enumerate(texts)]


def answers(train: Dataset, dev: Dataset, variant: Variant, asked: list[list[str]], labels: tuple[str, ...]) -> list[Places]:
    """Train and ask: for each list of texts the places of the answers in `labels`."""
    with tempfile.TemporaryDirectory() as room:
        files = {}
        for part, rows in (("train", train), ("dev", dev)):
            files[part] = Path(room) / f"{part}.jsonl"
            pairs = zip(texts_of(rows), rows.labels.to_pylist(), strict=True)
            lines = (json.dumps({"text": text, "label": label}) + "\n" for text, label in pairs)
            files[part].write_text("".join(lines), encoding="utf-8")
        run = cauce.train(
            files["train"], dev=files["dev"], out=f"{room}/model", augment=variant.augment, normalizer=variant.normalizer
        )
        return [np.array([labels.index(answer.label or "") for answer in run.model.predict(texts)]) for texts in asked]


def macro_f1(truth: Places, given: Places) -> float:
    """The mean F1 of the labels."""
    size = int(truth.max()) + 1
    table = np.bincount(truth * size + given, minlength=size * size).reshape(size, size)
    return float(np.mean(2 * table.diagonal() / np.maximum(table.sum(axis=0) + table.sum(axis=1), 1)))


def compared(truth: Places, usual: Places, other: Places) -> dict[str, object]:
    """Macro F1 of both, and the difference with its 95 % interval, in points."""
    random = np.random.default_rng(0)
    draws = [random.integers(0, len(truth), len(truth)) for _ in range(RESAMPLES)]
    differences = [macro_f1(truth[draw], other[draw]) - macro_f1(truth[draw], usual[draw]) for draw in draws]
    first, second = macro_f1(truth, usual), macro_f1(truth, other)
    low, high = np.percentile(differences, (2.5, 97.5))
    return {
        "usual": round(100 * first, 2),
        "with": round(100 * second, 2),
        "difference": [round(100 * float(x), 2) for x in (second - first, low, high)],
        "verdict": "better" if low > 0 else "worse" if high < 0 else "no difference beyond chance",
    }


def both(task: Task, variant: Variant, train: Dataset, dev: Dataset, held: Dataset, labels: tuple[str, ...]) -> list[Places]:
    """The answers on held-out rows, clean and faulty. The penalty is chosen on dev, clean as always."""
    clean = texts_of(held)
    return answers(train, dev, variant, [clean, faulty(clean, task.fault)], labels)


def in_folds(task: Task, variant: Variant, parts: tuple[Dataset, ...], labels: tuple[str, ...]) -> list[Places]:
    """The answers on each part, clean and faulty: one part chooses the penalty, the others but these two are fitted."""
    found = []
    for held in range(FOLDS):
        chooser = (held + 1) % FOLDS
        rest = joined([part for number, part in enumerate(parts) if number not in (held, chooser)])
        found.append(both(task, variant, rest, parts[chooser], parts[held], labels))
    return [np.concatenate(column) for column in zip(*found, strict=True)]


def joined(parts: list[Dataset]) -> Dataset:
    """The rows of several parts."""
    rows = pa.Table.from_batches([part.rows for part in parts]).combine_chunks().to_batches()[0]
    labels = pa.concat_arrays([part.labels for part in parts])
    return replace(parts[0], rows=rows, labels=labels, lines=None)


def main() -> None:
    """Measure both tasks and write the table."""
    if not DATA.exists():
        sys.stdout.write("the real data are not here: nothing measured\n")
        return
    start = time.perf_counter()
    tables: dict[str, object] = {}
    for task in TASKS:
        train, dev = read(DATA / task.name / "train_text.txt"), read(DATA / task.name / "val_text.txt")
        labels = tuple(train.counts())
        parts = split(joined([train, dev]), (1 / FOLDS,) * FOLDS, seed=0)
        settings = {
            "dev": (dev.places(labels), lambda v, t=task, a=train, b=dev, k=labels: both(t, v, a, b, b, k)),
            "folds of train and dev": (
                np.concatenate([part.places(labels) for part in parts]),
                lambda v, t=task, p=parts, k=labels: in_folds(t, v, p, k),
            ),
        }
        for name, (truth, measure) in settings.items():
            usual = measure(USUAL)
            for way, variant in task.variants.items():
                given = measure(variant)
                row = {
                    what: compared(truth, usual[i], given[i])
                    for i, what in enumerate(("clean texts", f"texts with {FAULTS[task.fault]}"))
                }
                tables[f"{task.name}, {name} ({len(truth)} rows): {way}"] = row
                sys.stdout.write(f"{task.name}, {name}: {way}: {json.dumps(row)}\n")
                sys.stdout.flush()
    result = {
        "tables": tables,
        "seconds": round(time.perf_counter() - start),
        **machine("numpy"),
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
