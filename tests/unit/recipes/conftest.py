"""A pretrained encoder small enough for tests, as transformers writes one."""

import csv
from pathlib import Path

import numpy as np
import pytest

LETTERS = "abcdefghijklmnopqrstuvwxyzáéíñóú0123456789.,:;!?¡¿@#'\"-()"


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory, messages: Path) -> Path:
    """A folder of a BERT of 3 layers, 32 wide, with random weights; its vocabulary is that of the example messages."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    words = sorted({word for word in messages.read_text("utf-8").lower().split() if word.isalpha()})
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *LETTERS, *(f"##{letter}" for letter in LETTERS), *words]
    vocabulary = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    engine = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    engine.normalizer = normalizers.BertNormalizer(strip_accents=False)
    engine.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    engine.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(name, vocabulary[name]) for name in ("[CLS]", "[SEP]")]
    )
    folder = tmp_path_factory.mktemp("base")
    PreTrainedTokenizerFast(
        tokenizer_object=engine, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=48,
        initializer_range=0.2,  # wide: what is random learns in a few steps
    )
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def wordy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows whose label, tags and value are told by their words."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("wordy") / "wordy.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label", "tags", "value"])
        for number in range(240):
            kind = int(rng.integers(3))
            extra = bool(rng.integers(2))
            words = [["bueno", "genial"], ["malo", "roto"], ["nunca", "tarde"]][kind] + ["app"] * 2 * extra
            tags = ";".join([["good"], ["bad"], ["late"]][kind] + ["app"] * extra)
            writer.writerow([f"{' '.join(rng.permutation(words))} {number}", "gbl"[kind], tags, 1000 + 500 * kind])
    return path
