"""Words that a masked language model writes, with a tiny model of random weights made here."""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa
import pytest

from cauce.data.augment import Augment, augment
from cauce.data.dataset import Dataset
from cauce.data.masking import Masking
from cauce.errors import FileMissing, MissingExtra, UnreadableData
from cauce.model.manifest import Input

WORDS = ["hola", "mundo", "bueno", "malo", "servicio", "excelente", "terrible", "el", "es", "no", "nunca", "##ito", "100", "😍"]
TEXTS = ["El servicio es bueno", "no es MALO, nunca @ana https://x.es 😍 100", "[MASK] hola", "hola " * 600, "😍 @ana"]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of one layer with random weights."""
    try:
        import torch
        import transformers
    except ImportError as missing:
        pytest.skip(f"{missing.name} is not installed")
    folder = tmp_path_factory.mktemp("encoder")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=64,
    )
    transformers.BertForMaskedLM(config).save_pretrained(folder)
    tokenizer = transformers.BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=64)
    tokenizer.save_pretrained(folder)
    return folder


def data() -> Dataset:
    rows = pa.RecordBatch.from_pydict({"text": TEXTS})
    return Dataset(rows, (Input(name="text", type="text"),), pa.array(["x"] * len(TEXTS)), "here")


def test_words_are_replaced_and_nothing_else(encoder: Path) -> None:
    kinds = Augment.parse(f"mlm={encoder}:3,share=0.5")
    out = augment(data(), kinds, 0, lambda share, what: None)
    added = out.rows.column("text").to_pylist()[len(TEXTS) :]
    assert len(added) >= 5
    assert not set(added) & set(TEXTS)
    assert not any("[MASK]" in text or "@ana" in text.split()[:1] for text in added)
    for text in added:
        if "@ana" in text:
            assert [word for word in text.split() if word in {"no", "nunca", "@ana", "https://x.es", "😍", "100"}] == [
                "no", "nunca", "@ana", "https://x.es", "😍", "100",
            ]  # fmt: skip
        assert {word.strip(",").lower() for word in text.split()} <= {*WORDS, "@ana", "https://x.es"}
        assert "##" not in text


def test_the_same_seed_gives_the_same_words_for_any_number_of_threads(encoder: Path) -> None:
    import torch

    kinds = Augment.parse(f"mlm={encoder},share=0.5")
    before = torch.get_num_threads()
    outs = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        outs.append(augment(data(), kinds, 0, lambda share, what: None).rows)
        assert torch.get_num_threads() == threads  # as it was
    torch.set_num_threads(before)
    assert outs[0] == outs[1]


def test_a_folder_that_is_missing_or_holds_no_such_model_is_said(encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(FileMissing):
        Masking(tmp_path / "none")
    with pytest.raises(UnreadableData, match="no masked language model"):
        Masking(tmp_path)


def test_without_torch_the_pip_line_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra) as caught:
        Masking(tmp_path)
    assert 'pip install "cauce[train]"' in caught.value.hint
