"""The transformer recipe: a pretrained encoder and a head on it, trained together or in part.

Any BERT-like encoder; see `encoder.py` for where it comes from. Layers near the text learn more slowly than those near the head
(Howard and Ruder, "Universal language model fine-tuning for text classification", 2018).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

import tokenizers
import torch
from pydantic import Field, field_validator
from torch import Tensor, nn

from cauce.data.dataset import Dataset
from cauce.errors import InputError
from cauce.recipes import encoder
from cauce.recipes.checkpoint import Checkpoint
from cauce.recipes.fitted import Fitted
from cauce.recipes.lessons import Reader, lessons, texts_of
from cauce.recipes.loop import Group, Progress, fit
from cauce.recipes.network import mean_of_tokens, replace_dropout
from cauce.recipes.options import Network
from cauce.recipes.targets import Scale
from cauce.text.normalize import Normalizer
from cauce.text.spelling import Spelling
from cauce.text.tokenize import Tokenizer

RUNTIME, VARIANT = "onnx", "fp32"
NORMALIZER = Normalizer(lowercase=False, repeats=0)  # an encoder knows letters and repeats by its own vocabulary
TUNES = re.compile(r"full|head|(top|freeze):\d+")
LAYER = re.compile(r"\.(?:layer|layers|albert_layer_groups)\.(\d+)\.")


class Options(Network):
    """What can be set of the transformer recipe."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "fast": {"passes": 8_000, "epochs": 2},
        "balanced": {},
        "best": {"passes": 250_000, "epochs": 6},
    }

    base: str = Field("minilm", description="The encoder: minilm (packaged), a local folder, or a hub id.")
    tune: str = Field("full", description="What is trained: full, top:N layers, head, or freeze:N layers from the text on.")
    layer_decay: float = Field(0.9, gt=0, le=1, description="Share that each layer has of the learning rate of the one above.")

    @field_validator("tune")
    @classmethod
    def _known(cls, value: str) -> str:
        if not TUNES.fullmatch(value):
            raise ValueError("must be full, top:N, head or freeze:N")
        return value


class Classifier(nn.Module):
    """An encoder with its head, as `graph.write` takes it.

    Args:
        model: a sequence classifier of transformers.

    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (n, k), the mean of the hidden states (n, d), and the hidden states (n, l, d)."""
        found = self.model(input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=True)
        hidden = found.hidden_states[-1]
        return found.logits, mean_of_tokens(hidden, attention_mask), hidden

    @property
    def head(self) -> nn.Linear:
        """The last layer, which gives the logits."""
        within = self.model.base_model_prefix
        linear = [
            one for name, one in self.model.named_modules() if isinstance(one, nn.Linear) and not name.startswith(f"{within}.")
        ]
        return linear[-1]

    def rescale(self, scale: Scale) -> None:
        """Let the last layer answer in the units of the data."""
        with torch.no_grad():
            self.head.weight.mul_(scale.deviation)
            self.head.bias.mul_(scale.deviation).add_(scale.mean)


class Encoder(nn.Module):
    """An encoder without a head, as `graph.write` takes it.

    Args:
        model: an encoder of transformers.
        pooling: what a text's vector is: the mean of its tokens' or that of its first token ("cls").
        normalized: whether a text's vector is brought to length 1.

    """

    def __init__(self, model: Any, pooling: str = "mean", *, normalized: bool = False) -> None:
        super().__init__()
        self.model, self.pooling, self.normalized = model, pooling, normalized

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[None, Tensor, Tensor]:
        """No logits, the vectors of the texts (n, d), and the hidden states (n, l, d)."""
        hidden = self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        pooled = hidden[:, 0] if self.pooling == "cls" else mean_of_tokens(hidden, attention_mask)
        return None, nn.functional.normalize(pooled, dim=-1) if self.normalized else pooled, hidden


def train(
    data: Dataset,
    dev: Dataset,
    labels: tuple[str, ...],
    *,
    seed: int,
    progress: Progress,
    normalizer: Normalizer,
    spelling: Spelling | None = None,
    options: Options = Options(),
    checkpoint: Checkpoint | None = None,
) -> Fitted:
    """Train an encoder and its head; the weights that were best on dev are kept.

    Raises:
        InputError: the base, an option or the columns do not fit; see `cauce.errors`.
        MissingExtra, OutOfMemory, Interrupted

    """
    progress(0.0, f"opening {options.base}")
    base = encoder.resolve(options.base)
    torch.manual_seed(seed)
    net = Classifier(encoder.classifier(base, len(labels), data.task))
    replace_dropout(net, options.dropout)
    max_tokens = min(options.max_tokens, encoder.longest(base))
    tokenizer = encoder.tokenizer(base)
    reader = Reader(normalizer, spelling, Tokenizer(tokenizers.Tokenizer.from_buffer(tokenizer), max_tokens))
    scale = Scale.of(data.task, data.truth(labels))
    given = lessons(data, labels, options, scale, reader)
    done = fit(
        net,
        tuned(net, options),
        given.examples,
        reader.tokens(texts_of(dev)),
        scale.apply(dev.truth(labels)),
        task=data.task,
        options=options,
        seed=seed,
        progress=progress,
        checkpoint=checkpoint,
    )
    net.rescale(scale)
    return Fitted(
        normalizer,
        options.model_dump() | given.parameters,
        net,
        tokenizer,
        max_tokens,
        done.log,
        spelling,
        (*given.notes, *done.notes),
        config=encoder.described(net.model),
        stopped=done.stopped,
    )


def tuned(net: Classifier, options: Options) -> list[Group]:
    """The parameters to train by depth, the head first, each with its share of the learning rate.

    Raises:
        InputError: more layers than the encoder has.

    """
    depths = {name: depth(name, net.model.base_model_prefix) for name, _ in net.model.named_parameters()}
    layers = max((place for place in depths.values() if place is not None), default=0)
    kind, _, number = options.tune.partition(":")
    if number and int(number) > layers:
        raise InputError(f"--tune {options.tune}, but the encoder has {layers} layers", hint=f"give 0 to {layers}")
    first = {"full": 0, "head": layers + 1, "top": layers + 1 - int(number or 0), "freeze": int(number or 0) + 1}[kind]
    groups: dict[int, list[nn.Parameter]] = {}
    for name, parameter in net.model.named_parameters():
        place = depths[name]
        place = layers + 1 if place is None else place
        parameter.requires_grad_(place >= first)
        if place >= first:
            groups.setdefault(place, []).append(parameter)
    return [(groups[place], options.layer_decay ** (layers + 1 - place)) for place in sorted(groups, reverse=True)]


def depth(name: str, prefix: str) -> int | None:
    """The layer that a parameter belongs to, from 1 on; 0 below the layers (embeddings); None for pooler and head."""
    if not name.startswith(f"{prefix}.") or ".pooler." in name:
        return None
    found = LAYER.search(name)
    return int(found[1]) + 1 if found else 0
