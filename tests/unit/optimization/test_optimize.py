"""The whole run: what is made, kept, kept out, and said."""

import json
import os
from dataclasses import replace

import onnx
import pytest

import cauce
from cauce.errors import CannotWrite, InputError, UnknownLabel, UnknownName
from cauce.model import gates, processor, variants
from cauce.model.model import load
from cauce.model.variant import Variant
from cauce.optimization import candidates, measure, quantize
from cauce.optimization.optimize import optimize
from cauce.recipes import loop
from cauce.registry.registry import Registry


def of(found, name):
    return next(one for one in found.tried if one.name == name)


def add(folder, tmp_path, name="int8", batching="single", *, wrong=False):
    """int8 made elsewhere: declared as one likes, or with the labels turned round."""
    room = tmp_path / f"room-{name}"
    room.mkdir()
    quantize.quantize(folder, room, narrow=False)
    if wrong:
        model = onnx.load(room / "model.onnx")
        logits = next(node for node in model.graph.node if "logits" in node.output)
        logits.output[0] = "right"
        model.graph.node.append(onnx.helper.make_node("Neg", ["right"], ["logits"]))
        onnx.save(model, room / "model.onnx")
    version = load(folder, "fp32").version
    variants.add(folder, Variant(name=name, version=version, runtime="onnx", batching=batching, precision="int8"), room)


def test_what_passes_stays_and_serves_here(network, tiny_rows):
    found = optimize(network, tiny_rows["dev"], target="size", max_loss=5, only=["int8"])
    assert of(found, "int8").passed
    assert found.serves == "int8"
    assert load(network).variant == "int8"
    assert load(network).version == load(network, "fp32").version
    figures = found.as_dict()["variants"]
    assert figures["int8"]["figures"]["megabytes"] < figures["fp32"]["figures"]["megabytes"]
    assert figures["int8"]["batching"] == "single"
    assert (network / "evidence" / "gates" / f"{processor.slug()}.json").is_file()
    assert [gate.variant for gate in gates.known(network, found.version)[0][0].gates] == ["int8"]


def test_what_gains_too_little_is_taken_out_again_and_its_figures_are_kept(network, tiny_rows):
    found = optimize(network, tiny_rows["dev"], target="size", only=["bf16"])
    assert of(found, "bf16").why == "1.0 times smaller, asked 1.2"
    assert found.serves == "fp32"
    assert variants.names(network) == []
    (gate,) = gates.known(network, found.version)[0][0].gates
    assert (gate.variant, gate.passed, gate.why) == ("bf16", False, "1.0 times smaller, asked 1.2")
    assert gate.figures["texts_per_second"] > 0


def test_a_worse_variant_is_kept_out_but_not_deleted_where_it_was_there_before(network, tiny_rows, tmp_path):
    add(network, tmp_path, wrong=True)
    found = optimize(network, tiny_rows["dev"], target="size", only=["int8"])
    assert of(found, "int8").why.startswith("loses ")
    assert of(found, "int8").measured.answers.loss.low > 20
    assert variants.names(network) == ["int8"]
    assert found.serves == load(network).variant == "fp32"


def test_int8_that_is_declared_free_is_refused(network, tiny_rows, tmp_path):
    add(network, tmp_path, batching="free")
    found = optimize(network, tiny_rows["dev"], target="size", max_loss=100, only=["int8"])
    assert "declared free, but the rows beside a row move its scores" in of(found, "int8").why
    assert load(network).variant == "fp32"


def test_a_variant_of_ours_whose_rows_disturb_each_other_here_is_made_to_run_alone(network, tiny_rows, monkeypatch):
    known = candidates.candidates

    def hopeful(*given):
        return [replace(one, batching="free") if one.name == "int8" else one for one in known(*given)]

    monkeypatch.setattr("cauce.optimization.optimize.candidates", hopeful)
    found = optimize(network, tiny_rows["dev"], target="size", max_loss=5, only=["int8"])
    assert of(found, "int8").passed
    assert variants.read(network, "int8").batching == "single"


def test_a_damaged_variant_is_made_again(network, tiny_rows, tmp_path):
    add(network, tmp_path)
    (network / "variants" / "int8" / "model.onnx").write_bytes(b"cut off")
    found = optimize(network, tiny_rows["dev"], target="size", max_loss=5, only=["int8"])
    assert found.serves == load(network).variant == "int8"


def test_fewer_layers_learn_from_the_whole_network(network, tiny_rows):
    without = optimize(network, tiny_rows["dev"], target="size", only=["layers2"])
    assert "name them with --train" in of(without, "layers2").why
    found = optimize(network, tiny_rows["dev"], target="size", max_loss=5, only=["layers2"], train=tiny_rows["train"])
    assert of(found, "layers2").passed, of(found, "layers2").why
    assert of(found, "layers2").measured.dependence.worst < 1e-6
    assert load(network).variant == "layers2"
    assert json.loads((network / "variants" / "layers2" / "config.json").read_bytes())["num_hidden_layers"] == 2


def test_ctrl_c_keeps_what_was_finished(network, tiny_rows, monkeypatch):
    fresh = measure.fresh

    def interrupted(folder, variant, row):
        if variant == "bf16":
            raise KeyboardInterrupt
        return fresh(folder, variant, row)

    monkeypatch.setattr(measure, "fresh", interrupted)
    found = optimize(network, tiny_rows["dev"], target="size", max_loss=5, only=["int8", "bf16"])
    assert found.stopped
    assert [one.name for one in found.tried] == ["int8"]
    assert variants.names(network) == ["int8"]
    assert load(network).variant == "int8"


def test_ctrl_c_in_a_training_that_keeps_its_best_ends_the_run_too(network, tiny_rows, monkeypatch):
    monkeypatch.setattr(loop._Training, "learn", lambda self, steps: (_ for _ in ()).throw(KeyboardInterrupt))
    found = optimize(network, tiny_rows["dev"], target="size", only=["layers2"], train=tiny_rows["train"])
    assert found.stopped
    assert found.base is None
    assert variants.names(network) == []
    assert found.serves == "fp32"


def test_a_variant_that_runs_out_of_memory_does_not_stop_the_others(network, tiny_rows, monkeypatch):
    def full(*_, **__):
        raise MemoryError

    monkeypatch.setattr(quantize, "quantize", full)
    found = optimize(network, tiny_rows["dev"], target="size", only=["int8", "bf16"])
    assert of(found, "int8").why == "there is not enough memory to make and measure it"
    assert of(found, "bf16").measured is not None


def test_a_missing_extra_and_a_processor_without_bf16_are_said(network, tiny_rows, monkeypatch):
    monkeypatch.setattr(candidates, "find_spec", lambda name: None)
    monkeypatch.setattr(processor, "instructions", lambda: ("avx2",))
    found = optimize(network, tiny_rows["dev"])
    assert of(found, "int8").why == 'onnx, onnxruntime is not installed: pip install "cauce[train]"'
    assert of(found, "bf16").why == "this processor does not compute in bf16"
    assert found.base is not None
    assert gates.known(network, found.version)[0] == []


def test_another_run_with_the_same_rule_keeps_what_the_first_proved(network, tiny_rows, tmp_path):
    optimize(network, tiny_rows["dev"], target="size", max_loss=5, only=["int8"])
    optimize(network, tiny_rows["dev"], target="size", max_loss=5, only=["bf16"])
    assert load(network).variant == "int8"
    assert {gate.variant for gate in gates.known(network, load(network).version)[0][0].gates} == {"int8", "bf16"}
    optimize(network, tiny_rows["dev"], target="size", max_loss=0.5, only=["bf16"])  # another rule
    assert load(network).variant == "fp32"


def test_a_registered_models_own_copy_gets_the_variant(network, tiny_rows, tmp_path):
    version, _ = Registry().register("moods", network)
    found = optimize("moods@" + version.version[:8], tiny_rows["dev"], target="size", max_loss=5, only=["int8"])
    assert found.folder == version.folder
    assert variants.names(version.folder) == ["int8"]
    assert variants.names(network) == []
    assert cauce.load("moods@" + version.version[:8]).variant == "int8"


def test_a_linear_model_is_refused(model_folder, messages):
    with pytest.raises(InputError, match="has no other variants") as caught:
        optimize(model_folder, messages)
    assert "--recipe transformer" in caught.value.hint


def test_without_rows_the_error_names_the_line_to_type(network):
    with pytest.raises(InputError, match="labeled rows") as caught:
        optimize(network, None)
    assert f"cauce optimize {network} --data dev.csv" in caught.value.hint


def test_labels_that_do_not_fit_are_refused_before_anything_is_made(network, tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("text,label\nmy parcel,angry\nthe bank,glad\n")
    with pytest.raises(UnknownLabel, match='"angry"'):
        optimize(network, path)
    assert not (network / "variants").exists()


def test_a_variant_that_does_not_exist_names_the_nearest(network, tiny_rows):
    with pytest.raises(UnknownName) as caught:
        optimize(network, tiny_rows["dev"], only=["int9"])
    assert caught.value.hint == 'did you mean "int8"?'


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere; tests/e2e gives up its rights")
def test_a_read_only_folder_is_refused(network, tiny_rows):
    network.chmod(0o555)
    with pytest.raises(CannotWrite, match="read-only"):
        optimize(network, tiny_rows["dev"])
