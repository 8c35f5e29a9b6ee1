"""Weights as 8-bit whole numbers: onnxruntime's dynamic quantization, a scale for each output channel.

Activations get their scale from the rows that are computed together, padding included. So an answer depends on its
neighbors, and the variant runs one row a call: `batching: single`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cauce.errors import DataTooLarge, NotAModel, need
from cauce.model import processor

GRAPH = "model.onnx"
LARGEST = 2_000_000_000  # bytes: what one ONNX file can hold, as protobuf limits it
# Products of two 8-bit numbers are added up in 32 bits by these. Others add them in 16, which overflows: there a weight
# gets 7 bits (onnxruntime calls it reduce_range).
WIDE_SUMS = ("avx_vnni", "avx512_vnni", "amx_int8", "asimddp", "i8mm")


def narrow() -> bool:
    """True where this processor needs weights of 7 bits."""
    return not any(flag in processor.instructions() for flag in WIDE_SUMS)


def quantize(folder: Path, room: Path, *, narrow: bool) -> None:
    """Write the model's graph with 8-bit weights into `room`, as one file.

    Args:
        folder: a model folder whose root has the graph and its weights.
        narrow: 7 bits, for processors that add up in 16.

    Raises:
        NotAModel: the graph cannot be read.
        DataTooLarge: a graph with its weights that ONNX cannot hold in one file.
        MissingExtra: onnx or onnxruntime is not installed.

    """
    onnx = need("onnx", extra="train", what="making an int8 variant")
    quantization = need("onnxruntime.quantization", extra="train", what="making an int8 variant")
    try:
        model = onnx.load(folder / GRAPH)  # the weights come from beside it
    except (OSError, ValueError, RuntimeError, onnx.checker.ValidationError) as error:
        raise NotAModel(f"{GRAPH} cannot be read: {error}", where=str(folder), hint="copy the folder again") from None
    except Exception as error:
        if type(error).__name__ != "DecodeError":  # protobuf's own, by whichever implementation is there
            raise
        raise NotAModel(f"{GRAPH} is not a graph", where=str(folder), hint="copy the folder again") from None
    if not model.graph.node:  # an empty file is an empty graph
        raise NotAModel(f"{GRAPH} is empty", where=str(folder), hint="copy the folder again")
    if model.ByteSize() > LARGEST:
        raise DataTooLarge(f"{model.ByteSize():,} bytes of weights are too many for int8", hint="train a smaller network")
    del model.graph.value_info[:]  # shapes from before the exporter transposed: onnxruntime would trust them (its issue 25890)
    with _quiet():
        quantization.quantize_dynamic(
            model, room / GRAPH, per_channel=True, reduce_range=narrow, weight_type=quantization.QuantType.QInt8
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the advice to run a preprocessing that cannot read our graphs, and the handler that giving it installs."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)
        root.handlers[:] = handlers
