"""A model for other programs: one ONNX file, OpenVINO's two, or a folder of transformers, each with tokenizer and labels.

The tokenizer takes the normalizer's steps too (see `reading.py`), and in a folder of transformers the head is divided by the
model's temperature, so that `transformers.pipeline` gives the model's own scores.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cauce.errors import DataTooLarge, InputError, UnknownName, nearest, need
from cauce.model import folder as model_folder
from cauce.model import variants
from cauce.model.manifest import Manifest
from cauce.optimization.reading import with_normalizer
from cauce.recipes import encoder, graph
from cauce.runtimes.tokens import Files
from cauce.text.tokenize import Tokenizer

if TYPE_CHECKING:
    from torch import Tensor

LABELS = "labels.json"
MOST_BYTES = 2**31 - 1  # of one ONNX file
HEADS = ("classifier.out_proj", "classifier")  # the last layer, in every architecture that we take in
MODULES = {"Transformer": "", "Pooling": "1_Pooling", "Normalize": "2_Normalize"}  # of sentence-transformers


@dataclass(frozen=True)
class Exported:
    """What was written: the files' names, and what whoever uses them has to know, in words."""

    folder: Path
    files: tuple[str, ...]
    notes: tuple[str, ...]


def export(model: str | Path, *, to: str, out: str | Path, variant: str | None = None) -> Exported:
    """Write a model folder's network for other programs.

    Args:
        model: the folder.
        to: "onnx", "openvino" or "hf".
        out: the folder to write; it must not exist.
        variant: one of the model's; without it the one that it was written with.

    Raises:
        UnknownName: no such format, or no such variant.
        InputError: the model is no network, or has no such form.
        DataTooLarge: over two gigabytes in one ONNX file.
        FileMissing, ModelFolderError, OutputExists, CannotWrite, StorageFull, MissingExtra: see `cauce.errors`.

    """
    if to not in FORMATS:
        raise UnknownName(f'there is no format "{to}"', hint=nearest(to, FORMATS) or f"formats: {', '.join(FORMATS)}")
    source, where = Path(model), str(model)
    manifest = model_folder.read(source)
    if manifest.runtime not in ("onnx", "openvino"):
        raise InputError(
            f"a model of the recipe {manifest.recipe.name} is no network, and cannot be exported to {to}",
            where=where,
            hint="it is read by cauce and, as the folder is, by mlflow; networks are trained with --recipe transformer or lstm",
        )
    name = variant or manifest.variant
    if name != manifest.variant:
        variants.read(source, name)  # every file is as it was written
    files = Files(source, name)
    with model_folder.create(Path(out)) as room:
        tokenizer, notes = with_normalizer(files.find(encoder.TOKENIZER).read_bytes(), manifest.normalizer)
        (room / encoder.TOKENIZER).write_bytes(tokenizer)
        (room / LABELS).write_text(json.dumps(_told(manifest, name), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        FORMATS[to](files, manifest, name, room)
        written = tuple(sorted(str(one.relative_to(room)) for one in room.rglob("*") if one.is_file()))
    if any(threshold != 0.5 for threshold in manifest.calibration.thresholds):
        notes += (f"a label is given from a score of its own on: {LABELS} has the thresholds",)
    return Exported(Path(out), written, notes)


def _told(manifest: Manifest, variant: str) -> dict[str, Any]:
    """What a program needs to make answers of the graph's outputs."""
    functions = {"classification": "softmax", "multilabel": "sigmoid", "regression": "none", "embedding": "none"}
    return {
        "name": manifest.name,
        "version": manifest.version,
        "variant": variant,
        "task": manifest.task,
        "labels": manifest.labels,
        "max_tokens": manifest.limits.max_tokens,
        "scores": functions[manifest.task],
        "temperature": manifest.calibration.temperature,
        "thresholds": manifest.calibration.thresholds,
    }


def _onnx(files: Files, manifest: Manifest, variant: str, room: Path) -> None:
    onnx = need("onnx", extra="train", what="an export to ONNX")
    path = files.find(graph.GRAPH, "model.xml")
    if path.suffix != ".onnx":
        raise InputError(
            f"the variant {variant} is OpenVINO's own", where=str(files.folder), hint="export it with --to openvino"
        )
    whole = onnx.load(path)
    if whole.ByteSize() > MOST_BYTES:
        raise DataTooLarge(
            f"the model has {whole.ByteSize() / 1e9:.1f} GB, one ONNX file holds 2", hint="export it with --to hf"
        )
    onnx.save(whole, room / graph.GRAPH)


def _openvino(files: Files, manifest: Manifest, variant: str, room: Path) -> None:
    library = need("openvino", extra="openvino", what="an export to OpenVINO")
    network = library.Core().read_model(files.find("model.xml", graph.GRAPH))
    library.save_model(network, room / "model.xml", compress_to_fp16=False)


def _hf(files: Files, manifest: Manifest, variant: str, room: Path) -> None:
    need("torch", extra="train", what="an export to a folder of transformers")
    where = str(files.folder)
    if variant != manifest.variant:
        raise InputError(
            f"the variant {variant} is a graph alone",
            where=where,
            hint="export it with --to onnx or openvino, or leave --variant out",
        )
    if not (files.folder / encoder.CONFIG).is_file():
        raise InputError(
            f"transformers knows no network of the recipe {manifest.recipe.name}",
            where=where,
            hint="export it with --to onnx or openvino",
        )
    config = json.loads((files.folder / encoder.CONFIG).read_bytes())
    weights = {name.removeprefix("model."): tensor.clone() for name, tensor in graph.state_dict(files.folder).items()}
    if manifest.task == "embedding":
        _write_modules(manifest, int(config["hidden_size"]), room)
    else:
        config |= _head(manifest)
        _cool(weights, manifest.calibration.temperature)
    graph.save(weights, room / encoder.TENSORS, {"format": "pt"})
    _write(room / encoder.CONFIG, config)
    _write(room / encoder.TOKENIZER_CONFIG, _tokenizer_config(room / encoder.TOKENIZER, manifest))


def _head(manifest: Manifest) -> dict[str, Any]:
    """What transformers reads of labels and task."""
    labels = dict(enumerate(manifest.labels))
    return {
        "id2label": labels,
        "label2id": {label: number for number, label in labels.items()},
        "problem_type": encoder.PROBLEMS[manifest.task],
    }


def _cool(weights: dict[str, Tensor], temperature: float) -> None:
    """Divide the logits by the temperature: there is no place for it in transformers."""
    head = next(name for name in HEADS if f"{name}.weight" in weights)
    for name in (f"{head}.weight", f"{head}.bias"):
        if name in weights:
            weights[name] /= temperature


def _tokenizer_config(path: Path, manifest: Manifest) -> dict[str, Any]:
    limit = manifest.limits.max_tokens or encoder.USUAL_LENGTH
    engine = need("tokenizers", extra="train", what="an export").Tokenizer.from_file(str(path))
    pad = engine.id_to_token(Tokenizer.open(path, limit).pad_id)
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": limit,
        "model_input_names": list(graph.INPUTS),
        "pad_token": pad,
    }


def _write_modules(manifest: Manifest, width: int, room: Path) -> None:
    """What sentence-transformers reads: how a text's vector is made of its tokens'."""
    pooling, normalized = manifest.recipe.parameters.get("pooling", "mean"), manifest.recipe.parameters.get("normalized", False)
    kinds = [kind for kind in MODULES if kind != "Normalize" or normalized]
    parts = [
        {"idx": n, "name": str(n), "path": MODULES[kind], "type": f"sentence_transformers.models.{kind}"}
        for n, kind in enumerate(kinds)
    ]
    modes = {f"pooling_mode_{mode}": mode.startswith(pooling) for mode in ("cls_token", "mean_tokens", "max_tokens")}
    (room / "modules.json").write_text(json.dumps(parts, indent=2) + "\n", encoding="utf-8")
    for kind in kinds[1:]:
        (room / MODULES[kind]).mkdir()
    _write(room / encoder.POOLING, {"word_embedding_dimension": width, **modes})
    _write(room / "sentence_bert_config.json", {"max_seq_length": manifest.limits.max_tokens, "do_lower_case": False})


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


FORMATS: dict[str, Callable[[Files, Manifest, str, Path], None]] = {"onnx": _onnx, "openvino": _openvino, "hf": _hf}
