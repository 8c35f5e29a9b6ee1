"""A network as an ONNX graph over one copy of its weights, read alike by PyTorch, onnxruntime and OpenVINO."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import openvino
import pytest
import torch
from torch import Tensor, nn

from cauce.errors import NotAModel, NotAnEncoder
from cauce.recipes import graph
from cauce.recipes.recurrent import Recurrent

LIMIT = 12


class Tiny(nn.Module):
    """A transformer in miniature, with a name that the outputs have too, a tied weight, two equal ones and an unread one."""

    def __init__(self, labels: int = 3, width: int = 8) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(20, width), nn.Embedding(LIMIT, width)
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.again = self.value
        self.key.load_state_dict(self.query.state_dict())
        self.pooled = nn.Linear(width, width)
        self.unread = nn.Linear(width, 5)
        self.out = nn.Linear(width, labels) if labels else None
        self.register_buffer("order", torch.arange(LIMIT))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        x = self.words(input_ids) + self.places(self.order[: input_ids.shape[1]])
        hidden = torch.zeros(())
        away = (1 - attention_mask[:, None, :]) * -1e9
        seen = torch.softmax(self.query(x) @ self.key(x).transpose(1, 2) + away, -1) @ self.again(x)
        hidden = x + torch.tanh(self.pooled(seen) + self.value(x))
        real = attention_mask.unsqueeze(-1).to(x.dtype)
        pooled = (hidden * real).sum(1) / real.sum(1).clamp(min=1)
        return self.out(pooled) if self.out else None, pooled, hidden


class Lstm(nn.Module):
    """A recurrent network in miniature."""

    def __init__(self, kind: Any, layers: int, both_ways: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 6)
        self.rnn = Recurrent(kind, 6, 5, layers=layers, both_ways=both_ways)
        self.dense = nn.Linear(self.rnn.width, 3)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden = self.rnn(self.embedding(input_ids), attention_mask)
        pooled = hidden.sum(1) / attention_mask.sum(1, keepdim=True).clamp(min=1)
        return self.dense(pooled), pooled, hidden


def made(net: nn.Module, seed: int = 0) -> nn.Module:
    """The network with weights of this seed."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape) / 2)
    return net.eval()


@pytest.fixture(scope="module")
def nets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[nn.Module, Path]]:
    """Networks, and the folders that they were written to."""
    tiny = made(Tiny())
    tiny.key.load_state_dict(tiny.query.state_dict())  # type: ignore[operator, union-attr, arg-type]
    found = {
        "tiny": tiny,
        "vectors": made(Tiny(labels=0)),
        "lstm": made(Lstm("lstm", 2, True)),
        "gru": made(Lstm("gru", 1, False)),
    }
    folders = {name: tmp_path_factory.mktemp(name) for name in found}
    for name, net in found.items():
        assert graph.write(net, folders[name]) == ["model.onnx", "weights.safetensors"]
    return {name: (net, folders[name]) for name, net in found.items()}


def answers(engine: str, folder: Path, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What an engine answers."""
    path = folder / "model.onnx"
    if engine == "onnxruntime":
        session = onnxruntime.InferenceSession(path)
        names = [one.name for one in session.get_outputs()]
        return dict(zip(names, session.run(names, feeds), strict=True))
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return {one.get_any_name(): value for one, value in compiled(feeds).items()}


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("name", ["tiny", "vectors", "lstm", "gru"])
def test_an_engine_answers_as_torch_for_any_batch_and_length(
    nets: dict[str, tuple[nn.Module, Path]], name: str, engine: str
) -> None:
    net, folder = nets[name]
    for rows, length in ((1, 1), (1, 2), (7, 1), (7, 2), (7, LIMIT), (2, 5)):
        ids = torch.randint(0, 20, (rows, length))
        mask = torch.ones_like(ids)
        mask[-1, (length + 1) // 2 :] = 0
        with torch.no_grad():
            logits, pooled, hidden = net(ids, mask)
        found = answers(engine, folder, {"input_ids": ids.numpy(), "attention_mask": mask.numpy()})
        wanted = {"pooled": pooled, "hidden": hidden} | ({} if logits is None else {"logits": logits})
        assert found.keys() == wanted.keys()
        for output, value in wanted.items():
            real = mask.bool().numpy() if output == "hidden" else slice(None)
            np.testing.assert_allclose(found[output][real], value.numpy()[real], atol=2e-6)


@pytest.mark.parametrize("name", ["tiny", "lstm", "gru"])
def test_neither_padding_nor_neighbors_change_an_answer(nets: dict[str, tuple[nn.Module, Path]], name: str) -> None:
    net, folder = nets[name]
    ids, mask = torch.randint(0, 20, (3, 9)), torch.ones((3, 9), dtype=torch.int64)
    mask[0, 4:] = 0
    alone = {"input_ids": ids[:1, :4].numpy(), "attention_mask": mask[:1, :4].numpy()}
    together = {"input_ids": ids.numpy(), "attention_mask": mask.numpy()}
    with torch.no_grad():
        assert torch.allclose(net(ids, mask)[0][0], net(ids[:1, :4], mask[:1, :4])[0][0], atol=1e-6)
    for engine in ("onnxruntime", "openvino"):
        one, all_of_them = (answers(engine, folder, feeds)["logits"][0] for feeds in (alone, together))
        np.testing.assert_allclose(one, all_of_them, atol=1e-6)


@pytest.mark.parametrize("name", ["tiny", "vectors", "lstm", "gru"])
def test_the_weights_come_back_whole(nets: dict[str, tuple[nn.Module, Path]], name: str) -> None:
    net, folder = nets[name]
    found, wanted = graph.state_dict(folder), net.state_dict()
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[one], wanted[one]) for one in wanted)
    assert all(found[one].is_contiguous() for one in found)


def test_the_weights_are_stored_once_and_by_their_names(nets: dict[str, tuple[nn.Module, Path]]) -> None:
    _, folder = nets["tiny"]
    inside = onnx.load(folder / "model.onnx", load_external_data=False).graph.initializer
    outside = {one.name for one in inside if one.data_location == onnx.TensorProto.EXTERNAL}
    assert {"words.weight", "out.weight", "out.bias", "query.weight.T", "pooled.weight.T"} <= outside
    assert sum(len(one.raw_data) for one in inside) < 400
    net = nets["tiny"][0]
    own = {(one.data_ptr()): one.nbytes for one in net.state_dict().values()}
    shared = sum(one.nbytes for one in (net.key.weight, net.key.bias))  # type: ignore[union-attr, operator, misc]
    header = 8 + int.from_bytes((folder / "weights.safetensors").read_bytes()[:8], "little")
    assert (folder / "weights.safetensors").stat().st_size - header == sum(own.values()) - shared


def test_the_same_weights_give_the_same_bytes(nets: dict[str, tuple[nn.Module, Path]], tmp_path: Path) -> None:
    """In another process too, whatever order its sets have."""
    script = f"""
import sys, torch
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_graph import Tiny, made, graph, Path
net = made(Tiny())
net.key.load_state_dict(net.query.state_dict())
graph.write(net, Path({str(tmp_path)!r}))
"""
    environment = {**os.environ, "PYTHONHASHSEED": "77"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    for name in ("model.onnx", "weights.safetensors"):
        assert (tmp_path / name).read_bytes() == (nets["tiny"][1] / name).read_bytes()


def test_nothing_of_the_machine_stays_in_the_graph(nets: dict[str, tuple[nn.Module, Path]]) -> None:
    raw = (nets["tiny"][1] / "model.onnx").read_bytes()
    assert b".py" not in raw
    assert b"torch.nn" not in raw


def test_a_network_in_training_stays_in_training(tmp_path: Path) -> None:
    net = made(Lstm("gru", 1, False)).train()
    net.dense.eval()  # type: ignore[union-attr, operator]
    graph.write(net, tmp_path)
    assert net.training
    assert not net.dense.training  # type: ignore[union-attr]


class Frozen(nn.Module):
    """Its flow depends on the length."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden = torch.zeros((*input_ids.shape, 2))
        for place in range(input_ids.shape[1]):
            hidden = hidden + place * input_ids.unsqueeze(-1)
        return hidden[:, 0], hidden[:, 0], hidden


def test_a_network_that_fits_one_length_only_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotAnEncoder, match="Frozen cannot be exported"):
        graph.write(Frozen(), tmp_path)


def test_half_of_the_weights_is_an_error_of_ours(nets: dict[str, tuple[nn.Module, Path]], tmp_path: Path) -> None:
    raw = (nets["tiny"][1] / "weights.safetensors").read_bytes()
    (tmp_path / "weights.safetensors").write_bytes(raw[: len(raw) // 2])
    with pytest.raises(NotAModel, match=r"weights.safetensors cannot be read"):
        graph.state_dict(tmp_path)
