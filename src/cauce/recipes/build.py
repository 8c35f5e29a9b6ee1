"""From examples to a model folder that answers: fit, calibrate on dev, seal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from cauce.data.augment import Augment
from cauce.data.augment import augment as augmented
from cauce.data.dataset import Dataset
from cauce.evaluation.calibration import temperature
from cauce.evaluation.evaluate import Scores, ask
from cauce.evaluation.multilabel import best_thresholds
from cauce.model import folder, golden
from cauce.model import rows as checked
from cauce.model.manifest import Calibration, Data, Limits, Manifest, Recipe
from cauce.model.model import Model, load
from cauce.model.scores import to_scores
from cauce.recipes import linear
from cauce.runtimes.base import open_runtime
from cauce.text.normalize import Normalizer
from cauce.text.spelling import Spelling

RECIPES = {"linear": linear}

Progress = Callable[[float, str], None]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a model is made; the same for the model, the folds of a cross-validation and a baseline."""

    recipe: str
    name: str
    labels: tuple[str, ...]
    seed: int = 0
    normalizer: Normalizer = Normalizer()
    augment: Augment | None = None


@dataclass(frozen=True)
class Built:
    """A model as it was loaded from its folder, what the recipe logged, and notes on what was made of the examples."""

    model: Model
    log: list[dict[str, Any]]
    notes: tuple[str, ...]
    spelling: Spelling | None


def build(room: Path, plan: Plan, train: Dataset, dev: Dataset, progress: Progress = lambda share, what: None) -> Built:
    """Fit on `train`, choose on `dev`, and write the model into the folder `room`."""
    normalizer = plan.normalizer
    spelling = Spelling.learn(normalizer.apply(train.texts()).to_pylist()) if normalizer.spelling else None
    examples, parameters = train, {}
    if plan.augment is not None:
        examples = augmented(train, plan.augment, plan.seed, lambda share, what: progress(share * 0.05, what))
        parameters = {"augment": plan.augment.as_dict()}
    recipe = RECIPES[plan.recipe]
    fitted = recipe.train(
        examples,
        dev,
        plan.labels,
        seed=plan.seed,
        normalizer=normalizer,
        spelling=spelling,
        progress=lambda share, what: progress(0.05 + share * 0.95, what),
    )
    files = fitted.save(room)
    manifest = Manifest(
        name=plan.name,
        task=train.task,
        labels=plan.labels,
        inputs=train.inputs,
        normalizer=fitted.normalizer,
        limits=Limits(),
        calibration=Calibration(),
        runtime=recipe.RUNTIME,
        variant=recipe.VARIANT,
        recipe=Recipe(name=plan.recipe, parameters=fitted.parameters | parameters, seed=plan.seed),
        data=Data(sha256=train.sha256(), rows=len(train)),
        files=folder.describe(room, files),
    )
    (room / folder.MANIFEST).write_bytes(manifest.render())
    draft = Model(manifest, open_runtime(manifest.runtime, room, manifest.variant))
    calibrated = manifest.model_copy(update={"calibration": calibration(draft, dev)})
    model = _seal(room, calibrated, files, dev, plan.seed)
    return Built(model, fitted.log, examples.notes[len(train.notes) :], fitted.spelling)


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


def _seal(room: Path, manifest: Manifest, files: list[str], own: Dataset, seed: int) -> Model:
    """Write `golden.jsonl` and `cauce.json`, and open the model the way every mode does."""
    (room / folder.MANIFEST).write_bytes(manifest.render())
    draft = Model(manifest, open_runtime(manifest.runtime, room, manifest.variant))
    chosen = np.random.default_rng(seed).permutation(len(own))[: golden.ROWS]
    rows = own.rows.take(chosen).to_pylist()
    for name in [one.name for one in manifest.inputs if one.type == "text"][:1]:
        rows = [*({**rows[i % len(rows)], name: text} for i, text in enumerate(golden.HARD_TEXTS)), *rows]
    golden.write(draft, room / folder.GOLDEN, rows)
    sealed = manifest.model_copy(update={"files": folder.describe(room, [*files, folder.GOLDEN])})
    (room / folder.MANIFEST).write_bytes(sealed.render())
    return load(room)
