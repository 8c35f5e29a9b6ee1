"""From a labeled file to a model folder: read, split, fit, save, measure what was saved."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import replace as replace_fields
from pathlib import Path
from typing import Any

from cauce.data.augment import Augment
from cauce.data.columns import Columns
from cauce.data.dataset import Dataset
from cauce.data.duplicates import overlap
from cauce.data.read import dataset, read_for
from cauce.data.split import split
from cauce.data.tables import read_table
from cauce.errors import InputError
from cauce.evaluation import abstention
from cauce.evaluation.abstention import Abstention
from cauce.evaluation.compare import Given, versus
from cauce.evaluation.evaluate import Scores, ask, unchanging
from cauce.evaluation.metrics import Report, said
from cauce.evaluation.significance import Paired
from cauce.evaluation.study import MISTAKES
from cauce.model import folder, golden
from cauce.model.manifest import Task
from cauce.model.model import Model
from cauce.recipes import evidence
from cauce.recipes.build import Plan, Progress, build, find, scores_of
from cauce.recipes.options import parse
from cauce.recipes.validate import Validation, cross_validate
from cauce.text.normalize import Normalizer
from cauce.text.spelling import FILE as SPELLING_FILE
from cauce.text.spelling import Spelling

BASELINES: dict[Task, str] = {
    "classification": "the most frequent label",
    "multilabel": "the most frequent labels",
    "regression": "the mean",
}
THREE_PARTS, TWO_PARTS = (0.7, 0.15, 0.15), (0.9, 0.1)
LEAST_WORDS = 4  # of an example to try
BASELINE = "linear"  # the recipe that every other one is measured against


@dataclass(frozen=True)
class Run:
    """What one training made.

    Attributes:
        model: as it was loaded from `folder` and measured.
        report: its figures on `measured_on` ("test", or "dev" where nothing was held out).
        majority: the same figures of always giving the training's shares of labels.
        linear: the same figures of the linear recipe, trained on the same rows; None where it is the recipe.
        against: the headline figure paired with that of each baseline (A is the baseline): "majority", and "linear".
        abstention: by wanted precision, what comes of the score that was chosen for it on dev; None where none could be shown.
        validation: the figures of a cross-validation, where one was asked for.
        rows: how many rows each part had.
        notes: what was guessed, left out or found, in words.
        example: a short text of the measured rows, or a row as JSON, to try the model with.

    """

    folder: Path
    model: Model
    report: Report
    majority: Report
    linear: Report | None
    against: dict[str, Paired]
    abstention: dict[float, Abstention | None]
    validation: Validation | None
    measured_on: str
    rows: dict[str, int]
    notes: tuple[str, ...]
    example: str
    seconds: float

    @property
    def beats_majority(self) -> bool:
        """True where the paired test shows it on the headline figure, and the scores rank the labels beyond chance.

        The second, because answers at random have a better macro F1 than the same answer to every row.
        """
        ranked = self.report.metrics.get("roc_auc")
        return self.against["majority"].better == "b" and (ranked is None or ranked.low > 0.5)

    @property
    def verdict(self) -> str:
        """What the figures say, a sentence for each baseline."""
        caveat = " (dev figures: nothing was held out, choices were made on these rows)" if self.measured_on == "dev" else ""
        beaten = {"majority": (BASELINES[self.model.task], self.majority), "linear": ("the linear recipe", self.linear)}
        name = self.report.headline
        sentences = []
        for key, one in self.against.items():
            baseline, figures = beaten[key]
            base = figures.metrics[name] if figures else one.a
            how = {
                "b": f"better than {baseline} by {one.by}, beyond chance",
                "a": f"WORSE than {baseline} by {one.by}",
                None: f"NOT shown to be better than {baseline}",
            }
            if key == "majority" and one.better == "b" and not self.beats_majority:
                ranked = self.report.metrics["roc_auc"]
                how["b"] = f"NOT shown to be better than answers at random (ROC AUC {ranked})"
            sentences.append(f"against {base}: {how[one.better]}")
        return f"{said(name)} {self.report.metrics[name]} " + "; ".join(sentences) + caveat

    def as_dict(self) -> dict[str, Any]:
        """As it is written to `evidence/metrics.json`."""
        return {
            **self.report.as_dict(),
            "measured_on": self.measured_on,
            "verdict": self.verdict,
            "majority": self.majority.as_dict()["metrics"],
            "linear": self.linear.as_dict()["metrics"] if self.linear else None,
            "against": {name: one.as_dict() for name, one in self.against.items()},
            "abstention": [
                {"wanted": wanted, **(found.as_dict() if found else {"min_score": None})}
                for wanted, found in self.abstention.items()
            ],
            "cross_validation": self.validation.as_dict() if self.validation else None,
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
    normalizer: Normalizer | None = None,
    augment: Augment | None = None,
    preset: str = "balanced",
    options: Mapping[str, Any] | None = None,
    resume: bool = False,
    cv: int | None = None,
    repeats: int = 1,
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
        normalizer: what happens to a text before the model sees it; the recipe's own without.
        preset: "fast", "balanced" or "best"; `options` go over it: see the recipe's `Options`.
        resume: go on with a training to `out` that was interrupted, on the same data and with the same options.
        cv: besides, cross-validate with so many folds of `data`, `repeats` times.
        augment: altered copies of the training rows, to train on too; dev and test stay as they are.
        progress: called with the share done (0 to 1) and what is done.

    Raises:
        InputError: the data, the columns, the recipe or the place to write are wrong; see `cauce.errors`.
        MissingExtra: spelling correction without symspellpy, or a masked language model without torch and transformers.
        StorageFull

    """
    start = time.perf_counter()
    module = find(recipe)
    chosen = parse(module.Options, preset, options)
    normalizer = normalizer or module.NORMALIZER
    out = Path(out)
    folder.check_out(out, replace=replace or resume)
    progress(0.0, "reading")
    columns = columns.naming(text, label)
    source = read_table(data)
    whole = dataset(source, columns)
    parts, measured_on, notes = _parts(whole, dev, test, columns, seed)
    task = parts["train"].task
    labels = (parts["train"].target,) if task == "regression" else tuple(parts["train"].counts())
    for part in parts.values():
        part.truth(labels)  # an unknown label is told before the training, not after
    if (augment or normalizer.spelling or normalizer.html) and all(one.type != "text" for one in parts["train"].inputs):
        raise InputError("there is no text column to augment, correct or strip", hint="name one with --text")
    keep = out.absolute().with_name(f".{out.name}.training")
    plan = Plan(
        recipe=recipe,
        name=name or _name(Path(data)),
        labels=labels,
        seed=seed,
        normalizer=normalizer,
        augment=augment,
        options=chosen,
        keep=keep,
        resume=resume,
    )
    share = 0.3 if cv else 0.9  # of the bar
    with folder.create(out, replace=replace or resume) as room:
        built = build(room, plan, parts["train"], parts["dev"], lambda done, what: progress(done * share, what))
        model, measured = built.model, parts[measured_on]
        progress(share, f"measuring on {measured_on}")
        scores, truth = ask(model, measured.rows), measured.truth(labels)
        limits = model.manifest.calibration.thresholds
        baselines = _baselines(plan, parts, measured)
        against, reports = {}, {}
        for key, given in baselines.items():
            reports[key], ours, pairs = versus(task, truth, labels, given, (scores, limits))
            against[key] = pairs[ours.headline]
        validation = None
        if cv is not None:
            validation = cross_validate(
                whole, plan, cv, repeats, lambda done, what: progress(share + done * (0.95 - share), what)
            )
        run = Run(
            folder=out,
            model=model,
            report=ours,
            majority=reports["majority"],
            linear=reports.get("linear"),
            against=against,
            abstention=_abstention(model, parts["dev"], measured, scores),
            validation=validation,
            measured_on=measured_on,
            rows={part: len(rows) for part, rows in parts.items()},
            notes=(*notes, *built.notes, *_private(built.spelling)),
            example=_example(measured),
            seconds=time.perf_counter() - start,
        )
        progress(0.95, "writing the report")
        known = evidence.training(source, columns, parts["train"], labels, parts=run.rows, notes=run.notes, seconds=run.seconds)
        found = evidence.studied(model, measured, scores, ours, measured_on=measured_on, known=known)
        found = found.model_copy(update={"better": run.beats_majority})
        evidence.write(room, run, found, built.log)
        progress(1.0, "writing")
    if not built.stopped:
        shutil.rmtree(keep, ignore_errors=True)
    return run


def _parts(
    whole: Dataset, dev: str | Path | None, test: str | Path | None, columns: Columns, seed: int
) -> tuple[dict[str, Dataset], str, list[str]]:
    """The parts by name, which one is measured, and notes."""
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


def _private(spelling: Spelling | None) -> Iterator[str]:
    """What the folder holds of the training texts: whoever gets the model gets that too."""
    yield f"{folder.GOLDEN} in the folder holds up to {golden.ROWS} of your rows, {folder.EVIDENCE}/ up to {MISTAKES}"
    if spelling is not None:
        yield f"{SPELLING_FILE} in the folder holds every word of your training texts"


def _baselines(plan: Plan, parts: dict[str, Dataset], measured: Dataset) -> dict[str, Given]:
    """What each baseline, trained on the same rows, says of those that are measured: scores and thresholds."""
    found = {"majority": unchanging(evidence.shares(parts["train"], plan.labels), len(measured))}
    if plan.recipe != BASELINE:
        simple = Plan(recipe=BASELINE, name=plan.name, labels=plan.labels, seed=plan.seed)
        found["linear"] = scores_of(simple, parts["train"], parts["dev"], measured)
    return found


def _abstention(model: Model, dev: Dataset, measured: Dataset, scores: Scores) -> dict[float, Abstention | None]:
    """For each precision of `WANTED`, the score that dev shows to be enough, and what it gives on the measured rows."""
    if model.task != "classification":
        return {}

    chosen_on = abstention.right_and_sure(dev.truth(model.labels), ask(model, dev.rows))
    measured_on = abstention.right_and_sure(measured.truth(model.labels), scores)
    found: dict[float, Abstention | None] = {}
    for wanted in abstention.WANTED:
        chosen = abstention.choose(*chosen_on, wanted)
        found[wanted] = None if chosen is None else abstention.measure(*measured_on, chosen)
    return found


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
