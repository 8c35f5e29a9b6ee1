"""A network of fewer layers that learns from the whole one."""

import json

import pytest
import torch

from cauce.errors import NotAModel
from cauce.model import folder as folders
from cauce.model.model import load
from cauce.optimization import layers


def test_every_second_layer_stays_of_a_network_of_our_recipe(tiny_network):
    manifest = folders.read(tiny_network)
    assert layers.kept(tiny_network, manifest) == (0, 2)
    other = manifest.model_copy(update={"recipe": manifest.recipe.model_copy(update={"name": "lstm"})})
    assert layers.kept(tiny_network, other) == ()


@pytest.mark.parametrize("changed", [{"num_hidden_layers": 1}, {"model_type": "albert"}])
def test_nothing_is_left_out_of_one_layer_or_of_shared_ones(network, changed):
    config = json.loads((network / "config.json").read_bytes())
    (network / "config.json").write_text(json.dumps({**config, **changed}))
    assert layers.kept(network, folders.parse((network / "cauce.json").read_bytes(), "")) == ()


def test_the_network_of_a_folder_answers_as_its_graph(tiny_network):
    model = load(tiny_network)
    net = layers.network(tiny_network, model.manifest)
    row = model.manifest.inputs[0].name
    encoded = model.runtime.encode(model_rows(row, ["my parcel is lovely", "the app was slow so very slow"]))
    ids, mask = (torch.from_numpy(one) for one in encoded.padded())
    with torch.inference_mode():
        assert net(ids, mask)[0].numpy() == pytest.approx(model.runtime.forward(encoded), abs=1e-4)


def test_the_layers_that_stay_keep_their_weights(tiny_network):
    model = load(tiny_network)
    net = layers.network(tiny_network, model.manifest)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    layers.keep(net, (0, 2))
    after = net.state_dict()
    name = "model.bert.encoder.layer.{}.output.dense.weight"
    assert torch.equal(after[name.format(1)], before[name.format(2)])
    assert name.format(2) not in after
    assert net.model.config.num_hidden_layers == 2
    with torch.inference_mode():
        net(torch.ones(1, 3, dtype=torch.int64), torch.ones(1, 3, dtype=torch.int64))


def test_weights_of_another_configuration_are_refused(network):
    config = json.loads((network / "config.json").read_bytes())
    (network / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}))
    with pytest.raises(NotAModel, match=r"are not those of config\.json"):
        layers.network(network, folders.parse((network / "cauce.json").read_bytes(), ""))


def model_rows(name, texts):
    import pyarrow as pa

    return pa.record_batch({name: texts})
