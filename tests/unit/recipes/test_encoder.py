"""Where an encoder may come from, and what is refused on the way."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from cauce.errors import CauceError, FileMissing, NotAnEncoder, PickleRefused, Unavailable, UnreadableData
from cauce.recipes import encoder

Make = Callable[..., Path]


@pytest.fixture
def base(hugging_face: Make, tmp_path: Path) -> Path:
    """A folder to break."""
    shutil.copytree(hugging_face("bert", "bad", "good"), tmp_path / "base")
    return tmp_path / "base"


def change(path: Path, **fields: object) -> None:
    told = json.loads(path.read_bytes()) | fields
    path.write_text(json.dumps({key: value for key, value in told.items() if value is not None}))


def test_the_packaged_encoder_is_found_and_read() -> None:
    folder = encoder.resolve("minilm")
    assert encoder.longest(folder) == 512
    told = json.loads(encoder.tokenizer(folder))
    assert (told["padding"], told["truncation"]) == (None, None)


def test_a_new_head_is_drawn_and_the_encoder_kept(base: Path) -> None:
    torch.manual_seed(0)
    three = encoder.classifier(base, 3, "multilabel")
    assert (three.config.num_labels, three.config.problem_type) == (3, "multi_label_classification")
    assert three.config.attention_probs_dropout_prob == 0
    own, alone = encoder.headed(base), encoder.load(base)
    for name, tensor in alone.state_dict().items():
        if "pooler" not in name:
            assert torch.equal(tensor, three.bert.state_dict()[name])
            assert torch.equal(tensor, own.bert.state_dict()[name])


@pytest.mark.parametrize(("kind", "limit"), [("bert", 40), ("roberta", 40)])
def test_the_limit_is_that_of_tokenizer_and_positions(kind: str, limit: int, hugging_face: Make, tmp_path: Path) -> None:
    shutil.copytree(hugging_face(kind, "bad", "good"), tmp_path / "base")
    assert encoder.longest(tmp_path / "base") == limit
    change(tmp_path / "base/tokenizer_config.json", model_max_length=10**30)
    assert encoder.longest(tmp_path / "base") == (47 if kind == "roberta" else 48)  # position 0 is the filling token's


def no_tokenizer(base: Path) -> None:
    (base / "tokenizer.json").unlink()


def half_a_tokenizer(base: Path) -> None:
    raw = (base / "tokenizer.json").read_bytes()
    (base / "tokenizer.json").write_bytes(raw[: len(raw) // 2])


def no_configuration(base: Path) -> None:
    (base / "config.json").unlink()


def no_weights(base: Path) -> None:
    (base / "model.safetensors").unlink()


def half_the_weights(base: Path) -> None:
    raw = (base / "model.safetensors").read_bytes()
    (base / "model.safetensors").write_bytes(raw[: len(raw) // 2])


def a_pickle(base: Path) -> None:
    (base / "model.safetensors").rename(base / "pytorch_model.bin")


def a_missing_shard(base: Path) -> None:
    (base / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-00001-of-00002.safetensors"}}')


def code_of_its_own(base: Path) -> None:
    change(base / "config.json", auto_map={"AutoModel": "modeling.Own"})


def code_for_its_tokens(base: Path) -> None:
    change(base / "tokenizer_config.json", auto_map={"AutoTokenizer": ["tokens.Own", None]})


def a_decoder(base: Path) -> None:
    change(base / "config.json", model_type="gpt2")


def both(base: Path) -> None:
    change(base / "config.json", model_type="t5", is_encoder_decoder=True)


def a_bert_that_writes(base: Path) -> None:
    change(base / "config.json", is_decoder=True)


def quantized(base: Path) -> None:
    change(base / "config.json", quantization_config={"load_in_8bit": True})


def another_vocabulary(base: Path) -> None:
    change(base / "config.json", vocab_size=20)


@pytest.mark.parametrize(
    ("broken", "error", "message", "hint"),
    [
        (no_tokenizer, FileMissing, "has no tokenizer.json", "AutoTokenizer"),
        (half_a_tokenizer, UnreadableData, "tokenizer.json cannot be read", "again"),
        (no_configuration, FileMissing, "has no config.json", "transformers"),
        (no_weights, FileMissing, "model.safetensors are missing", "again"),
        (half_the_weights, UnreadableData, "model.safetensors is damaged", "again"),
        (a_pickle, PickleRefused, "pytorch_model.bin: loading one runs code", "save_pretrained"),
        (a_missing_shard, FileMissing, "model-00001-of-00002.safetensors are missing", "again"),
        (code_of_its_own, NotAnEncoder, "code of its own", "known architecture"),
        (code_for_its_tokens, NotAnEncoder, "code of its own", "known architecture"),
        (a_decoder, NotAnEncoder, "'gpt2', not that of an encoder", "distilbert"),
        (both, NotAnEncoder, "'t5', not that of an encoder", "distilbert"),
        (a_bert_that_writes, NotAnEncoder, "not that of an encoder", "bert"),
        (quantized, NotAnEncoder, "quantized for another library", "from before"),
        (another_vocabulary, NotAnEncoder, r"ids up to \d+, the network knows 20", "tokenizer of the network"),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused_with_what_to_do(
    broken: Callable[[Path], None], error: type[CauceError], message: str, hint: str, base: Path
) -> None:
    broken(base)
    with pytest.raises(error, match=message) as refused:
        encoder.resolve(str(base))
    assert hint in refused.value.hint
    assert refused.value.where == str(base)


def test_weights_of_another_shape_or_network_are_refused(base: Path) -> None:
    change(base / "config.json", intermediate_size=64)
    with pytest.raises(NotAnEncoder, match=r"the weights lack|cannot be loaded"):
        encoder.load(base)
    with pytest.raises(NotAnEncoder, match=r"the weights lack|cannot be loaded"):
        encoder.classifier(base, 2, "classification")


def test_a_base_that_is_nowhere_is_told_with_what_can_be_given(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for base, what in ((str(tmp_path / "none"), "is not there"), (str(tmp_path / "file"), "is not a folder")):
        with pytest.raises(FileMissing, match=what) as refused:
            encoder.resolve(base)
        assert "hub id" in refused.value.hint


@pytest.mark.parametrize("offline", ["1", "0"])
def test_a_hub_that_cannot_be_reached_says_what_to_give_instead(offline: str, tmp_path: Path) -> None:
    """In a process of its own: the library reads its settings when it is imported. Nobody listens on port 9."""
    script = """
from cauce.errors import Unavailable
from cauce.recipes import encoder
try:
    encoder.resolve("nobody/nothing")
except Unavailable as error:
    print(error.exit_code, error.message, error.hint)
"""
    settings = {"HF_HUB_OFFLINE": offline, "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path)}
    environment = {**os.environ, **settings}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=100, check=True
    )
    assert done.stdout.startswith(f'{Unavailable.exit_code} the base "nobody/nothing" cannot be fetched from the hub: ')
    assert "--base minilm" in done.stdout
    assert done.stderr == ""
