"""From examples to a model folder that answers: fit, calibrate on dev, seal."""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from cauce.data.augment import Augment
from cauce.data.augment import augment as augmented
from cauce.data.dataset import Dataset
from cauce.errors import UnknownName, nearest, need
from cauce.evaluation.calibration import temperature
from cauce.evaluation.evaluate import Scores, ask
from cauce.evaluation.multilabel import best_thresholds
from cauce.model import folder, golden
from cauce.model import rows as checked
from cauce.model.files import describe
from cauce.model.manifest import Calibration, Data, Limits, Manifest, Recipe
from cauce.model.model import Model, load
from cauce.model.scores import to_scores
from cauce.recipes import parity
from cauce.recipes.checkpoint import Checkpoint
from cauce.recipes.options import Options
from cauce.runtimes.base import open_runtime
from cauce.text.normalize import Normalizer
from cauce.text.spelling import Spelling

RECIPES = {
    "linear": "cauce.recipes.linear",
    "transformer": "cauce.recipes.transformer",
    "lstm": "cauce.recipes.lstm",
}
NETWORKS = ("torch", "onnx", "onnxscript", "onnxruntime", "tokenizers")  # what a recipe that trains a network needs
NEEDS = {"transformer": (*NETWORKS, "transformers"), "lstm": NETWORKS}

Progress = Callable[[float, str], None]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a model is made; the same for the model, the folds of a cross-validation and a baseline.

    Attributes:
        keep: the folder where the training is kept on its way; None where it is not worth it.
        resume: go on from what is kept there.

    """

    recipe: str
    name: str
    labels: tuple[str, ...]
    seed: int = 0
    normalizer: Normalizer = Normalizer()
    augment: Augment | None = None
    options: Options = Options()
    keep: Path | None = None
    resume: bool = False

    def checkpoint(self, train: Dataset, dev: Dataset) -> Checkpoint | None:
        """Where this training on these rows is kept."""
        if self.keep is None:
            return None
        told = [self.recipe, self.labels, self.seed, self.normalizer.model_dump(), self.options.model_dump()]
        told += [self.augment.as_dict() if self.augment else None, train.sha256(), dev.sha256()]
        return Checkpoint(self.keep, hashlib.sha256(json.dumps(told).encode()).hexdigest(), self.resume)


@dataclass(frozen=True)
class Built:
    """A model as it was loaded from its folder, what the recipe logged, and notes on what was made of the examples.

    `stopped`: by Ctrl-C, with the best so far kept.
    """

    model: Model
    log: list[dict[str, Any]]
    notes: tuple[str, ...]
    spelling: Spelling | None
    stopped: bool


def find(name: str) -> Any:
    """The module of a recipe.

    Raises:
        UnknownName: there is none of that name.
        MissingExtra: it trains a network, and what that needs is not installed.

    """
    if name not in RECIPES:
        raise UnknownName(f'there is no recipe "{name}"', hint=nearest(name, RECIPES) or f"recipes: {', '.join(RECIPES)}")
    for package in NEEDS.get(name, ()):
        need(package, extra="train", what=f"the recipe {name}")
    return importlib.import_module(RECIPES[name])


def build(room: Path, plan: Plan, train: Dataset, dev: Dataset, progress: Progress = lambda share, what: None) -> Built:
    """Fit on `train`, choose on `dev`, and write the model into the folder `room`."""
    normalizer = plan.normalizer
    spelling = Spelling.learn(normalizer.apply(train.texts()).to_pylist()) if normalizer.spelling else None
    examples, parameters = train, {}
    if plan.augment is not None:
        examples = augmented(train, plan.augment, plan.seed, lambda share, what: progress(share * 0.05, what))
        parameters = {"augment": plan.augment.as_dict()}
    recipe = find(plan.recipe)
    fitted = recipe.train(
        examples,
        dev,
        plan.labels,
        seed=plan.seed,
        normalizer=normalizer,
        spelling=spelling,
        options=plan.options,
        checkpoint=plan.checkpoint(examples, dev),
        progress=lambda share, what: progress(0.05 + share * 0.95, what),
    )
    files = fitted.save(room)
    proof = parity.prove(fitted.net, room, fitted.max_tokens) if plan.recipe in NEEDS else None
    manifest = Manifest(
        name=plan.name,
        task=train.task,
        labels=plan.labels,
        inputs=train.inputs,
        normalizer=fitted.normalizer,
        limits=Limits(max_tokens=fitted.max_tokens),
        calibration=Calibration(),
        runtime=recipe.RUNTIME,
        variant=recipe.VARIANT,
        recipe=Recipe(name=plan.recipe, parameters=fitted.parameters | parameters, seed=plan.seed),
        data=Data(sha256=train.sha256(), rows=len(train)),
        files=describe(room, files),
    )
    (room / folder.MANIFEST).write_bytes(manifest.render())
    draft = Model(manifest, open_runtime(manifest.runtime, room, manifest.variant))
    calibrated = manifest.model_copy(update={"calibration": calibration(draft, dev)})
    model = seal(room, calibrated, files, _golden_rows(dev, plan.seed))
    if proof:
        parity.write(proof, room)
    notes = (*examples.notes[len(train.notes) :], *fitted.notes)
    return Built(model, fitted.log, notes, fitted.spelling, fitted.stopped)


def scores_of(plan: Plan, train: Dataset, dev: Dataset, measured: Dataset) -> tuple[Scores, tuple[float, ...]]:
    """Build a model that is not kept; its scores of the rows `measured`, and its thresholds."""
    with TemporaryDirectory(prefix="cauce-") as room:
        model = build(Path(room), plan, train, dev).model
        return ask(model, measured.rows), model.manifest.calibration.thresholds


def calibration(model: Model, dev: Dataset) -> Calibration:
    """The temperature of the least log loss on dev and, of several labels, the thresholds at that temperature."""
    if model.task == "regression":
        return Calibration()
    inputs, limit = model.manifest.inputs, model.manifest.limits.max_chars
    codes, _ = checked.check(dev.rows, inputs, limit)
    fine = np.flatnonzero(codes == checked.FINE)
    some = dev.take(fine)
    logits, _, failed = model.logits(checked.cut(some.rows, inputs, limit))
    logits, truth = logits[~failed], some.truth(model.labels)[~failed]
    warm = temperature(model.task, logits, truth)
    limits: tuple[float, ...] = ()
    if model.task == "multilabel":
        limits = best_thresholds(truth, to_scores(model.task, logits, warm)) if len(truth) else (0.5,) * len(model.labels)
    return Calibration(temperature=warm, thresholds=limits)


def seal(room: Path, manifest: Manifest, files: list[str], rows: list[dict[str, Any]]) -> Model:
    """Write `golden.jsonl` of these rows and `cauce.json`, and open the model the way every mode does."""
    (room / folder.MANIFEST).write_bytes(manifest.render())
    draft = Model(manifest, open_runtime(manifest.runtime, room, manifest.variant))
    golden.write(draft, room / folder.GOLDEN, rows)
    sealed = manifest.model_copy(update={"files": describe(room, [*files, folder.GOLDEN])})
    (room / folder.MANIFEST).write_bytes(sealed.render())
    return load(room)


def _golden_rows(own: Dataset, seed: int) -> list[dict[str, Any]]:
    """Some rows of the data; before them the hard texts, in its first column of texts."""
    chosen = np.random.default_rng(seed).permutation(len(own))[: golden.ROWS]
    rows: list[dict[str, Any]] = own.rows.take(chosen).to_pylist()
    for name in [one.name for one in own.inputs if one.type == "text"][:1]:
        rows = [*({**rows[i % len(rows)], name: text} for i, text in enumerate(golden.HARD_TEXTS)), *rows]
    return rows
