"""`Model`: the one object that every mode calls."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cauce.errors import CauceError, InputError, NotAModel, UnknownName
from cauce.model import batching, choice, folder, golden, rows, variants
from cauce.model.manifest import Calibration, Data, Input, Limits, Manifest, Recipe, Task
from cauce.model.predictions import Predictions, kept_names
from cauce.model.scores import to_scores
from cauce.model.variant import Variant
from cauce.runtimes import echo
from cauce.runtimes.base import Embeds, Explains, Runtime, open_runtime
from cauce.text.normalize import Normalizer


def load(path: str | Path, variant: str = "auto") -> Model:
    """Open a model folder: every hash checked, the golden rows answered as they were when it was saved.

    Args:
        path: the folder, or `"echo"` for the fake that ships.
        variant: one that the folder has. `"auto"` takes the best that is proven on this processor and answers as it should,
            else the model as it was saved; `Model.notes` says why it is not another.

    Raises:
        FileMissing, ModelFolderError: see `cauce.errors`.
        UnknownName: no such variant.

    """
    if path == "echo":
        return echo_model(variant=variant)
    place = Path(path)
    manifest = folder.read(place)
    if variant == "auto":
        return _best(place, manifest)
    if variant == manifest.variant:
        return _saved(place, manifest)
    return _variant(place, manifest, variants.read(place, variant))


def open_variant(place: Path, manifest: Manifest, variant: Variant, room: str = "", notes: tuple[str, ...] = ()) -> Model:
    """A variant of a model, unproven: for whoever makes or measures one.

    Args:
        room: where it lies under `variants/`, where that is not its name.

    Raises:
        ModelFolderError: the runtime cannot read it, or does not keep its `batching`.
        MissingExtra: the runtime is not installed.

    """
    runtime = open_runtime(variant.runtime, place, room or variant.name)
    if runtime.batching != variant.batching:
        raise NotAModel(
            f"the variant {variant.name} says batching: {variant.batching}, its runtime runs {runtime.batching}",
            where=str(place),
            hint=variants.AGAIN,
        )
    return Model(manifest, runtime, variant, notes)


def _saved(place: Path, manifest: Manifest, notes: tuple[str, ...] = ()) -> Model:
    """The model as it was saved."""
    model = Model(manifest, open_runtime(manifest.runtime, place, manifest.variant), notes=notes)
    golden.test(model, place / folder.GOLDEN)
    return model


def _variant(place: Path, manifest: Manifest, variant: Variant, notes: tuple[str, ...] = ()) -> Model:
    """A variant that was read, and that answers as when it was added."""
    model = open_variant(place, manifest, variant, notes=notes)
    golden.test(model, variants.place(place, variant.name) / folder.GOLDEN)
    return model


def _best(place: Path, manifest: Manifest) -> Model:
    """The best variant that passed here and opens, else the model as it was saved: a variant never stops the model."""
    candidates, notes = choice.survey(place, manifest.version)
    said = "the variant {} does not serve: {}"
    notes += [said.format(one.name, one.state) for one in candidates if one.variant is None]
    for one in candidates:
        if one.variant is not None and one.passed:
            try:
                return _variant(place, manifest, one.variant, tuple(notes))
            except CauceError as error:
                notes.append(said.format(one.name, f"{error.message}; {error.hint}"))
            except Exception as error:
                notes.append(said.format(one.name, f"{type(error).__name__}: {error}"))
    notes += [said.format(one.name, one.state) for one in candidates if one.variant is not None and one.gate is None]
    return _saved(place, manifest, tuple(notes))


def echo_model(runtime: Runtime | None = None, *, variant: str = "auto") -> Model:
    """A model without a folder around the echo runtime, or around one of its variations.

    Raises:
        UnknownName: it has no such variant.

    """
    if variant not in ("auto", "echo"):
        raise UnknownName(f'the model echo has no variant "{variant}"', hint="it has: echo")
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
    """A model that answers. Immutable and safe to share between threads.

    Attributes:
        variant: its name; that of the model as it was saved where none was given.
        precision: of its numbers: how near its golden answers have to be.
        notes: what was decided when it was opened, in words.

    """

    def __init__(
        self, manifest: Manifest, runtime: Runtime, variant: Variant | None = None, notes: tuple[str, ...] = ()
    ) -> None:
        self.manifest, self.runtime, self.notes = manifest, runtime, notes
        self.version = manifest.version  # hashed once
        self.labels, self.name, self.task = manifest.labels, manifest.name, manifest.task
        self.variant = variant.name if variant else manifest.variant
        self.precision = variant.precision if variant else manifest.variant

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

    def embed(self, data: Any, *, tokens: bool = False) -> pa.Array:
        """Vectors of rows; `data` is as in `predict`.

        Args:
            tokens: a vector for each token of a row, its special ones too, instead of their mean.

        Returns:
            (n,) fixed_size_list<float32>, or with `tokens` list of these. Null where a row cannot be read.

        Raises:
            InputError: this model has no vectors.
            WrongRows, ColumnMissing: the rows as a whole do not fit the model.

        """
        if not isinstance(self.runtime, Embeds):
            raise InputError(
                f"the runtime {self.manifest.runtime} has no vectors", hint="models of the recipes transformer and lstm have"
            )
        kept, codes, _ = self._checked(*rows.from_any(data, self.manifest.inputs))
        found: list[batching.Row] = [None] * len(codes)
        made, _ = batching.each(self.runtime, kept, "hidden" if tokens else "pooled")
        for place, vectors in zip(np.flatnonzero(codes == rows.FINE), made, strict=True):
            found[place] = vectors
        return _as_arrow(found, self.runtime.width, tokens=tokens)

    def cuts(self, data: Any) -> npt.NDArray[np.bool_]:
        """Which rows are over the model's limits, so that only their beginning is read, (n,); `data` is as in `predict`.

        Raises:
            WrongRows, ColumnMissing: the rows as a whole do not fit the model.

        """
        kept, codes, cut = self._checked(*rows.from_any(data, self.manifest.inputs))
        if len(kept):
            cut[np.flatnonzero(codes == rows.FINE)] |= self.runtime.encode(kept).truncated
        return cut

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

    def _checked(self, batch: pa.RecordBatch, codes: rows.Codes) -> tuple[pa.RecordBatch, rows.Codes, npt.NDArray[np.bool_]]:
        """The rows to run, cut to the limit; the code of each row, and which were cut. Rows with a code are not to run."""
        inputs, limit = self.manifest.inputs, self.manifest.limits.max_chars
        found, truncated = rows.check(batch, inputs, limit)
        if np.count_nonzero(codes):  # on few rows several times faster than any()
            found = np.where(codes == rows.FINE, found, codes)
        kept = batch.filter(pa.array(found == rows.FINE)) if np.count_nonzero(found) else batch
        return rows.cut(kept, inputs, limit) if np.count_nonzero(truncated) else kept, found, truncated

    def _answer(self, batch: pa.RecordBatch, codes: rows.Codes, top_k: int | None) -> Predictions:
        """Check, cut, run, score."""
        if self.task == "embedding":
            raise InputError(f"the model {self.name} gives vectors, not labels", hint="ask it with cauce embed, or Model.embed")
        calibration = self.manifest.calibration
        kept, codes, truncated = self._checked(batch, codes)
        fine = codes == rows.FINE
        logits, cut, failed = self.logits(kept)
        scores = to_scores(self.task, logits, calibration.temperature)
        if len(kept) == len(batch):
            truncated |= cut
        else:
            spread = np.full((len(batch), len(self.labels)), np.nan, np.float32)
            spread[fine] = scores
            scores = spread
            truncated[np.flatnonzero(fine)[cut]] = True
        if np.count_nonzero(failed):
            unanswered = np.flatnonzero(fine)[failed]
            scores[unanswered], codes[unanswered] = np.nan, rows.FAILED
        return Predictions(
            self.labels, scores, codes, truncated, self.version, self.variant, self.task, calibration.thresholds, top_k
        )


def _as_arrow(found: list[batching.Row], width: int, *, tokens: bool) -> pa.Array:
    """Vectors of rows, each (width,) or (tokens, width), or None, as an Arrow column."""
    missing = np.array([one is None for one in found], np.bool_)
    mask = pa.array(missing) if missing.any() else None
    nothing = np.zeros((0 if tokens else 1, width), np.float32)
    parts = [nothing if one is None else one.reshape(-1, width) for one in found]
    flat = pa.array(np.concatenate([nothing[:0], *parts]).reshape(-1))
    if not tokens:
        return pa.FixedSizeListArray.from_arrays(flat, width, mask=mask)
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in parts])]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.FixedSizeListArray.from_arrays(flat, width), mask=mask)
