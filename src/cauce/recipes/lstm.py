"""The LSTM recipe: token vectors, an LSTM or a GRU over them, the mean and the highest of its states, a dense layer.

Small, and quick to train and to serve. Against overfitting whole tokens are dropped in training, and whole numbers of the
vectors of a text (Gal and Ghahramani, "A theoretically grounded application of dropout in recurrent neural networks", 2016).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import tokenizers
import torch
from pydantic import Field
from torch import Tensor, nn

from cauce.data.dataset import Dataset
from cauce.recipes import encoder
from cauce.recipes.checkpoint import Checkpoint
from cauce.recipes.embeddings import Embeddings, embeddings
from cauce.recipes.fitted import Fitted
from cauce.recipes.lessons import Reader, extra_texts, lessons, normal, texts_of
from cauce.recipes.loop import Group, Progress, fit
from cauce.recipes.network import Dropout, mean_of_tokens
from cauce.recipes.options import Network, Precision
from cauce.recipes.recurrent import Recurrent
from cauce.recipes.targets import Scale
from cauce.recipes.vector_files import Floats
from cauce.text.normalize import Normalizer
from cauce.text.spelling import Spelling
from cauce.text.tokenize import Tokenizer, Tokens

RUNTIME, VARIANT = "onnx", "fp32"
NORMALIZER = Normalizer()


class Options(Network):
    """What can be set of the LSTM recipe."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "fast": {"passes": 12_000, "least": 1},
        "balanced": {},
        "best": {"width": 128, "passes": 40_000, "least": 5},
    }

    embeddings: str = Field(
        encoder.MINILM,
        description="Token vectors: minilm (of the packaged encoder), learnt, cbow or skip-gram (from the training texts),"
        " a file of word2vec, GloVe or fastText, or the folder of an encoder.",
    )
    frozen: bool = Field(False, description="The token vectors stay as they come.")
    size: int = Field(128, ge=1, le=4096, description="Numbers of a token's vector; those of a file have their own.")
    vocabulary: int = Field(8000, ge=100, description="Most tokens, where they are made from the training texts.")
    cell: Literal["lstm", "gru"] = Field("lstm", description="The recurrent unit.")
    width: int = Field(64, ge=1, description="Its states, in each direction.")
    layers: int = Field(1, ge=1, le=8, description="Recurrent layers, one over the other.")
    bidirectional: bool = Field(True, description="Texts are read backward too.")
    forgotten: float = Field(0.1, ge=0, lt=1, description="Share of the tokens that are hidden in training.")
    thinned: float = Field(
        0.2, ge=0, lt=1, description="Share of the numbers that all token vectors of a text lose in training."
    )
    embeddings_rate: float = Field(0.3, gt=0, le=1, description="Share of the learning rate that the token vectors have.")
    epochs: int = Field(40, ge=1, description="Most passes over the training rows.")
    passes: int = Field(26_000, ge=1, description="Rows that are seen in all: large data needs fewer epochs.")
    least: int = Field(3, ge=1, description="Fewest passes over the training rows, however many they are.")
    rate: float = Field(2e-3, gt=0, description="The highest learning rate.")
    warmup: float = Field(0.05, ge=0, lt=1, description="Share of the steps in which the rate rises; then it falls to 0.")
    dropout: float = Field(0.5, ge=0, lt=1, description="Share of the states that are dropped in training.")
    patience: int = Field(8, ge=1, description="Evaluations without a better one after which the training ends.")
    precision: Precision = Field("fp32", description="bf16: products in 16 bits. auto: where this processor is faster so.")


class Classifier(nn.Module):
    """Token vectors, recurrent layers, and a head over the mean and the highest of their states.

    Args:
        table: (tokens, size) vectors.
        unknown: the token that stands for those that are hidden in training.

    """

    def __init__(self, table: Floats, unknown: int, labels: int, options: Options) -> None:
        super().__init__()
        self.vectors = _embedding(table, frozen=options.frozen)
        self.recurrent = Recurrent(
            options.cell,
            table.shape[1],
            options.width,
            layers=options.layers,
            both_ways=options.bidirectional,
            between=Dropout(options.dropout),
        )
        self.unknown = unknown
        self.forget, self.thin, self.dropout = Dropout(options.forgotten), Dropout(options.thinned), Dropout(options.dropout)
        self.head = nn.Linear(2 * self.recurrent.width, labels)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (n, k), the mean of the states (n, d), and the states (n, l, d). Padding changes none of them."""
        if self.training:
            seen = self.forget(torch.ones_like(input_ids, dtype=torch.float32)) > 0
            input_ids = input_ids.where(seen, self.unknown)
        x = self.vectors(input_ids)
        if self.training:
            x = x * self.thin(x.new_ones(len(x), 1, x.shape[2]))
        hidden = self.recurrent(x, attention_mask)
        pooled = mean_of_tokens(hidden, attention_mask)
        highest = hidden.masked_fill(attention_mask.unsqueeze(-1) == 0, -1.0).amax(1)  # a state lies between -1 and 1
        return self.head(self.dropout(torch.cat([pooled, highest], 1))), pooled, hidden

    def groups(self, options: Options) -> list[Group]:
        """The parameters to train, each with its share of the learning rate."""
        groups: list[Group] = [([*self.recurrent.parameters(), *self.head.parameters()], 1.0)]
        return groups if options.frozen else [*groups, ([*self.vectors.parameters()], options.embeddings_rate)]

    def rescale(self, scale: Scale) -> None:
        """Let the last layer answer in the units of the data."""
        with torch.no_grad():
            self.head.weight.mul_(scale.deviation)
            self.head.bias.mul_(scale.deviation).add_(scale.mean)


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
    """Train token vectors, recurrent layers and head; the weights that were best on dev are kept.

    Raises:
        InputError: an option, the vectors, the teacher or the columns do not fit; see `cauce.errors`.
        ModelFolderError: of the teacher.
        MissingExtra, OutOfMemory, Interrupted, Unavailable

    """
    progress(0.0, f"token vectors: {options.embeddings}")
    start = _start(data, normalizer, spelling, options, seed)
    reader = Reader(normalizer, spelling, Tokenizer(tokenizers.Tokenizer.from_buffer(start.tokenizer), options.max_tokens))
    scale = Scale.of(data.task, data.truth(labels))
    given = lessons(data, labels, options, scale, reader)
    dev_tokens = reader.tokens(texts_of(dev))
    used = np.unique([*given.examples.tokens.ids, *dev_tokens.ids, start.unknown, reader.tokenizer.pad_id])
    torch.manual_seed(seed)
    net = Classifier(start.table[used], int(np.searchsorted(used, start.unknown)), len(labels), options)
    done = fit(
        net,
        net.groups(options),
        replace(given.examples, tokens=_renumbered(given.examples.tokens, used)),
        _renumbered(dev_tokens, used),
        scale.apply(dev.truth(labels)),
        task=data.task,
        options=options,
        seed=seed,
        progress=progress,
        checkpoint=checkpoint,
    )
    table = start.table.copy()
    table[used] = net.vectors.weight.detach().numpy()
    net.vectors = _embedding(table, frozen=True)
    net.rescale(scale)
    return Fitted(
        normalizer,
        options.model_dump() | given.parameters,
        net,
        start.tokenizer,
        options.max_tokens,
        done.log,
        spelling,
        (*start.notes, *given.notes, *done.notes),
        stopped=done.stopped,
    )


def _embedding(table: Floats, *, frozen: bool) -> nn.Embedding:
    tokens, width = table.shape
    return nn.Embedding(tokens, width, _weight=torch.from_numpy(table.copy()), _freeze=frozen)


def _start(data: Dataset, normalizer: Normalizer, spelling: Spelling | None, options: Options, seed: int) -> Embeddings:
    """Tokenizer and vectors, from the training texts and those without labels."""
    texts, more = texts_of(data), extra_texts(options)
    every = texts if more is None else pa.concat_arrays([texts, more.cast(texts.type)])
    return embeddings(
        options.embeddings,
        normal(every, normalizer, spelling),
        width=options.size,
        vocabulary=options.vocabulary,
        seed=seed,
    )


def _renumbered(tokens: Tokens, used: Any) -> Tokens:
    """The tokens by their places in `used`: a step updates every vector that it is given, so it is given few."""
    return replace(
        tokens, ids=np.searchsorted(used, tokens.ids).astype(np.int32), pad_id=int(np.searchsorted(used, tokens.pad_id))
    )
