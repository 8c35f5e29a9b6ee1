"""From a labeled file to a model folder: read, split, fit, save, measure what was saved."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from dataclasses import replace as replace_fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cauce.data.augment import Augment
from cauce.data.augment import augment as augmented
from cauce.data.columns import Columns
from cauce.data.dataset import Dataset
from cauce.data.duplicates import overlap
from cauce.data.read import read, read_for
from cauce.data.split import split
from cauce.errors import InputError, UnknownName, nearest
from cauce.evaluation.evaluate import evaluate, report
from cauce.evaluation.metrics import Report
from cauce.evaluation.multilabel import HALF
from cauce.model import folder, golden
from cauce.model.manifest import Calibration, Data, Limits, Manifest, Recipe, Task
from cauce.model.model import Model, load
from cauce.recipes import linear
from cauce.runtimes.base import open_runtime
from cauce.text.normalize import Normalizer
from cauce.text.spelling import FILE as SPELLING_FILE
from cauce.text.spelling import Spelling
from cauce.text.threads import threads

RECIPES = {"linear": linear}
BASELINES: dict[Task, str] = {
    "classification": "the most frequent label",
    "multilabel": "the most frequent labels",
    "regression": "the mean",
}
THREE_PARTS, TWO_PARTS = (0.7, 0.15, 0.15), (0.9, 0.1)
LEAST_WORDS = 4  # of an example to try
GOLDEN_ROWS = 24  # of the data's own, beside the hard texts

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Run:
    """What one training made.

    Attributes:
        model: as it was loaded from `folder` and measured.
        report: its figures on `measured_on` ("test", or "dev" where nothing was held out).
        majority: the same figures of always giving the training's shares of labels.
        rows: how many rows each part had.
        notes: what was guessed, left out or found, in words.
        example: a short text of the measured rows, or a row as JSON, to try the model with.

    """

    folder: Path
    model: Model
    report: Report
    majority: Report
    measured_on: str
    rows: dict[str, int]
    notes: tuple[str, ...]
    example: str
    seconds: float

    @property
    def beats_majority(self) -> bool:
        """True where the intervals of the headline figure do not meet."""
        name = self.report.headline
        return self.report.metrics[name].low > self.majority.metrics[name].high

    @property
    def verdict(self) -> str:
        """One sentence on what the figures say."""
        name = self.report.headline
        ours, base = self.report.metrics[name], self.majority.metrics[name]
        beaten = BASELINES[self.model.task]
        said = f"better than {beaten}, beyond chance" if self.beats_majority else f"NOT shown to be better than {beaten}"
        caveat = " (dev figures: nothing was held out, choices were made on these rows)" if self.measured_on == "dev" else ""
        return f"{name.replace('_f1', ' F1')} {ours} against {base}: {said}{caveat}"

    def as_dict(self) -> dict[str, Any]:
        """As it is written to `evidence/metrics.json`."""
        return {
            **self.report.as_dict(),
            "measured_on": self.measured_on,
            "verdict": self.verdict,
            "majority": self.majority.as_dict()["metrics"],
            "parts": self.rows,
            "notes": list(self.notes),
            "seconds": round(self.seconds, 3),
        }


def train(
    data: str | Path,
    *,
    dev: str | Path | None = None,
    test: str | Path | None = None,
    recipe: str = "linear",
    out: str | Path = "model",
    name: str | None = None,
    text: str | None = None,
    label: str | None = None,
    columns: Columns = Columns(),
    seed: int = 0,
    replace: bool = False,
    normalizer: Normalizer = Normalizer(),
    augment: Augment | None = None,
    progress: Progress = lambda share, what: None,
) -> Run:
    """Train a model from a labeled file and write its folder.

    Args:
        data: a file, or `x_text.txt` beside `x_labels.txt` (and `mapping.txt`).
        dev: rows that choices are made on; without it a part of `data`.
        test: rows that only the final figures are made of; without `dev` and `test` a part of `data`. With `dev` alone
            nothing is held out and the figures are dev figures.
        out: the folder to write; it must not exist, or with `replace` may be an earlier model.
        name: of the model; without it the file's.
        text, label: the columns, where there is one of each; guessed without.
        columns: what else is known of the columns: other inputs, several labels, the time, the task.
        normalizer: what happens to a text before the model sees it.
        augment: altered copies of the training rows, to train on too; dev and test stay as they are.
        progress: called with the share done (0 to 1) and what is done.

    Raises:
        InputError: the data, the columns, the recipe or the place to write are wrong; see `cauce.errors`.
        MissingExtra: spelling correction without symspellpy, or a masked language model without torch and transformers.
        StorageFull

    """
    start = time.perf_counter()
    if recipe not in RECIPES:
        raise UnknownName(f'there is no recipe "{recipe}"', hint=nearest(recipe, RECIPES) or f"recipes: {', '.join(RECIPES)}")
    out = Path(out)
    folder.check_out(out, replace=replace)
    progress(0.0, "reading")
    parts, measured_on, notes = _parts(data, dev, test, columns.naming(text, label), seed)
    task = parts["train"].task
    labels = (parts["train"].target,) if task == "regression" else tuple(parts["train"].counts())
    for part in parts.values():
        part.truth(labels)  # an unknown label is told before the training, not after
    if (augment or normalizer.spelling or normalizer.html) and all(one.type != "text" for one in parts["train"].inputs):
        raise InputError("there is no text column to augment, correct or strip", hint="name one with --text")
    spelling = Spelling.learn(normalizer.apply(parts["train"].texts()).to_pylist()) if normalizer.spelling else None
    examples = parts["train"]
    if augment is not None:
        examples = augmented(examples, augment, seed, lambda share, what: progress(share * 0.05, what))
        notes += examples.notes[len(parts["train"].notes) :]
    fitted = RECIPES[recipe].train(
        examples,
        parts["dev"],
        labels,
        seed=seed,
        normalizer=normalizer,
        spelling=spelling,
        progress=lambda share, what: progress(0.05 + share * 0.85, what),
    )
    with folder.create(out, replace=replace) as room:
        files = fitted.save(room)
        manifest = Manifest(
            name=name or _name(Path(data)),
            task=task,
            labels=labels,
            inputs=parts["train"].inputs,
            normalizer=fitted.normalizer,
            limits=Limits(),
            calibration=Calibration(thresholds=fitted.thresholds),
            runtime=RECIPES[recipe].RUNTIME,
            variant=RECIPES[recipe].VARIANT,
            recipe=Recipe(name=recipe, parameters=fitted.parameters | _augmentation(augment), seed=seed),
            data=Data(sha256=parts["train"].sha256(), rows=len(parts["train"])),
            files=folder.describe(room, files),
        )
        model = _seal(room, manifest, files, parts["dev"], seed)
        progress(0.92, f"measuring on {measured_on}")
        measured = evaluate(model, parts[measured_on].rows, parts[measured_on].truth(labels))
        run = Run(
            folder=out,
            model=model,
            report=measured,
            majority=_majority(parts["train"], parts[measured_on], labels),
            measured_on=measured_on,
            rows={part: len(rows) for part, rows in parts.items()},
            notes=(*notes, *_private(spelling)),
            example=_example(parts[measured_on]),
            seconds=time.perf_counter() - start,
        )
        _write_evidence(room, run, fitted.log)
        progress(1.0, "writing")
    return run


def _parts(
    data: str | Path, dev: str | Path | None, test: str | Path | None, columns: Columns, seed: int
) -> tuple[dict[str, Dataset], str, list[str]]:
    """The parts by name, which one is measured, and notes."""
    whole = read(data, columns)
    whole.check_trainable()
    notes = list(whole.notes)
    like = replace_fields(columns, task=whole.task)
    given = {}
    for part, path in (("dev", dev), ("test", test)):
        if path is not None:
            given[part] = read_for(path, whole.inputs, like, target=whole.target)
    if not given:
        train, dev_part, test_part = split(whole, THREE_PARTS, seed)
        return {"train": train, "dev": dev_part, "test": test_part}, "test", list(train.notes)
    if "dev" not in given:
        train, dev_part = split(whole, TWO_PARTS, seed)
        parts = {"train": train, "dev": dev_part, **given}
        notes = list(train.notes)
    else:
        parts = {"train": whole, **given}
    for part, rows in given.items():
        shared = overlap(whole, rows)
        for count, how in ((len(shared.exact), "are"), (len(shared.near), "have a near duplicate")):
            if count:
                notes.append(f"{count} row(s) of {part} {how} in the training data too: its figures are too good by that")
    return parts, "test" if "test" in given else "dev", notes


def _augmentation(augment: Augment | None) -> dict[str, Any]:
    """The parameter of the recipe that says how the training rows were multiplied, where they were."""
    return {"augment": augment.as_dict()} if augment else {}


def _private(spelling: Spelling | None) -> Iterator[str]:
    """What the folder holds of the training texts: whoever gets the model gets that too."""
    yield f"{folder.GOLDEN} in the folder holds up to {GOLDEN_ROWS} of your rows"
    if spelling is not None:
        yield f"{SPELLING_FILE} in the folder holds every word of your training texts"


def _seal(room: Path, manifest: Manifest, files: list[str], own: Dataset, seed: int) -> Model:
    """Write `golden.jsonl` and `cauce.json`, and open the model the way every mode does."""
    (room / folder.MANIFEST).write_bytes(manifest.render())
    draft = Model(manifest, open_runtime(manifest.runtime, room, manifest.variant))
    chosen = np.random.default_rng(seed).permutation(len(own))[:GOLDEN_ROWS]
    rows = own.rows.take(chosen).to_pylist()
    for name in [one.name for one in manifest.inputs if one.type == "text"][:1]:
        rows = [*({**rows[i % len(rows)], name: text} for i, text in enumerate(golden.HARD_TEXTS)), *rows]
    golden.write(draft, room / folder.GOLDEN, rows)
    sealed = manifest.model_copy(update={"files": folder.describe(room, [*files, folder.GOLDEN])})
    (room / folder.MANIFEST).write_bytes(sealed.render())
    return load(room)


def _majority(train: Dataset, measured: Dataset, labels: tuple[str, ...]) -> Report:
    """The figures of what needs no model, the same for every row: the training's share of each label, or the mean."""
    truth = train.truth(labels)
    if train.task == "classification":
        truth = truth[:, None] == np.arange(len(labels))
    shares: npt.NDArray[np.float32] = truth.mean(axis=0).astype(np.float32)
    thresholds = (HALF,) * len(labels)
    return report(train.task, measured.truth(labels), np.tile(shares, (len(measured), 1)), labels, thresholds)


def _write_evidence(room: Path, run: Run, log: list[dict[str, Any]]) -> None:
    """Everything that was measured; outside the model's identity."""
    evidence = room / folder.EVIDENCE
    evidence.mkdir()
    environment = {
        "cauce": version("cauce"),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "threads": threads(),
        **{package: version(package) for package in ("numpy", "numba", "pyarrow")},
    }
    _write_json(evidence / "metrics.json", run.as_dict())
    _write_json(evidence / "environment.json", environment)
    (evidence / "train.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in log), encoding="utf-8")
    (room / folder.MLMODEL).write_text(_mlmodel(run.model), encoding="utf-8")
    folder.write_evidence_hashes(room)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _mlmodel(model: Model) -> str:
    """MLflow's description of the folder: who loads it. JSON is YAML.

    MLflow reads a missing boolean as false, and refuses 0 and 1 and a category of numbers: such columns pass as they are.
    """
    types = {"text": "string", "category": "any", "number": "double", "boolean": "any"}
    inputs = [{"name": one.name, "type": types[one.type], "required": True} for one in model.manifest.inputs]
    return (
        json.dumps(
            {
                "flavors": {
                    "python_function": {"loader_module": "cauce.mlflow", "python_version": platform.python_version()},
                    "cauce": {"version": version("cauce"), "model_version": model.version},
                },
                "signature": {"inputs": json.dumps(inputs)},
            },
            indent=2,
        )
        + "\n"
    )


def _example(rows: Dataset) -> str:
    """The shortest text of several words, or of any; of several columns the first row as JSON."""
    if [one.type for one in rows.inputs] != ["text"]:
        return json.dumps(rows.rows.slice(0, 1).to_pylist()[0], ensure_ascii=False)
    texts = [" ".join(text.split()) for text in rows.texts().to_pylist()]
    return min(texts, key=lambda text: (text.count(" ") < LEAST_WORDS, len(text)))


def _name(data: Path) -> str:
    """The model's name, from the file's."""
    stem = data.name.removesuffix("_text.txt").split(".")[0]
    name = f"{data.absolute().parent.name}-{stem}" if data.name.endswith("_text.txt") else stem
    if not name:
        raise InputError(f"no name can be made from {data}", hint="give one with --name")
    return name
