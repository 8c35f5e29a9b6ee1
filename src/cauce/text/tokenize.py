"""Texts to subword tokens, ragged: one flat array of ids, and where each text begins. Nothing is padded before a call needs it.

The tokenizer is the folder's own `tokenizer.json`. Texts are cut to the model's limit by the tokenizer itself, so that what
closes a text (`[SEP]`, `</s>`) is still there.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cauce.errors import NotAModel, need
from cauce.text.threads import run_sliced

SMALLEST_SLICE = 64  # rows, about 2 ms: below, handing work to a thread costs more than the work
PADS = ("[PAD]", "<pad>", "<|pad|>", "<|padding|>")


@dataclass(frozen=True)
class Tokens:
    """The tokens of n texts.

    Attributes:
        ids: int32 (m,), those of all texts, one after the other.
        offsets: int64 (n + 1,), where each text begins and the last one ends.
        truncated: bool (n,), which texts were cut to the model's limit.
        pad_id: what fills up a shorter text of a call.

    """

    ids: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]
    truncated: npt.NDArray[np.bool_]
    pad_id: int

    def __len__(self) -> int:
        return len(self.truncated)

    @property
    def cost(self) -> npt.NDArray[np.int32]:
        """Tokens of each text, special ones too, (n,)."""
        return np.diff(self.offsets).astype(np.int32)

    def take(self, index: npt.NDArray[np.int64]) -> Tokens:
        """The texts at these places."""
        if len(index) == 1:  # as below, at a third of the cost: rows that run one by one
            row = int(index[0])
            ids = self.ids[self.offsets[row] : self.offsets[row + 1]]
            return Tokens(ids, np.array([0, len(ids)]), self.truncated[row : row + 1], self.pad_id)
        lengths = self.offsets[index + 1] - self.offsets[index]
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        places = np.arange(offsets[-1]) + np.repeat(self.offsets[index] - offsets[:-1], lengths)
        return Tokens(self.ids[places], offsets, self.truncated[index], self.pad_id)

    def padded(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Ids and mask (1 for a token, 0 for filling) as a graph takes them: int64 (n, longest), filled up at the end."""
        if len(self) == 1:
            alone = self.ids.astype(np.int64)[None]
            return alone, np.ones_like(alone)
        lengths = np.diff(self.offsets)
        mask = np.arange(lengths.max(initial=0)) < lengths[:, None]
        ids = np.full(mask.shape, self.pad_id, np.int64)
        ids[mask] = self.ids
        return ids, mask.astype(np.int64)


class Tokenizer:
    """The tokenizer of a model. Thread-safe.

    Attributes:
        pad_id: the id that fills up; 0 where the vocabulary has no token for it.
        size: ids are below this.

    """

    def __init__(self, engine: Any, max_tokens: int) -> None:
        # Our pool's threads each tokenize a slice; the library's own threads would come on top, and do not survive a fork.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        self._engine = engine
        padding = engine.padding
        engine.no_padding()
        engine.enable_truncation(max_tokens)
        known = (engine.token_to_id(token) for token in PADS)
        self.pad_id: int = padding["pad_id"] if padding else next((number for number in known if number is not None), 0)
        self.size: int = max(engine.get_vocab(with_added_tokens=True).values(), default=0) + 1

    @classmethod
    def open(cls, path: Path, max_tokens: int) -> Tokenizer:
        """Read a `tokenizer.json`.

        Args:
            path: the file.
            max_tokens: the tokens that the model reads of a text, special ones counted.

        Raises:
            NotAModel: the file is no tokenizer, or its special tokens alone reach the limit.
            MissingExtra: tokenizers is not installed.

        """
        library = need("tokenizers", extra="onnx", what="a model that reads tokens")
        where, hint = str(path.parent), "a model that reads tokens has the tokenizer.json of Hugging Face's tokenizers"
        try:
            engine = library.Tokenizer.from_buffer(path.read_bytes())
        except Exception as error:  # noqa: BLE001  (the library raises Exception itself)
            raise NotAModel(f"{path.name} cannot be read: {str(error)[:200]}", where=where, hint=hint) from None
        special = engine.num_special_tokens_to_add(False)
        if special >= max_tokens:
            raise NotAModel(
                f"the model reads {max_tokens} tokens of a text, {special} of them special: none is left for the text",
                where=where,
                hint="raise max_tokens",
            )
        return cls(engine, max_tokens)

    def encode(self, texts: pa.Array) -> Tokens:
        """The tokens of texts. A text of which nothing is left becomes one filling token, so that it has an answer too.

        Args:
            texts: (n,) of a string type, no nulls.

        """
        rows: list[list[int]] = [[]] * len(texts)
        truncated = np.zeros(len(texts), np.bool_)

        def work(start: int, end: int) -> None:
            for row, found in enumerate(self._engine.encode_batch_fast(texts[start:end].to_pylist()), start):
                rows[row] = found.ids or [self.pad_id]
                truncated[row] = bool(found.overflowing)

        run_sliced(work, len(texts), SMALLEST_SLICE)
        offsets = np.zeros(len(texts) + 1, np.int64)
        np.cumsum([len(row) for row in rows], out=offsets[1:])
        ids = np.fromiter(chain.from_iterable(rows), np.int32, int(offsets[-1]))
        return Tokens(ids, offsets, truncated, self.pad_id)
