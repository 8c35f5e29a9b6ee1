"""The variants that Cauce knows how to make: what each is, why it cannot be made here, and its making."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cauce.data.dataset import Dataset
from cauce.model import processor
from cauce.model.model import Model
from cauce.model.variant import Precision, Variant
from cauce.optimization import layers, quantize
from cauce.runtimes.base import Batching

BF16 = ("avx512_bf16", "amx_bf16", "bf16")  # without one of these, bf16 is computed in 32 bits and only rounds


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A variant that may be worth making.

    Attributes:
        batching: "free" where that is to be tried first: if its rows disturb each other here, it is made "single".
        obstacle: why it cannot be made here, in words; empty where it can.
        make: writes its files into a folder; None where it needs none of its own. It is told how far it is (0 to 1, what).

    """

    name: str
    runtime: str
    batching: Batching
    precision: Precision
    parameters: dict[str, Any] = field(default_factory=dict)
    obstacle: str = ""
    make: Callable[[Path, Callable[[float, str], None]], None] | None = None

    def variant(self, version: str) -> Variant:
        """As it is to be added to the model of this version."""
        return Variant(
            name=self.name,
            version=version,
            runtime=self.runtime,
            batching=self.batching,
            precision=self.precision,
            parameters=self.parameters,
        )


def candidates(folder: Path, model: Model, train: Dataset | None, dev: Dataset) -> Iterator[Candidate]:
    """Those for this model, the quickest to make first.

    Args:
        model: as it was saved.
        train: what a network with fewer layers recovers on; without it that one cannot be made.
        dev: what its training stops by.

    """
    narrow = quantize.narrow()
    yield Candidate(
        name="int8",
        runtime="onnx",
        batching="single",
        precision="int8",
        parameters={"per_channel": True, "reduce_range": narrow},
        obstacle=_lacks("onnx", "onnxruntime", extra="train"),
        make=lambda room, progress: quantize.quantize(folder, room, narrow=narrow),
    )
    able = any(flag in processor.instructions() for flag in BF16)
    yield Candidate(
        name="bf16",
        runtime="openvino",
        batching="free",
        precision="bf16",
        parameters={"precision": "bf16"},
        obstacle=_lacks("openvino", extra="openvino") if able else "this processor does not compute in bf16",
    )
    kept = layers.kept(folder, model.manifest)
    if kept:
        yield Candidate(
            name=f"layers{len(kept)}",
            runtime="onnx",
            batching="free",
            precision="fp32",
            parameters={"layers": list(kept)},
            obstacle=_lacks("torch", "transformers", "onnxscript", extra="train")
            or ("" if train is not None else "it recovers on training rows, and none were given: name them with --train"),
            make=None if train is None else partial(layers.shorten, folder, model.manifest, kept, train, dev),
        )


def _lacks(*modules: str, extra: str) -> str:
    """What to install for these modules; empty where all are there."""
    missing = [module for module in modules if find_spec(module) is None]
    return f'{", ".join(missing)} is not installed: pip install "cauce[{extra}]"' if missing else ""
