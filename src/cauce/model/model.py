"""`Model`: the one object that every mode calls."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cauce.errors import InputError, UnknownName
from cauce.model import batching, folder, golden, rows
from cauce.model.manifest import Calibration, Data, Input, Limits, Manifest, Recipe, Task
from cauce.model.predictions import Predictions, kept_names
from cauce.model.scores import to_scores
from cauce.runtimes import echo
from cauce.runtimes.base import Explains, Runtime, open_runtime
from cauce.text.normalize import Normalizer


def load(path: str | Path, variant: str = "auto") -> Model:
    """Open a model folder: every hash checked, the golden rows answered as they were when it was saved.

    Args:
        path: the folder, or `"echo"` for the fake that ships.
        variant: one that the folder has; `"auto"` takes the best that is proven on this processor.

    Raises:
        FileMissing, ModelFolderError: see `cauce.errors`.
        UnknownName: no such variant.

    """
    if path == "echo":
        return echo_model()
    place = Path(path)
    manifest = folder.read(place)
    if variant not in ("auto", manifest.variant):
        raise UnknownName(f'the model has no variant "{variant}"', where=str(place), hint=f"it has: {manifest.variant}")
    model = Model(manifest, open_runtime(manifest.runtime, place, manifest.variant))
    golden.test(model, place / folder.GOLDEN)
    return model


def echo_model(runtime: Runtime | None = None) -> Model:
    """A model without a folder around the echo runtime, or around one of its variations."""
    manifest = Manifest(
        name="echo",
        task="classification",
        labels=echo.LABELS,
        inputs=(Input(name="text", type="text"),),
        normalizer=Normalizer(lowercase=False, urls=False, users=False, repeats=0),
        limits=Limits(),
        calibration=Calibration(),
        runtime="echo",
        variant="echo",
        recipe=Recipe(name="echo", parameters={}, seed=0),
        data=Data(sha256="", rows=0),
        files={},
    )
    return Model(manifest, runtime or echo.Echo())


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a text got its label: what each word added to the label's logit. Contributions and bias add up to the logit."""

    label: str
    logit: float
    bias: float
    contributions: list[tuple[str, float]]


def check_min_score(task: Task, score: float) -> None:
    """Refuse a lowest score that cannot be one.

    Raises:
        InputError: it is not between 0 and 1, or the task has no single label to leave out.

    """
    if task != "classification":
        raise InputError(f"a model of {task} has no lowest score", hint="a lowest score is for one label of several")
    if not 0 <= score <= 1:
        raise InputError(f"the lowest score is {score:g}", hint="give one between 0 and 1")


class Model:
    """A model that answers. Immutable and safe to share between threads."""

    def __init__(self, manifest: Manifest, runtime: Runtime) -> None:
        self.manifest, self.runtime = manifest, runtime
        self.version = manifest.version  # hashed once
        self.labels, self.variant, self.name, self.task = manifest.labels, manifest.variant, manifest.name, manifest.task

    def __repr__(self) -> str:
        return f"<Model {self.name}@{self.version[:12]} {self.variant} {'/'.join(self.labels[:5])}>"

    def predict(self, data: Any, *, top_k: int | None = None, min_score: float = 0.0) -> Predictions:
        """Answer rows: a text, a list of texts or dicts, or a table. A row that cannot be answered carries its `error`.

        Args:
            top_k: show only the k best scores of each row.
            min_score: give no label to a row whose best score is lower; `cauce evaluate --precision` finds one.

        Raises:
            InputError: top_k or min_score is out of range, or the model's task has no use for min_score.
            WrongRows, ColumnMissing: the rows as a whole do not fit the model.

        """
        if top_k is not None and top_k < 1:
            raise InputError(f"top_k is {top_k}", hint="ask for 1 score or more")
        if min_score:
            check_min_score(self.task, min_score)
        batch, codes = rows.from_any(data, self.manifest.inputs)
        answers = self._answer(batch, codes, top_k)
        return replace(answers, min_score=min_score) if min_score else answers

    def predict_arrow(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with the columns label, score, scores, error, truncated, model_version and variant appended.

        A column of the input that has one of these names stays, as `input_<name>`.
        """
        answers = self._answer(*rows.select(batch, self.manifest.inputs), None).to_arrow()
        names = [*kept_names(batch.schema.names, self.task), *answers.schema.names]
        return pa.RecordBatch.from_arrays([*batch.columns, *answers.columns], names)

    def logits(self, batch: pa.RecordBatch) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Raw logits (n, labels) of checked rows, which were cut, and which the runtime failed on."""
        logits, cut, failed = batching.run(self.runtime, batch)
        if logits.shape[1] != len(self.labels):  # no row was answered
            logits = np.zeros((len(batch), len(self.labels)), np.float32)
        return logits, cut, failed

    def explain(self, row: str | dict[str, Any]) -> Explanation:
        """What each word added to the logit of the label that was given.

        Raises:
            InputError: the row cannot be answered, or this runtime cannot explain.

        """
        if not isinstance(self.runtime, Explains):
            raise InputError(
                f"the runtime {self.manifest.runtime} cannot explain",
                hint="models of the linear recipe can",
            )
        answer = self.predict([row])[0]
        if answer.error:
            raise InputError(f"the row cannot be answered: {answer.error}")
        batch, _ = rows.from_any([row], self.manifest.inputs)
        pieces, bias = self.runtime.explain(rows.cut(batch, self.manifest.inputs, self.manifest.limits.max_chars))
        label = answer.label or self.labels[0]  # a regression has one
        k = self.labels.index(label)
        parts = [(word, float(shares[k])) for word, shares in pieces]
        return Explanation(label, sum(share for _, share in parts) + float(bias[k]), float(bias[k]), parts)

    def warm_up(self) -> None:
        """Do now what the first call would otherwise wait for."""
        self.runtime.warm_up()

    def _answer(self, batch: pa.RecordBatch, codes: rows.Codes, top_k: int | None) -> Predictions:
        """Check, cut, run, score; rows with a code are left out of the run."""
        inputs, limit, calibration = self.manifest.inputs, self.manifest.limits.max_chars, self.manifest.calibration
        found, truncated = rows.check(batch, inputs, limit)
        if np.count_nonzero(codes):  # on few rows several times faster than any()
            found = np.where(codes == rows.FINE, found, codes)
        codes, fine = found, found == rows.FINE
        every = not np.count_nonzero(codes)
        kept = batch if every else batch.filter(pa.array(fine))
        logits, cut, failed = self.logits(rows.cut(kept, inputs, limit) if np.count_nonzero(truncated) else kept)
        scores = to_scores(self.task, logits, calibration.temperature)
        if np.count_nonzero(failed):
            scores[failed] = np.nan
            codes[np.flatnonzero(fine)[failed]] = rows.FAILED
        if every:
            truncated |= cut
        else:
            spread = np.full((len(batch), len(self.labels)), np.nan, np.float32)
            spread[fine] = scores
            scores = spread
            truncated[np.flatnonzero(fine)[cut]] = True
        return Predictions(
            self.labels, scores, codes, truncated, self.version, self.variant, self.task, calibration.thresholds, top_k
        )
