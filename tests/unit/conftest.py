"""Folders of transformers, tiny and random, of any architecture."""

from __future__ import annotations

import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SPECIAL = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
WORDS = "hola buenos días no está nada mal me encanta qué horror the parcel came late and broken".split()


def vocabulary() -> Any:
    """A tokenizer of some words and the letters of two languages."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    letters = string.ascii_lowercase + string.digits + string.punctuation + "áéíóúñü¿¡"
    tokens = [*SPECIAL.values(), *WORDS, *letters, *(f"##{one}" for one in letters)]
    tokenizer = Tokenizer(models.WordPiece({token: n for n, token in enumerate(dict.fromkeys(tokens))}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", "[CLS] $A [SEP] $B [SEP]", [("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


@pytest.fixture(scope="session")
def hugging_face(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Make a folder of transformers, tiny and random: `hugging_face("distilbert", "a", "b", problem_type=…)`, a label each.

    Without labels it has no head. Read-only by convention: copy it before changing it.
    """
    import torch
    import transformers
    from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, PreTrainedTokenizerFast

    small = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    other: dict[str, dict[str, Any]] = {
        "distilbert": {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32},
        "electra": {**small, "embedding_size": 16},
        "albert": {**small, "embedding_size": 16},
        "deberta-v2": {
            **small,
            "relative_attention": True,
            "position_buckets": 8,
            "pos_att_type": ["p2c", "c2p"],
            "type_vocab_size": 0,
            "norm_rel_ebd": "layer_norm",
            "share_att_key": True,
            "position_biased_input": False,
        },
        "modernbert": {**small, "global_attn_every_n_layers": 2, "local_attention": 8},
    }
    made: dict[str, Path] = {}

    def make(kind: str, *labels: str, **fields: Any) -> Path:
        key = repr((kind, labels, fields))
        if key in made:
            return made[key]
        out = made[key] = tmp_path_factory.mktemp(kind) / f"tiny-{kind}"
        tokenizer = vocabulary()
        special = {f"{name}_token_id": tokenizer.token_to_id(token) for name, token in SPECIAL.items()}
        special = {key: number for key, number in special.items() if key not in ("unk_token_id", "mask_token_id")}
        config = AutoConfig.for_model(
            kind,
            vocab_size=tokenizer.get_vocab_size(),
            max_position_embeddings=48,
            **{**special, **other.get(kind, small), **fields},
            **({"id2label": dict(enumerate(labels)), "label2id": {one: n for n, one in enumerate(labels)}} if labels else {}),
        )
        torch.manual_seed(len(key))
        net = (AutoModelForSequenceClassification if labels else AutoModel).from_config(config)
        with torch.no_grad():
            for name, parameter in net.named_parameters():
                if "norm" not in name.lower():
                    parameter.copy_(torch.randn(parameter.shape) / 2)  # scores that differ from text to text
        transformers.utils.logging.disable_progress_bar()
        net.save_pretrained(out)
        PreTrainedTokenizerFast(
            tokenizer_object=tokenizer, model_max_length=40, **{f"{name}_token": token for name, token in SPECIAL.items()}
        ).save_pretrained(out)
        return out

    return make
