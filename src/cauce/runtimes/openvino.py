"""The OpenVINO runtime: the same graphs as in onnxruntime, also in bf16 where the processor computes it, or OpenVINO's own."""

from __future__ import annotations

import sys
from pathlib import Path
from queue import SimpleQueue
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from cauce.errors import NotAModel, need
from cauce.runtimes.tokens import AGAIN, Files, Ids, TokenRuntime
from cauce.text.threads import threads

GRAPHS = ("model.xml", "model.onnx")  # its own format first: a variant that has one was made for it
TELEMETRY = "openvino_telemetry"
KERNELS = 64  # compiled ones that a stream keeps, about 1.5 MB each; OpenVINO would keep 5000


def open(folder: Path, variant: str) -> TokenRuntime:
    """Read graph, weights and tokenizer. A variant of the precision bf16 is computed in it where the processor can.

    Raises:
        NotAModel: the graph cannot be read, reads files outside of the folder, or does not fit labels and tokenizer.
        MissingExtra: openvino or tokenizers is not installed.

    """
    library = engine()
    files = Files(folder, variant)
    graph = files.find(*GRAPHS)
    precision = "bf16" if files.variant.get("precision") == "bf16" else "f32"
    core = library.Core()
    try:
        model = core.read_model(graph)
    except RuntimeError as error:
        raise NotAModel(f"{graph.name} cannot be opened: {_said(error)}", where=str(folder), hint=AGAIN) from None
    return TokenRuntime(files, lambda wide: Session(core, model, wide, precision))


def engine() -> ModuleType:
    """OpenVINO, imported without its telemetry: with it, the import alone sends an event to a server of its maker.

    Raises:
        MissingExtra: openvino is not installed.

    """
    if TELEMETRY in sys.modules or "openvino" in sys.modules:  # somebody else's import came first
        return need("openvino", extra="openvino", what="a model of the runtime openvino")
    sys.modules[TELEMETRY] = None  # type: ignore[assignment]  # "not installed": openvino has a stub for that
    try:
        return need("openvino", extra="openvino", what="a model of the runtime openvino")
    finally:
        del sys.modules[TELEMETRY]


class Session:
    """A graph in OpenVINO; see `cauce.runtimes.tokens.Session`.

    With one thread a call it has as many streams as there are threads, so that as many calls run side by side; a further
    one waits. With more threads a call it has one stream.
    """

    def __init__(self, core: Any, model: Any, wide: int, precision: str) -> None:
        calls = threads() if wide == 1 else 1
        options = {
            "NUM_STREAMS": str(calls),
            "INFERENCE_NUM_THREADS": str(threads()),
            "INFERENCE_PRECISION_HINT": precision,
            "CPU_RUNTIME_CACHE_CAPACITY": str(KERNELS),
            "ENABLE_CPU_PINNING": "NO",  # a second process would be pinned to the same processors
        }
        try:
            compiled = core.compile_model(model, "CPU", options)
        except RuntimeError as error:
            raise NotAModel(f"OpenVINO cannot compile the graph: {_said(error)}", hint=AGAIN) from None
        self.inputs = tuple(one.any_name for one in compiled.inputs)
        self.outputs = tuple(one.any_name for one in compiled.outputs)
        self._free: SimpleQueue[Any] = SimpleQueue()
        for _ in range(calls):
            self._free.put(compiled.create_infer_request())

    def run(self, ids: Ids, mask: Ids, output: str) -> npt.NDArray[np.float32]:
        """One output of the graph."""
        request = self._free.get()
        try:
            request.infer({"input_ids": ids, "attention_mask": mask}, share_inputs=True)
            found: npt.NDArray[np.float32] = request.get_tensor(output).data.astype(
                np.float32
            )  # a copy: the next call writes there
        finally:
            self._free.put(request)
        return found


def _said(error: Exception) -> str:
    """The last line of an error of OpenVINO, which says what is wrong; those before say where in its sources."""
    return str(error).strip().split("\n")[-1][:200]
