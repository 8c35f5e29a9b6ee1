"""The proof that a graph answers as its network does: it holds for a right graph, and finds a wrong one."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from cauce.errors import ParityFailed
from cauce.recipes import encoder, graph, parity
from cauce.recipes.transformer import Classifier

LIMIT = 20


@pytest.fixture(scope="module")
def written(hugging_face: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Classifier, Path]:
    """A network, and the folder of its graph and tokenizer."""
    base, room = hugging_face("bert", "bad", "good", "so-so"), tmp_path_factory.mktemp("written")
    net = Classifier(encoder.headed(base))
    graph.write(net, room)
    (room / "tokenizer.json").write_bytes(encoder.tokenizer(base))
    return net, room


def test_every_shape_and_odd_text_is_proven(written: tuple[Classifier, Path], tmp_path: Path) -> None:
    proof = parity.prove(*written, LIMIT)
    shapes = {f"batch {rows}, length {length}" for rows in (1, 7) for length in (1, 2, LIMIT)}
    odd = {"an empty text", "texts of unknown characters", "texts of emoji", "hard texts", "texts of emoji, each alone"}
    assert shapes | odd | {"texts of emoji, 3 tokens of padding more"} <= proof["cases"].keys()
    assert all(found.keys() == {"logits", "pooled", "hidden"} for found in proof["cases"].values())
    assert 0 < proof["worst"] < 1e-4
    parity.write(proof, tmp_path)
    assert json.loads((tmp_path / "evidence/parity.json").read_bytes()) == proof


def test_a_network_with_other_weights_than_the_graph_is_found_out(written: tuple[Classifier, Path]) -> None:
    net, room = written
    with torch.no_grad():
        net.head.bias[0] += 0.001
    try:
        with pytest.raises(ParityFailed, match=r"differ by 0\.001 on batch 1, length 1"):
            parity.prove(net, room, LIMIT)
    finally:
        with torch.no_grad():
            net.head.bias[0] -= 0.001


def test_a_graph_that_reads_the_padding_is_found_out(written: tuple[Classifier, Path], tmp_path: Path) -> None:
    """Both agree on the answer, and it depends on the neighbors' lengths."""

    class Careless(torch.nn.Module):
        def __init__(self, net: Classifier) -> None:
            super().__init__()
            self.net = net

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> tuple[torch.Tensor, ...]:
            logits, _, hidden = self.net(input_ids, attention_mask)
            return logits, hidden.mean(1), hidden

    net, room = Careless(written[0]).eval(), tmp_path / "careless"
    room.mkdir()
    graph.write(net, room)
    shutil.copy(written[1] / "tokenizer.json", room)
    with pytest.raises(ParityFailed, match=r"each alone|padding more"):
        parity.prove(net, room, LIMIT)


def test_an_answer_that_is_not_a_number_is_found_out(written: tuple[Classifier, Path], tmp_path: Path) -> None:
    net, room = Classifier(encoder.headed(Path(written[0].model.config.name_or_path))), tmp_path
    with torch.no_grad():
        net.head.weight[0, 0] = float("nan")
    graph.write(net, room)
    shutil.copy(written[1] / "tokenizer.json", room)
    with pytest.raises(ParityFailed, match="differ by inf"):
        parity.prove(net, room, LIMIT)
