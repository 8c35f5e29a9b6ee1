"""A folder of transformers taken in as it is: its labels and scores, the graph proven, golden rows of the hard texts.

Nothing is trained or calibrated, and the tokenizer reads the text as it comes: a classifier's scores equal those of
`transformers.pipeline`, an encoder's vectors those of sentence-transformers.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import replace as change
from pathlib import Path
from typing import Any

from cauce.data.columns import Columns
from cauce.data.read import read_for
from cauce.errors import InputError, NotAnEncoder, OutputExists, UnknownName, need
from cauce.evaluation.evaluate import evaluate
from cauce.evaluation.metrics import Report
from cauce.model import folder, golden
from cauce.model.files import describe
from cauce.model.manifest import TASKS, Calibration, Data, Input, Limits, Manifest, Recipe, Task
from cauce.model.model import Model
from cauce.recipes import encoder, evidence, graph, parity
from cauce.recipes.build import seal
from cauce.settings import settings

RECIPE = "import"
HALVES = ("float16", "bfloat16")
LABELS_HINT = 'name them in config.json: "id2label": {"0": "negative", "1": "positive"}'
MODULES = "modules.json"  # of sentence-transformers: what happens to the hidden states

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Taken:
    """A model that was taken in.

    Attributes:
        model: as it was loaded from `folder`.
        proof: see `recipes/parity.py`.
        report: its figures on the labeled rows, where some were given.
        notes: what was found or guessed, in words.

    """

    folder: Path
    model: Model
    proof: dict[str, Any]
    report: Report | None
    notes: tuple[str, ...]


def take_in(
    source: str | Path,
    *,
    out: str | Path = "model",
    name: str | None = None,
    task: str | None = None,
    data: str | Path | None = None,
    columns: Columns = Columns(),
    replace: bool = False,
    progress: Progress = lambda share, what: None,
) -> Taken:
    """Make a model folder of a folder of transformers: a classifier, a regression, or an encoder of sentences.

    Args:
        source: the folder (`config.json`, `model.safetensors`, `tokenizer.json`), or a hub id.
        out: the folder to write.
        name: of the model; without it the folder's.
        task: what the head says, where the configuration does not tell; `"embedding"` leaves a head out.
        data: labeled rows to measure the model on; `columns` says which columns they are.

    Raises:
        InputError: the folder, the task, the data or the place to write are wrong; see `cauce.errors`.
        ParityFailed: the graph does not answer as the network does.
        Unavailable: a hub that cannot be reached.
        StorageFull, MissingExtra

    """
    if task is not None and task not in TASKS:
        raise UnknownName(f'there is no task "{task}"', hint=f"tasks: {', '.join(TASKS)}")
    place = Path(out)
    folder.check_out(place, replace=replace)
    for package in ("torch", "transformers", "onnxscript", "onnxruntime"):
        need(package, extra="train", what="an import")
    progress(0.0, f"opening {source}")
    base = encoder.resolve(str(source))
    config = encoder.check(base)
    notes: list[str] = []
    if str(config.get("dtype", config.get("torch_dtype"))) in HALVES:
        notes.append("the weights are of 16 bits; here they compute in 32, so scores differ from the third digit on")
    kind = _task(config, base, task, notes)
    if kind == "embedding" and data is not None:
        raise InputError("a model of vectors has no figures on labeled rows", hint="leave --data out")
    net = _vectors(base, notes) if kind == "embedding" else _classifier(base, config)
    labels = () if kind == "embedding" else _labels(net.model.config, kind, base, notes)
    max_tokens = _longest(base, kind)
    with folder.create(place, replace=replace) as room:
        progress(0.1, "writing the graph")
        (room / encoder.TOKENIZER).write_bytes(encoder.tokenizer(base))
        (room / encoder.CONFIG).write_bytes(encoder.described(net.model))
        files = [encoder.TOKENIZER, encoder.CONFIG, *graph.write(net, room)]
        progress(0.5, "holding it against the network")
        proof = parity.prove(net, room, max_tokens)
        progress(0.8, "asking the golden rows")
        manifest = Manifest(
            name=name or _name(str(source)),
            task=kind,
            labels=labels,
            inputs=(Input(name="text", type="text"),),
            normalizer=None,
            limits=Limits(max_tokens=max_tokens),
            calibration=Calibration(thresholds=(0.5,) * len(labels) if kind == "multilabel" else ()),
            runtime="onnx",
            variant="fp32",
            recipe=Recipe(name=RECIPE, parameters=_parameters(net), seed=0),
            data=Data(sha256="", rows=0),
            files=describe(room, files),
        )
        model = seal(room, manifest, files, [{"text": text} for text in golden.HARD_TEXTS])
        report = None
        if data is not None:
            progress(0.9, f"measuring on {data}")
            report = _measured(model, data, columns)
        _write_evidence(room, model, proof, report, notes)
    return Taken(place, model, proof, report, tuple(notes))


def packaged() -> Path:
    """The folder of the packaged MiniLM, taken in where it is not there yet: once, below home.

    Raises:
        MissingExtra, CannotWrite, StorageFull

    """
    out = settings().home / "encoders" / encoder.MINILM
    if not (out / folder.MANIFEST).is_file():
        try:
            take_in(encoder.MINILM, out=out)
        except OutputExists:  # another process was faster
            if not (out / folder.MANIFEST).is_file():
                raise
    return out


def _task(config: dict[str, Any], base: Path, asked: str | None, notes: list[str]) -> Task:
    """What the folder's network does, from its configuration, or what was asked for where that can be.

    Raises:
        NotAnEncoder: its head is for something else.

    """
    heads = config.get("architectures") or [""]
    classifies = any(one.endswith("ForSequenceClassification") for one in heads)
    bare = any(one.endswith(("Model", "ForMaskedLM", "ForPreTraining")) for one in heads) or (base / MODULES).exists()
    if asked == "embedding" or (asked is None and bare and not classifies):
        return "embedding"
    if not classifies:
        raise NotAnEncoder(
            f"the network is a {heads[0] or 'network without a name'}, which does not classify texts",
            where=str(base),
            hint="with --task embedding its encoder alone is taken in" if asked is None else "train a head: cauce train --base",
        )
    told: dict[str, Task] = {problem: task for task, problem in encoder.PROBLEMS.items()}
    problem = config.get("problem_type")
    if asked is not None:
        return next(task for task in told.values() if task == asked)
    if problem is not None and problem not in told:
        raise NotAnEncoder(f"the problem_type is {problem!r}", where=str(base), hint=f"known are: {', '.join(told)}; or --task")
    if problem is None and len(config.get("id2label", (0, 1))) == 1:
        notes.append("one label and no problem_type: taken as a regression; --task multilabel gives it a score from 0 to 1")
        return "regression"
    return "classification" if problem is None else told[problem]


def _classifier(base: Path, config: dict[str, Any]) -> Any:
    from cauce.recipes.transformer import Classifier

    try:
        return Classifier(encoder.headed(base))
    except NotAnEncoder as error:
        if config.get("id2label"):
            raise
        raise NotAnEncoder(
            f"config.json names no labels, and the head is not one of two: {error.message}", where=str(base), hint=LABELS_HINT
        ) from error


def _labels(config: Any, kind: Task, base: Path, notes: list[str]) -> tuple[str, ...]:
    """The labels in the head's order.

    Raises:
        NotAnEncoder: they are not complete, or not different.

    """
    found = tuple(config.id2label.get(place) for place in range(config.num_labels))
    if not all(isinstance(label, str) and label for label in found) or len(set(found)) < len(found):
        raise NotAnEncoder(f"the labels are {config.id2label}, not one name for each output", where=str(base), hint=LABELS_HINT)
    if kind == "regression" and len(found) > 1:
        raise NotAnEncoder(f"a regression of {len(found)} numbers", where=str(base), hint="a model of Cauce gives one number")
    if kind == "classification" and len(found) < 2:
        raise NotAnEncoder("a classifier of one label", where=str(base), hint="give --task regression or multilabel")
    if all(label == f"LABEL_{place}" for place, label in enumerate(found)):
        notes.append(f"the labels have no names of their own ({', '.join(found[:3])}); {LABELS_HINT}")
    return found


def _vectors(base: Path, notes: list[str]) -> Any:
    """The encoder with the pooling that its folder asks for.

    Raises:
        NotAnEncoder: another pooling, or another layer on top.

    """
    from cauce.recipes.transformer import Encoder

    pooling, normalized = "mean", False
    if (base / MODULES).exists():
        kinds = [str(one.get("type", "")).rsplit(".", 1)[-1] for one in json.loads((base / MODULES).read_bytes())]
        others = set(kinds) - {"Transformer", "Pooling", "Normalize"}
        if others:
            raise NotAnEncoder(
                f"its vectors go through {', '.join(sorted(others))}", where=str(base), hint="known are: Pooling, Normalize"
            )
        normalized = "Normalize" in kinds
    if (base / encoder.POOLING).exists():
        told = json.loads((base / encoder.POOLING).read_bytes())
        modes = [
            key.removeprefix("pooling_mode_") for key, on in told.items() if key.startswith("pooling_mode_") and on is True
        ]
        modes = [str(told["pooling_mode"])] if "pooling_mode" in told else modes
        if modes not in (["mean_tokens"], ["mean"], ["cls_token"], ["cls"]):
            raise NotAnEncoder(f"its pooling is {', '.join(modes)}", where=str(base), hint="known are: mean and cls")
        pooling = modes[0].removesuffix("_tokens").removesuffix("_token")
    else:
        notes.append("the folder says nothing of pooling: a text's vector is the mean of its tokens'")
    return Encoder(encoder.load(base), pooling, normalized=normalized)


def _longest(base: Path, kind: Task) -> int:
    """Tokens of a text; sentence-transformers cuts earlier than the network would have to."""
    limit, own = encoder.longest(base), base / "sentence_bert_config.json"
    told = json.loads(own.read_bytes()).get("max_seq_length") if kind == "embedding" and own.exists() else None
    return min(limit, told) if isinstance(told, int) else limit


def _measured(model: Model, data: str | Path, columns: Columns) -> Report:
    columns = change(columns, task=model.task)
    rows = read_for(data, model.manifest.inputs, columns, target=model.labels[0] if model.task == "regression" else "")
    return evaluate(model, rows.rows, rows.truth(model.labels))


def _parameters(net: Any) -> dict[str, Any]:
    """What the graph was made of, beside the configuration."""
    told = {"architecture": net.model.config.model_type}
    return told | {"pooling": net.pooling, "normalized": net.normalized} if hasattr(net, "pooling") else told


def _write_evidence(room: Path, model: Model, proof: dict[str, Any], report: Report | None, notes: list[str]) -> None:
    parity.write(proof, room)
    place = room / folder.EVIDENCE
    evidence.write_json(place / "environment.json", evidence.environment())
    if report is not None:
        evidence.write_json(place / "metrics.json", {**report.as_dict(), "measured_on": "given rows", "notes": notes})
    (room / folder.MLMODEL).write_text(evidence.mlmodel(model), encoding="utf-8")
    folder.write_evidence_hashes(room)


def _name(source: str) -> str:
    """The model's name, from the folder's or the hub id's last part."""
    return source.rstrip("/").rsplit("/", 1)[-1] if source not in (".", "..") else Path(source).absolute().name
