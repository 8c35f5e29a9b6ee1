"""The contract of a runtime: rows to logits or vectors. And the list of those that we have."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Output = Literal["logits", "pooled", "hidden"]
Batching = Literal["free", "single"]

RUNTIMES = {
    "linear": "cauce.runtimes.linear",
    "onnx": "cauce.runtimes.onnx",
    "openvino": "cauce.runtimes.openvino",
    "echo": "cauce.runtimes.echo",
}


class Encoded(Protocol):
    """Rows as the runtime reads them: bytes or ragged tokens."""

    @property
    def cost(self) -> npt.NDArray[np.int32]:
        """What each row costs (bytes or tokens), (n,)."""
        ...

    @property
    def truncated(self) -> npt.NDArray[np.bool_]:
        """Which rows were cut to the runtime's limit, (n,)."""
        ...

    def take(self, index: npt.NDArray[np.int64]) -> Encoded:
        """The rows at these places."""
        ...


class Runtime(Protocol):
    """Rows to logits or vectors. Knows nothing about HTTP, files of users, or labels. Thread-safe; releases the GIL.

    Rows come checked: the declared columns, no nulls, valid UTF-8.
    """

    @property
    def batching(self) -> Batching:
        """`"single"`: an answer could depend on its neighbours, so each row runs alone."""
        ...

    @property
    def batch_cost(self) -> int | None:
        """Rows x longest row that one call takes best; None: a call takes any number of rows."""
        ...

    def encode(self, rows: pa.RecordBatch) -> Any:
        """The rows as this runtime reads them (an `Encoded`)."""
        ...

    def forward(self, encoded: Any, output: Output = "logits") -> npt.NDArray[np.float32]:
        """Of what `encode` gave: logits or pooled vectors, float32 (n, d); or `"hidden"`, a vector for each token, ragged in
        the order of the rows, float32 (tokens, d).
        """
        ...

    def warm_up(self) -> None:
        """Compile, allocate and measure what the first call would otherwise wait for."""
        ...


@runtime_checkable
class Explains(Protocol):
    """A runtime that can say what each part of a text added to the logits."""

    def explain(self, rows: pa.RecordBatch) -> tuple[list[tuple[str, npt.NDArray[np.float64]]], npt.NDArray[np.float64]]:
        """For one row: its pieces in order, each with what it adds to every logit (d,), and the bias (d,)."""
        ...


@runtime_checkable
class Embeds(Protocol):
    """A runtime whose `forward` gives vectors too."""

    @property
    def width(self) -> int:
        """Numbers of a vector."""
        ...


def open_runtime(name: str, folder: Path, variant: str) -> Runtime:
    """Open a variant of the model in `folder`. `name` must be one of `RUNTIMES`."""
    runtime: Runtime = importlib.import_module(RUNTIMES[name]).open(folder, variant)
    return runtime
