"""Make the variants of a model, measure each on this processor, and let only those serve that pass the gate."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np
import pyarrow as pa

from cauce.data.columns import Columns
from cauce.data.dataset import Dataset
from cauce.data.read import read_for
from cauce.errors import (
    CannotWrite,
    CauceError,
    InputError,
    Interrupted,
    MissingExtra,
    ModelFolderError,
    UnknownName,
    nearest,
)
from cauce.evaluation.evaluate import ask
from cauce.model import choice, gates, processor, variants
from cauce.model import folder as folders
from cauce.model import rows as checked
from cauce.model.gates import Gate, Gates, Target
from cauce.model.model import Model, load
from cauce.optimization import gate, measure
from cauce.optimization.candidates import Candidate, candidates
from cauce.optimization.measure import Measured, Speed
from cauce.optimization.outcome import Outcome, Tried
from cauce.registry import named

log = logging.getLogger("cauce")

ABLE = ("onnx", "openvino")  # runtimes of networks: a linear model has no smaller form
FEW = 100  # rows on which a loss of half a point cannot be told from chance
OUT_OF_MEMORY = ("bad_alloc", "allocate memory", "out of memory")

Progress = Callable[[float, str], None]


def optimize(
    model: str | Path,
    data: str | Path | None,
    *,
    target: str = "throughput",
    max_loss: float = gate.MAX_LOSS,
    only: Sequence[str] = (),
    train: str | Path | None = None,
    columns: Columns = Columns(),
    progress: Progress = lambda share, what: None,
) -> Outcome:
    """Make, measure and judge the variants of a model. Those that pass stay in its folder, and `auto` serves the best here.

    A variant that the folder has already is measured as it is, and stays even if it does not pass here. Ctrl-C keeps what was
    finished, and says so in the outcome.

    Args:
        model: a folder or a registered model, whose own copy gets the variants: they change no version.
        data: labeled rows that the model was not trained on, but not those of its final test: a choice is made on them.
        target: what has to get better by 1.2 times: latency, throughput or size; or quality, which may not get worse at all.
        max_loss: points of the metric that a variant may lose.
        only: names of variants; without it all.
        train: labeled rows for a network of fewer layers to recover on.
        columns: which columns of the files hold the labels and the text.

    Raises:
        InputError: no rows, a model that has no variants, labels that do not fit, a read-only folder; see `cauce.errors`.
        ModelFolderError

    """
    gate.check(target, max_loss)
    folder = named.find(model).folder
    base = _opened(folder)
    if data is None:
        raise InputError(
            "a variant is kept for what it does on labeled rows, and none were given",
            hint=f"name rows that the model was not trained on: cauce optimize {model} --data dev.csv",
        )
    dev, recover = _read(base, data, columns), _read(base, train, columns) if train else None
    wanted = _chosen([*candidates(folder, base, recover, dev), *_others(folder)], only)
    run = _Run(folder, base, dev, cast("Target", target), max_loss, progress)
    try:
        for number, one in enumerate(wanted):
            run.attempt(one, number / len(wanted), 1 / len(wanted))
    except KeyboardInterrupt:
        run.outcome.stopped = True
    run.finish()
    return run.outcome


def add(folder: Path, one: Candidate, version: str, rows: pa.RecordBatch, progress: Progress) -> None:
    """Make a variant and add it to the folder, in the place of a damaged one. It runs alone if these rows disturb each other.

    Args:
        version: of the model.
        rows: (n,) that the model can answer.

    Raises:
        CauceError: of its making, or as `variants.add`.

    """
    with TemporaryDirectory(prefix="cauce-") as room:
        if one.make is not None:
            one.make(Path(room), progress)
        made = one.variant(version)
        variants.add(folder, made, Path(room), replace=True)
        if one.batching == "single":
            return
        progress(1.0, "asking it rows in several batches")
        if measure.dependence(load(folder, one.name), rows).worst > gate.MOVES:
            variants.add(folder, made.model_copy(update={"batching": "single"}), Path(room), replace=True)


class _Run:
    """One run: what it measures on, and what it found so far."""

    def __init__(self, folder: Path, base: Model, dev: Dataset, target: Target, max_loss: float, progress: Progress) -> None:
        self.folder, self.base, self.target, self.max_loss, self.progress = folder, base, target, max_loss, progress
        self.truth, self.rows = dev.truth(base.labels), dev.rows
        inputs, limit = base.manifest.inputs, base.manifest.limits.max_chars
        codes, _ = checked.check(dev.rows, inputs, limit)
        self.answerable = checked.cut(dev.rows.filter(pa.array(codes == checked.FINE)), inputs, limit)
        if not len(self.answerable):
            raise InputError("the model can answer none of these rows", where=dev.source, hint="are these the right columns?")
        progress(0.0, f"asking {base.variant}")
        self.scores = ask(base, dev.rows)
        self.fresh = measure.fresh(folder, base.variant, self._row)
        self.speeds: list[Speed] = []  # of the base, beside each variant
        self.gates: list[Gate] = []
        self.outcome = Outcome(folder, base.version, base.variant, target, max_loss, len(dev))
        self.outcome.notes += dev.notes
        if len(dev) < FEW:
            self.outcome.notes.append(
                f"{len(dev)} row(s) show little: a loss of {max_loss:g} points cannot be told from chance"
            )

    def attempt(self, one: Candidate, start: float, share: float) -> None:
        """Make a variant, if the folder does not have it; measure and judge it; keep it, if it passes or was there before."""

        def progress(done: float, what: str) -> None:
            self.progress(start + share * done, f"{one.name}: {what}")

        present = one.name in variants.names(self.folder) and not _damage(self.folder, one.name)
        if one.obstacle and not present:
            self.outcome.tried.append(Tried(one.name, None, one.obstacle))
            return
        kept = present
        try:
            if not present:
                progress(0.0, "making it")
                add(self.folder, one, self.base.version, self.answerable, lambda done, what: progress(0.5 * done, what))
            found = self._measured(one.name, progress)
            verdict = gate.gate(variants.read(self.folder, one.name), found, self.target, self.max_loss)
            self.gates.append(verdict)
            self._record()
            kept = kept or verdict.passed
            self.outcome.tried.append(Tried(one.name, found, verdict.why))
        except Interrupted:
            raise KeyboardInterrupt from None  # out of a training that had nothing to keep yet
        except Exception as error:
            log.debug("the variant %s failed", one.name, exc_info=True)
            self.outcome.tried.append(Tried(one.name, None, _why(error)))
        finally:
            if not kept and one.name in variants.names(self.folder):
                variants.remove(self.folder, one.name)

    def finish(self) -> None:
        """The figures of the model as it was saved, what serves now, and the evidence for those who get the folder."""
        if not self.speeds and not self.outcome.stopped:
            self.speeds = measure.speeds([self.base], self.answerable)
        if self.speeds:
            self.outcome.base = self._of_base()
            self.outcome.metric = self.outcome.base.answers.metric
        if self.gates:
            try:
                gates.publish(self.folder, self._found())
            except CannotWrite as error:
                self.outcome.notes.append(f"measured for this machine alone: {error.message}")
        candidates, notes = choice.survey(self.folder, self.base.version)
        self.outcome.notes += notes
        self.outcome.serves = next((one.name for one in candidates if one.passed), self.base.variant)

    def _measured(self, name: str, progress: Progress) -> Measured:
        progress(0.6, "loading it in a process of its own")
        fresh = measure.fresh(self.folder, name, self._row)
        model = load(self.folder, name)
        progress(0.7, f"asking it {len(self.rows)} rows")
        answers = measure.answers(model, self.truth, self.scores, ask(model, self.rows))
        progress(0.8, "asking it rows in several batches")
        dependence = measure.dependence(model, self.answerable)
        progress(0.85, f"timing it and {self.base.variant} in turns")
        of_base, speed = measure.speeds([self.base, model], self.answerable)
        self.speeds.append(of_base)
        own, root = (measure.megabytes(self.folder, one) for one in (name, self.base.variant))
        return Measured(
            batching=model.runtime.batching,
            answers=answers,
            speed=speed,
            dependence=dependence,
            fresh=fresh,
            megabytes=own,
            gains={
                "latency": speed.latency_gain(of_base),
                "throughput": speed.rate_gain(of_base),
                "size": root / own,
                "quality": 1 - answers.loss.value / 100,
            },
        )

    def _of_base(self) -> Measured:
        return Measured(
            batching=self.base.runtime.batching,
            answers=measure.answers(self.base, self.truth, self.scores, self.scores),
            speed=Speed(
                *(np.concatenate(parts) for parts in zip(*((one.singles, one.rates) for one in self.speeds), strict=True))
            ),
            dependence=measure.dependence(self.base, self.answerable),
            fresh=self.fresh,
            megabytes=measure.megabytes(self.folder, self.base.variant),
            gains=dict.fromkeys(gate.TARGETS, 1.0),
        )

    def _found(self) -> Gates:
        """The gates of this run, and those of an earlier one with the same rule for variants that this one did not measure."""
        known, _ = gates.known(self.folder, self.base.version)
        here = [one for one in known if one.processor == processor.slug()][:1]
        earlier = [
            gate
            for one in here
            if (one.target, one.max_loss) == (self.target, self.max_loss)
            for gate in one.gates
            if gate.variant not in {mine.variant for mine in self.gates}
        ]
        return Gates(version=self.base.version, target=self.target, max_loss=self.max_loss, gates=(*self.gates, *earlier))

    def _record(self) -> None:
        gates.record(self._found())

    @property
    def _row(self) -> dict[str, Any]:
        row: dict[str, Any] = self.answerable.slice(0, 1).to_pylist()[0]
        return row


def _opened(folder: Path) -> Model:
    """The model as it was saved.

    Raises:
        InputError: it is not of a kind that has variants, or none can be written and the folder has none.

    """
    manifest = folders.read(folder)
    if manifest.runtime not in ABLE:
        raise InputError(
            f"a model of the recipe {manifest.recipe.name} has no other variants: it is as fast and small as it gets",
            where=str(folder),
            hint="variants are made of networks: cauce train DATA --recipe transformer",
        )
    if manifest.task == "embedding":
        raise InputError(
            "a model of vectors has no labels to hold a variant to", where=str(folder), hint="optimize a model of a task"
        )
    if not os.access(folder, os.W_OK) and not variants.names(folder):
        raise CannotWrite(f"cannot write variants to {folder}: it is read-only", hint="optimize a copy of it: cp -r MODEL COPY")
    return load(folder, manifest.variant)


def _read(model: Model, source: str | Path, columns: Columns) -> Dataset:
    target = model.labels[0] if model.task == "regression" else ""
    found = read_for(source, model.manifest.inputs, replace(columns, task=model.task), target=target)
    found.truth(model.labels)  # labels that do not fit are said now
    return found


def _others(folder: Path) -> list[Candidate]:
    """The variants that the folder has, whoever made them. They are measured as they are."""
    return [
        Candidate(name=name, runtime="onnx", batching="free", precision="fp32", obstacle=_damage(folder, name))
        for name in variants.names(folder)
    ]


def _damage(folder: Path, name: str) -> str:
    """What is wrong with a variant of the folder; empty where nothing is."""
    try:
        variants.read(folder, name)
    except ModelFolderError as error:
        return error.message
    return ""


def _chosen(known: Sequence[Candidate], only: Sequence[str]) -> list[Candidate]:
    """Those that were asked for, each once.

    Raises:
        UnknownName

    """
    by_name: dict[str, Candidate] = {}
    for one in known:
        by_name.setdefault(one.name, one)
    for name in only:
        if name not in by_name:
            listed = ", ".join(sorted(by_name))
            raise UnknownName(
                f'there is no variant "{name}" of this model', hint=nearest(name, by_name) or f"variants: {listed}"
            )
    return [one for name, one in by_name.items() if not only or name in only]


def _why(error: Exception) -> str:
    """What kept a variant from being measured, in words."""
    said = f"{type(error).__name__}: {error}"
    if isinstance(error, CauceError):
        said = f"{error.message}; {error.hint}" if isinstance(error, MissingExtra) else error.message
    if isinstance(error, MemoryError) or any(part in said for part in OUT_OF_MEMORY):
        return "there is not enough memory to make and measure it"
    return " ".join(said.split())[:300]
