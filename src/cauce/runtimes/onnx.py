"""The ONNX runtime: a transformer's or an LSTM's graph in onnxruntime."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from cauce.errors import NotAModel, need
from cauce.runtimes.tokens import AGAIN, Files, Ids, TokenRuntime

GRAPH = "model.onnx"


def open(folder: Path, variant: str) -> TokenRuntime:
    """Read graph, weights and tokenizer.

    Raises:
        NotAModel: the graph cannot be read, reads files outside of the folder, or does not fit labels and tokenizer.
        MissingExtra: onnxruntime or tokenizers is not installed.

    """
    library = need("onnxruntime", extra="onnx", what="a model of the runtime onnx")
    library.disable_telemetry_events()  # its builds for Windows have them
    files = Files(folder, variant)
    graph = files.find(GRAPH)
    return TokenRuntime(files, lambda threads: Session(library, graph, threads))


class Session:
    """A graph in onnxruntime; see `cauce.runtimes.tokens.Session`."""

    def __init__(self, library: ModuleType, graph: Path, threads: int) -> None:
        options: Any = library.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 4  # what goes wrong is raised
        options.enable_mem_pattern = False  # texts differ in length: a pattern for each shape would be kept
        options.add_session_config_entry("session.force_spinning_stop", "1")  # between calls the threads sleep
        try:
            self._session = library.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # noqa: BLE001  (the library's errors have no common class)
            raise NotAModel(
                f"{graph.name} cannot be opened: {str(error)[:200]}",
                where=str(graph.parent),
                hint=AGAIN,
            ) from None
        self.inputs = tuple(one.name for one in self._session.get_inputs())
        self.outputs = tuple(one.name for one in self._session.get_outputs())

    def run(self, ids: Ids, mask: Ids, output: str) -> npt.NDArray[np.float32]:
        """One output of the graph."""
        found: npt.NDArray[np.float32] = self._session.run([output], {"input_ids": ids, "attention_mask": mask})[0]
        return found
