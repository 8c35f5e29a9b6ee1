"""A torch network as an ONNX graph, with one copy of its weights for both.

`model.onnx` holds the graph and refers to `weights.safetensors`: ONNX's external data, by offset and length. There a tensor
has the parameter's name, with `.T` where the graph reads the transpose; a large constant that is no parameter is `const.<n>`,
a small one (shapes, axes) stays in the graph, where engines look for it. A parameter that the graph does not read is stored
too, and one with the same bits as another is named in the header: `state_dict` gives back all that went in.

The same weights give the same bytes of both files: nothing of the machine or of the source code stays in the graph.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from cauce.errors import NotAModel, NotAnEncoder, need

if TYPE_CHECKING:
    import onnx_ir as ir
    from torch import Tensor, nn

GRAPH, WEIGHTS = "model.onnx", "weights.safetensors"
INPUTS, OUTPUTS = ("input_ids", "attention_mask"), ("logits", "pooled", "hidden")
OPSET = 20
EXAMPLE = (2, 3)  # rows and tokens: an example of 1 would be frozen, and two that are equal taken for one
SMALL = 1024  # bytes: a constant up to this stays in the graph
SAME = "same"  # the header's list of parameters that have another's bits; one key only, for the order of several varies
NOISY = ("torch.onnx._internal.exporter._registration", "onnxscript.optimizer._constant_folding", "onnx_ir.passes")


def write(net: nn.Module, folder: Path) -> list[str]:
    """Write `model.onnx` and `weights.safetensors`; returns their names.

    Args:
        net: ids and mask, int64 (n, l), to logits (n, k) or None, pooled (n, d) and hidden (n, l, d), float32. On the CPU.

    Raises:
        NotAnEncoder: the network cannot be exported for any number of rows and any length.
        MissingExtra

    """
    for module in ("torch", "onnxscript"):
        need(module, extra="train", what="exporting a network")
    import onnx_ir as ir

    model = _exported(net)
    _strip(model)
    tensors, same = _named(model.graph, net.state_dict())
    save(tensors, folder / WEIGHTS, {SAME: json.dumps(same, sort_keys=True)} if same else None)
    _refer(model.graph, folder)
    (folder / GRAPH).write_bytes(ir.to_proto(model).SerializeToString(deterministic=True))
    return [GRAPH, WEIGHTS]


def state_dict(folder: Path) -> dict[str, Tensor]:
    """The network's parameters as they went into `write`.

    Raises:
        NotAModel: the folder's weights cannot be read.

    """
    stored: dict[str, Tensor] = {}
    try:
        with safe_open(folder / WEIGHTS, framework="pt") as file:
            same: dict[str, str] = json.loads((file.metadata() or {}).get(SAME, "{}"))
            for name in file.keys():  # noqa: SIM118  (not a dict)
                if not name.startswith("const."):
                    stored[name] = file.get_tensor(name)
    except (SafetensorError, OSError) as error:
        raise NotAModel(f"{WEIGHTS} cannot be read: {error}", where=str(folder), hint="copy the folder again") from None
    turned = {name.removesuffix(".T"): tensor.T.contiguous() for name, tensor in stored.items() if name.endswith(".T")}
    found = {name: tensor for name, tensor in stored.items() if not name.endswith(".T")} | turned
    return found | {name: found[other] for name, other in same.items()}


def save(tensors: Mapping[str, Tensor], path: Path, header: dict[str, str] | None = None) -> None:
    """Write a safetensors file.

    Raises:
        OSError: as any write; the library has an error of its own for it.

    """
    from safetensors.torch import save_file

    try:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, header)
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error


def _exported(net: nn.Module) -> ir.Model:
    """The graph, free in both dimensions, weights inside."""
    import torch

    class Outputs(torch.nn.Module):
        """The outputs that there are: the exporter takes no None."""

        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, ...]:
            return tuple(one for one in self.net(input_ids, attention_mask) if one is not None)

    ids, mask = torch.zeros(EXAMPLE, dtype=torch.int64), torch.ones(EXAMPLE, dtype=torch.int64)
    mask[0, -1] = 0
    training, free = {module: module.training for module in net.modules()}, torch.export.Dim.DYNAMIC
    outer = Outputs().eval()
    try:
        with _quiet(), torch.no_grad():
            names = OUTPUTS[len(OUTPUTS) - len(outer(ids, mask)) :]
            program = torch.onnx.export(
                outer,
                (ids, mask),
                dynamo=True,
                verbose=False,
                input_names=INPUTS,
                output_names=[f"output.{name}" for name in names],  # a node may have the name without
                dynamic_shapes=({0: free, 1: free}, {0: free, 1: free}),
                opset_version=OPSET,
            )
    except torch.onnx.OnnxExporterError as error:
        raise NotAnEncoder(
            f"{type(net).__name__} cannot be exported to ONNX: {str(error.__cause__ or error).splitlines()[0]}",
            hint="its shapes may not depend on the example's, nor its flow on the values",
        ) from error
    finally:
        for module, was in training.items():
            module.training = was
    assert program is not None  # noqa: S101  (with dynamo=True it is there)
    model: ir.Model = program.model
    for one in model.graph.inputs:
        if one.shape is None or any(isinstance(size, int) for size in one.shape):
            raise NotAnEncoder(f"{type(net).__name__} is frozen to the shape {one.shape} of its example when it is exported")
    return model


def _strip(model: ir.Model) -> None:
    """Take out what decides no answer (paths and lines of source code, shapes between nodes), and name the dimensions."""
    import onnx_ir as ir

    model.metadata_props.clear()
    model.doc_string, model.producer_version = None, None
    graph = model.graph
    graph.metadata_props.clear()
    graph.doc_string = None
    outputs = {id(one) for one in graph.outputs}
    for node in graph.all_nodes():
        node.metadata_props.clear()
        node.doc_string = None
        for value in node.outputs:
            value.metadata_props.clear()
            if id(value) not in outputs:
                value.type = value.shape = None
    for one in graph.inputs:
        one.metadata_props.clear()
        one.shape = ir.Shape(["batch", "length"])
    for one in graph.outputs:
        one.name = str(one.name).removeprefix("output.")
        width = one.shape[-1] if one.shape is not None else None
        one.shape = ir.Shape(["batch", *(["length"] if one.name == "hidden" else []), width])


def _named(graph: ir.Graph, state: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Give each initializer the name that it is stored by.

    Returns the tensors by name, and for each parameter that has another's bits the name that these are stored by.
    """
    import torch

    plain = {_bits(tensor): name for name, tensor in reversed(state.items())}  # of equal ones the first
    turned = {_bits(tensor.T): f"{name}.T" for name, tensor in reversed(state.items()) if tensor.ndim == 2}
    tensors: dict[str, Tensor] = {}
    initializers = list(graph.initializers.values())
    graph.initializers.clear()
    for number, value in enumerate(initializers):
        assert value.const_value is not None  # noqa: S101
        tensor = torch.from_numpy(value.const_value.numpy().copy())
        name, bits = str(value.name).removeprefix("net."), _bits(tensor)
        if name not in state or _bits(state[name]) != bits:
            name = plain.get(bits) or turned.get(bits) or ""
        if not name and tensor.nbytes > SMALL:
            name = f"const.{number}"
        value.name = name or f"small.{number}"
        if name in tensors:
            value.replace_all_uses_with(graph.initializers[name])
            continue
        if name:
            tensors[name] = tensor
        graph.register_initializer(value)
    _make_way(graph, set(tensors))
    there = {name.removesuffix(".T") for name in tensors}
    first = {_bits(tensor): name for name, tensor in reversed(state.items()) if name in there}
    same: dict[str, str] = {}
    for name in (name for name in state if name not in there):
        other = first.setdefault(_bits(state[name]), name)
        if other == name:
            tensors[name] = state[name].detach()
        else:
            same[name] = other
    return tensors, same


def _make_way(graph: ir.Graph, names: set[str]) -> None:
    """Rename what a node gives where a parameter or an output has its name."""
    outputs = {id(one) for one in graph.outputs}
    names = names | set(INPUTS) | set(OUTPUTS)
    for node in graph.all_nodes():
        for value in node.outputs:
            if value.name in names and id(value) not in outputs:
                value.name = f"inner.{value.name}"


def _refer(graph: ir.Graph, folder: Path) -> None:
    """Let the initializers stand for their bytes in the weights file."""
    import onnx_ir as ir

    with (folder / WEIGHTS).open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header: dict[str, Any] = json.loads(file.read(size))
    for name, value in graph.initializers.items():
        tensor = value.const_value
        if name in header and tensor is not None:
            start, end = header[name]["data_offsets"]
            value.const_value = ir.ExternalTensor(
                WEIGHTS,
                8 + size + start,
                end - start,
                tensor.dtype,
                shape=ir.Shape(list(tensor.shape.numpy())),
                name=name,
                base_dir=folder,
            )


def _bits(tensor: Tensor) -> tuple[str, tuple[int, ...], bytes]:
    """What two tensors have in common that are equal bit by bit."""
    import torch

    raw = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    return str(tensor.dtype), tuple(tensor.shape), hashlib.sha256(raw.data).digest()


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter says of itself: its deprecated parts, operators of torchvision, constants it leaves alone."""
    levels = {name: logging.getLogger(name).level for name in NOISY}
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=FutureWarning, module="copyreg")
            warnings.filterwarnings("ignore", message=".*isinstance\\(treespec, LeafSpec\\)")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
