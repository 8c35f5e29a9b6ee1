"""The transformer recipe, on an encoder small enough for tests."""

import json

import pytest
import torch

import cauce
from cauce.data.columns import Columns
from cauce.errors import ColumnMissing, InputError, MissingExtra, UnknownName
from cauce.recipes import encoder, loop, transformer
from cauce.recipes.options import parse
from cauce.recipes.transformer import Classifier, Options, depth, tuned

QUICK = {"epochs": "3", "batch": "8", "rate": "3e-3", "max_tokens": "24", "precision": "fp32", "dropout": "0"}


def trained(data, out, base, **given):
    options = {**QUICK, "base": str(base), **given.pop("options", {})}
    return cauce.train(data, recipe="transformer", out=out, options=options, **given)


@pytest.fixture(scope="module")
def run(wordy, tiny_base, tmp_path_factory):
    return trained(
        wordy, tmp_path_factory.mktemp("run") / "model", tiny_base, columns=Columns(label=("label",), ignore=("tags", "value"))
    )


def test_it_learns_and_answers_from_its_folder_as_it_was_measured(run):
    assert run.report.metrics["macro_f1"].value > 0.9
    again = cauce.load(run.folder)
    assert again.predict(["genial bueno 7"])[0].label == "g"
    assert again.variant == "fp32"
    assert json.loads((run.folder / "cauce.json").read_text())["limits"]["max_tokens"] == 24


def test_the_evidence_holds_a_row_for_each_evaluation(run):
    rows = [json.loads(line) for line in (run.folder / "evidence" / "train.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert {"loss", "dev_macro_f1", "seconds", "best"} <= set(rows[0])
    assert not list(run.folder.parent.glob(".*.training")), "a training that ended keeps nothing on the side"


def test_the_same_seed_gives_the_same_version(run, wordy, tiny_base, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "threads", lambda: 3)
    again = trained(wordy, tmp_path / "again", tiny_base, columns=Columns(label=("label",), ignore=("tags", "value")))
    assert again.model.version == run.model.version


def test_several_labels_and_a_number_are_learnt_too(wordy, tiny_base, tmp_path):
    several = trained(
        wordy, tmp_path / "tags", tiny_base, columns=Columns(label=("tags",), label_delimiter=";", ignore=("label", "value"))
    )
    assert set(several.model.predict(["roto tarde app app"])[0].labels) & {"app"}
    number = trained(
        wordy,
        tmp_path / "value",
        tiny_base,
        columns=Columns(label=("value",), task="regression", ignore=("label", "tags")),
        options={"epochs": "4"},
    )
    assert number.model.predict(["bueno genial"])[0].score == pytest.approx(1000, abs=200)
    assert number.model.predict(["nunca tarde"])[0].score == pytest.approx(2000, abs=200)


def test_ctrl_c_keeps_the_best_so_far_and_resume_goes_on(run, wordy, tiny_base, tmp_path):
    out, columns = tmp_path / "model", Columns(label=("label",), ignore=("tags", "value"))

    def press(share, what):
        if what.startswith("epoch 2.5"):
            raise KeyboardInterrupt

    part = trained(wordy, out, tiny_base, columns=columns, progress=press)
    assert any("stopped at epoch 2.5 of 3" in note for note in part.notes)
    assert cauce.load(out).version == part.model.version
    rest = trained(wordy, out, tiny_base, columns=columns, resume=True)
    assert rest.model.version == run.model.version


@pytest.mark.parametrize(
    ("tune", "trained_parts"),
    [
        ("full", {"emb", 1, 2, 3, "head"}),
        ("top:1", {3, "head"}),
        ("head", {"head"}),
        ("freeze:2", {3, "head"}),
        ("freeze:0", {1, 2, 3, "head"}),
    ],
)
def test_what_is_tuned_is_what_was_asked(tiny_base, tune, trained_parts):
    net = Classifier(encoder.classifier(tiny_base, 2, "classification"))
    groups = tuned(net, Options(tune=tune))
    place = {None: "head", 0: "emb"}
    found = {depth(name, "bert") for name, one in net.model.named_parameters() if one.requires_grad}
    assert {place.get(one, one) for one in found} == trained_parts
    shares = [share for _, share in groups]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == 1


def test_values_leave_the_net_in_the_units_of_the_data(tiny_base):
    net = Classifier(encoder.classifier(tiny_base, 1, "regression")).eval()
    ids = torch.tensor([[2, 5, 9, 3]])
    before = net(ids, torch.ones_like(ids))[0]
    net.rescale(transformer.Scale(100.0, 7.0))
    assert torch.allclose(net(ids, torch.ones_like(ids))[0], before * 7 + 100, atol=1e-4)


def test_bad_options_are_told_before_anything_is_read(wordy, tiny_base, tmp_path, monkeypatch):
    for given, error, said in (
        ({"tune": "some"}, InputError, "full, top:n, head or freeze:n"),
        ({"tune": "top:9"}, InputError, "the encoder has 3 layers"),
        ({"layers": "2"}, UnknownName, "no option"),
    ):
        with pytest.raises(error, match=said):
            trained(
                wordy, tmp_path / "model", tiny_base, options=given, columns=Columns(label=("label",), ignore=("tags", "value"))
            )
    with pytest.raises(ColumnMissing):
        trained(wordy, tmp_path / "model", tiny_base, text="nothing")
    assert not (tmp_path / "model").exists()


def test_other_columns_are_refused_with_what_to_do(orders, tiny_base, tmp_path):
    columns = Columns(text=("title",), category=("color",), label=("kept",), ignore=("body", "size", "paid", "tags", "price"))
    with pytest.raises(InputError, match="one column of texts, the data has the columns") as caught:
        trained(orders, tmp_path / "model", tiny_base, columns=columns)
    assert "--recipe linear" in caught.value.hint


def test_without_the_extra_the_pip_line_is_told(wordy, tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra) as caught:
        cauce.train(wordy, recipe="transformer", out=tmp_path / "model")
    assert 'pip install "cauce[train]"' in caught.value.hint


def test_presets_differ_in_the_work():
    fast, usual, best = (parse(Options, preset) for preset in ("fast", "balanced", "best"))
    assert fast.passes < usual.passes < best.passes
