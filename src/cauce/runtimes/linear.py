"""The linear runtime: one pass from Arrow's bytes to logits. Weights of hashed n-grams are added up as they are hashed.

    logit_k = bias_k + (sum over n-grams of idf * w_k) / sqrt(sum over n-grams of idf ** 2)

A repeated n-gram counts each time, so both sums are made in one streaming pass. An n-gram that training did not see has
no weight and no idf. idf * w_k and idf ** 2 are 16-bit whole numbers, each column with its own scale: half the memory that
32-bit floats would read, and sums that are exact on any machine. The rows are independent: a batch cannot change an answer.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from safetensors import SafetensorError
from safetensors.numpy import load_file

from cauce.errors import NotAModel
from cauce.runtimes.base import Batching, Output
from cauce.text import kernels
from cauce.text.buffers import utf8
from cauce.text.ngrams import Ngrams
from cauce.text.normalize import Normalizer
from cauce.text.spelling import Spelling
from cauce.text.threads import run_sliced

SMALLEST_SLICE = 128  # rows, about 0.5 ms: below, handing work to a thread costs more than the work
WEIGHTS = "weights.safetensors"


def open(folder: Path, variant: str) -> Linear:
    """Read the weights, and the normalizer, dictionary and n-grams that belong to them.

    Raises:
        NotAModel: they do not fit together.
        MissingExtra: the model corrects spelling, and symspellpy is not installed.

    """
    manifest = json.loads((folder / "cauce.json").read_bytes())
    try:
        normalizer = Normalizer(**manifest["normalizer"])
        return Linear(
            normalizer=normalizer,
            spelling=Spelling.open(folder) if normalizer.spelling else None,
            ngrams=Ngrams(**manifest["recipe"]["parameters"]["ngrams"]),
            **load_file(folder / WEIGHTS),
        )
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, IndexError) as error:
        raise NotAModel(
            f"the folder is not that of a linear model: {error}", where=str(folder), hint="train it again with this Cauce"
        ) from None


@dataclass(frozen=True)
class Bytes:
    """Texts as they came: the kernel reads Arrow's buffers."""

    texts: pa.Array
    cost: npt.NDArray[np.int32]
    truncated: npt.NDArray[np.bool_]

    def take(self, index: npt.NDArray[np.int64]) -> Bytes:
        """The rows at these places."""
        return Bytes(self.texts.take(pa.array(index)), self.cost[index], self.truncated[index])


class Linear:
    """Logistic regression over hashed n-grams.

    Args:
        buckets: (m,) int32, the buckets that have weights.
        weights: (m, labels + 1) int16, idf * w of each label, then idf ** 2.
        scale: (labels + 1,) float32, what one unit of each column is worth.
        bias: (labels,) float32.
        spelling: corrects the normalized texts; None where the normalizer does not ask for it.

    """

    batching: Batching = "free"
    batch_cost: int | None = None

    def __init__(
        self,
        *,
        normalizer: Normalizer,
        ngrams: Ngrams,
        buckets: npt.NDArray[np.int32],
        weights: npt.NDArray[np.int16],
        scale: npt.NDArray[np.float32],
        bias: npt.NDArray[np.float32],
        spelling: Spelling | None = None,
    ) -> None:
        width = -(-weights.shape[1] // 4) * 4  # a row of the table is whole SIMD registers
        self._table = np.zeros((2**ngrams.bits, width), np.int16)
        self._table[buckets, : weights.shape[1]] = weights
        self._scale, self._bias, self._normalizer, self._ngrams = scale, bias, normalizer, ngrams
        self._spelling = spelling

    def encode(self, rows: pa.RecordBatch) -> Bytes:
        """The first column's texts, untouched."""
        texts = rows.column(0)
        _, offsets = utf8(texts)
        return Bytes(texts, np.diff(offsets).astype(np.int32), np.zeros(len(texts), np.bool_))

    def forward(self, encoded: Bytes, output: Output = "logits") -> npt.NDArray[np.float32]:
        """Logits, float32 (n, labels)."""
        if self._spelling is not None:
            corrected = self._spelling.apply(self._normalizer.apply(encoded.texts))
            return self._score(corrected, kernels.PREPARED, repeats=0)[0]  # as it is: normalized once
        logits, hard = self._score(encoded.texts, self._normalizer.options)
        if hard.any():
            texts = encoded.texts.filter(pa.array(hard)).to_pylist()
            prepared = pa.array([self._normalizer.prepare(text) for text in texts], pa.large_string())
            logits[hard] = self._score(prepared, self._normalizer.options | kernels.PREPARED)[0]
        return logits

    def warm_up(self) -> None:
        """Load or compile the kernels."""
        self._score(pa.array(["warm"]), self._normalizer.options)

    def explain(self, rows: pa.RecordBatch) -> tuple[list[tuple[str, npt.NDArray[np.float64]]], npt.NDArray[np.float64]]:
        """What each word of the normalized text adds to each logit. Words and bias add up to the logits.

        An n-gram's weight is shared out evenly over its characters that are not spaces.
        """
        labels = self._bias.size
        text = self._normalizer.reference(rows.column(0)[0].as_py())
        if self._spelling is not None:
            text = self._spelling.correct(text)
        ngrams = self._ngrams.reference(text)
        found = self._table[[ngram.bucket for ngram in ngrams], : labels + 1] * self._scale.astype(np.float64)
        norm = np.sqrt(found[:, labels].sum())
        shares = np.zeros((len(text), labels))
        for ngram, row in zip(ngrams, found[:, :labels], strict=True):
            places = [i for i in range(max(ngram.start, 0), min(ngram.end, len(text))) if text[i] != " "]
            shares[places] += row / norm / len(places) if norm and places else 0
        words, start = [], 0
        for word in text.split(" "):
            words.append((word, shares[start : start + len(word)].sum(axis=0)))
            start += len(word) + 1
        return words, self._bias.astype(np.float64)

    def _score(
        self, texts: pa.Array, options: int, repeats: int | None = None
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """Logits (n, labels), and which rows the compiled pass left for `prepare`. `repeats`: the normalizer's where None."""
        repeats = self._normalizer.repeats if repeats is None else repeats
        table = self._normalizer.table
        data, offsets = utf8(texts)
        logits = np.empty((len(texts), self._bias.size), np.float32)
        hard = np.zeros(len(texts), np.bool_)
        n = self._ngrams

        def work(start: int, end: int) -> None:
            kernels.score_rows(
                data, offsets, start, end, table, options, repeats,
                n.char_low, n.char_high, n.word_high, n.bits, self._table, self._scale, self._bias, logits, hard,
            )  # fmt: skip

        run_sliced(work, len(texts), SMALLEST_SLICE)
        return logits, hard
