"""What a training leaves beside the model: figures, environment, the report and the card in both languages."""

from __future__ import annotations

import json
import os
import platform
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np

from cauce.data.check import check
from cauce.data.columns import Columns
from cauce.data.dataset import Dataset
from cauce.data.language import languages
from cauce.data.tables import Source
from cauce.evaluation import report
from cauce.evaluation.card import card
from cauce.evaluation.evaluate import constant
from cauce.evaluation.foreign import foreign
from cauce.evaluation.metrics import Report
from cauce.evaluation.study import FILE, Found, Rows, Scores, Study, Training, study
from cauce.evaluation.words import LANGUAGES, Words
from cauce.model import folder
from cauce.model.manifest import Task
from cauce.model.model import Model
from cauce.text.threads import threads

if TYPE_CHECKING:
    from cauce.recipes.train import Run

SPOKEN = 5_000  # rows that the languages of the training are counted on
REPORTS, CARDS = {"en": "report.html", "es": "report.es.html"}, {"en": "CARD.md", "es": "CARD.es.md"}


def rows_of(data: Dataset) -> Rows:
    """Rows as a reader sees them."""
    if not data.has_text:
        shown = [", ".join(f"{name}={value}" for name, value in row.items()) for row in data.rows.to_pylist()]
        return Rows(shown, (), {}, _times(data))
    texts = data.texts()
    plain = texts.to_pylist()
    return Rows(plain, plain, languages(texts), _times(data))


def training(
    source: Source,
    columns: Columns,
    train: Dataset,
    labels: tuple[str, ...],
    *,
    parts: dict[str, int],
    notes: tuple[str, ...],
    seconds: float,
) -> Training:
    """What is known of a training."""
    spoken: Counter[str] = Counter(languages(train.texts(), sample=SPOKEN).values()) if train.has_text else Counter()
    found = check(source, columns).findings
    return Training(
        source=_name(source.name),
        parts=parts,
        counts={} if train.task == "regression" else train.counts(),
        shares=shares(train, labels),
        languages=dict(spoken),
        findings=tuple(Found(code=one.code, severity=one.severity, count=one.count, what=one.what) for one in found),
        notes=notes,
        seconds=round(seconds, 3),
        environment=environment(),
    )


def shares(train: Dataset, labels: tuple[str, ...]) -> tuple[float, ...]:
    """What the baseline answers to every row: the share of each label, or the mean."""
    truth = train.truth(labels)
    if train.task == "classification":
        truth = truth[:, None] == np.arange(len(labels))
    return tuple(float(share) for share in truth.mean(axis=0))


def studied(
    model: Model, data: Dataset, scores: Scores, measured: Report, *, measured_on: str, known: Training | None
) -> Study:
    """The study of a model's scores (n, labels) on these rows.

    Args:
        known: of the training; without it the baseline is made of these rows.

    """
    answers = known.shares if known else shares(data, model.labels)
    truth = data.truth(model.labels)
    thresholds = model.manifest.calibration.thresholds
    found = study(
        model.task,
        truth,
        scores,
        model.labels,
        thresholds,
        rows_of(data),
        report=measured,
        baseline=constant(model.task, answers, truth, model.labels),
        usual=_usual(model.task, answers, model.labels),
        measured_on=measured_on,
    )
    sure = scores[~np.isnan(scores[:, 0])].max(axis=1)
    asked = foreign(model, known.languages, float(np.median(sure))) if known and len(sure) else None
    return found.model_copy(update={"foreign": asked, "training": known})


def write(room: Path, run: Run, found: Study, log: list[dict[str, Any]]) -> None:
    """Write everything that was measured; it is outside the model's identity."""
    evidence = room / folder.EVIDENCE
    evidence.mkdir(exist_ok=True)
    write_json(evidence / "metrics.json", run.as_dict())
    write_json(evidence / "environment.json", environment())
    (evidence / "train.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in log), encoding="utf-8")
    (room / FILE).write_text(found.model_dump_json(indent=1) + "\n", encoding="utf-8")
    for language in LANGUAGES:
        words = Words(language)
        (evidence / REPORTS[language]).write_text(report.page(run.model.manifest, found, words), encoding="utf-8")
        (evidence / CARDS[language]).write_text(card(run.model.manifest, found, words), encoding="utf-8")
    (room / folder.MLMODEL).write_text(mlmodel(run.model), encoding="utf-8")
    folder.write_evidence_hashes(room)


def environment() -> dict[str, str | int | None]:
    """On what a model is trained."""
    return {
        "cauce": version("cauce"),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "threads": threads(),
        **{package: version(package) for package in ("numpy", "numba", "pyarrow")},
    }


def _name(source: str) -> str:
    """The file's name without what leads to it, which is nobody else's business."""
    path = urlsplit(source).path if "://" in source else source
    return Path(path).name or path


def _times(data: Dataset) -> Any:
    return None if data.time is None else data.time.cast("timestamp[us]").to_numpy(zero_copy_only=False)


def _usual(task: Task, answers: tuple[float, ...], labels: tuple[str, ...]) -> str:
    """What the baseline says, as it is shown."""
    if task == "regression":
        return repr(answers[0])
    if task == "multilabel":
        return ", ".join(label for label, share in zip(labels, answers, strict=True) if share >= 0.5)
    return labels[int(np.argmax(answers))]


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a file of evidence."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def mlmodel(model: Model) -> str:
    """MLflow's description of the folder: who loads it. JSON is YAML.

    MLflow reads a missing boolean as false, and refuses 0 and 1 and a category of numbers: such columns pass as they are.
    """
    types = {"text": "string", "category": "any", "number": "double", "boolean": "any"}
    inputs = [{"name": one.name, "type": types[one.type], "required": True} for one in model.manifest.inputs]
    return (
        json.dumps(
            {
                "flavors": {
                    "python_function": {
                        "loader_module": "cauce.mlflow",
                        "python_version": platform.python_version(),
                        "config": {"variant": "auto"},  # what is not here, a caller's `model_config` cannot say
                    },
                    "cauce": {"version": version("cauce"), "model_version": model.version},
                },
                "signature": {"inputs": json.dumps(inputs)},
            },
            indent=2,
        )
        + "\n"
    )
