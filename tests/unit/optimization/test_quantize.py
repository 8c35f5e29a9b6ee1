"""Weights of 8 bits, from a graph whose weights lie beside it."""

import logging

import onnx
import pytest

from cauce.errors import NotAModel
from cauce.model import processor
from cauce.optimization import quantize


def test_the_graph_becomes_one_file_a_third_as_large_or_less(tiny_network, tmp_path):
    root = logging.getLogger()
    handlers = list(root.handlers)
    quantize.quantize(tiny_network, tmp_path, narrow=False)
    assert [path.name for path in tmp_path.glob("*onnx*")] == ["model.onnx"]
    graph = onnx.load(tmp_path / "model.onnx", load_external_data=False).graph
    assert not [one.name for one in graph.initializer if one.data_location == onnx.TensorProto.EXTERNAL]
    assert {"logits", "pooled", "hidden"} == {one.name for one in graph.output}
    kinds = {node.op_type for node in graph.node}
    assert kinds & {"MatMulInteger", "DynamicQuantizeLinear"}
    assert root.handlers == handlers


def test_a_processor_that_adds_up_in_16_bits_gets_weights_of_7(tiny_network, tmp_path):
    largest = {}
    for narrow in (False, True):
        room = tmp_path / str(narrow)
        room.mkdir()
        quantize.quantize(tiny_network, room, narrow=narrow)
        graph = onnx.load(room / "model.onnx").graph
        weights = [onnx.numpy_helper.to_array(one) for one in graph.initializer if one.data_type == onnx.TensorProto.INT8]
        largest[narrow] = max(int(abs(one.astype(int)).max()) for one in weights)
    assert largest == {False: 127, True: 64}


@pytest.mark.parametrize(("has", "expected"), [(("avx2",), True), (("avx2", "avx512_vnni"), False), ((), True)])
def test_the_processor_says_which_it_gets(monkeypatch, has, expected):
    monkeypatch.setattr(processor, "instructions", lambda: has)
    assert quantize.narrow() is expected


@pytest.mark.parametrize("damage", [b"", b"not a graph", None])
def test_a_graph_that_cannot_be_read_is_refused(network, tmp_path, damage):
    if damage is None:
        (network / "weights.safetensors").unlink()
    else:
        (network / "model.onnx").write_bytes(damage)
    (tmp_path / "room").mkdir()
    with pytest.raises(NotAModel):
        quantize.quantize(network, tmp_path / "room", narrow=False)
