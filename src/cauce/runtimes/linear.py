"""The linear runtime: one pass from Arrow's bytes to logits. Weights of hashed n-grams are added up as they are hashed.

    logit_k = bias_k + (sum over n-grams of g * w_k) / sqrt(sum over n-grams of g ** 2) + sum over cells of w_k

Several texts of a row are read as one, a line feed between them. Columns that are not text give the cells: see `cells.py`.

A repeated n-gram counts each time, so both sums are made in one streaming pass. g, the gain of an n-gram, says how much it
tells (see `recipes/features.py`); one that training did not see has no weight and no gain. g * w_k and g ** 2 are 16-bit
whole numbers, each column with its own scale: half the memory that 32-bit floats would read, and sums that are exact on any
machine. The rows are independent: a batch cannot change an answer.
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
from cauce.runtimes.cells import Cells, Tensors
from cauce.text import hashing, kernels
from cauce.text.buffers import joined, utf8
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
            inputs=tuple((one["name"], one["type"]) for one in manifest["inputs"]),
            tensors=load_file(folder / WEIGHTS),
        )
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, IndexError) as error:
        raise NotAModel(
            f"the folder is not that of a linear model: {error}", where=str(folder), hint="train it again with this Cauce"
        ) from None


@dataclass(frozen=True)
class Rows:
    """Texts as they came (the kernel reads Arrow's buffers), and the cells of the other columns, (n, columns)."""

    texts: pa.Array | None
    cells: npt.NDArray[np.int64]

    @property
    def cost(self) -> npt.NDArray[np.int32]:
        """Bytes of each row's texts, (n,); of a table 1."""
        if self.texts is None:
            return np.ones(len(self.cells), np.int32)
        return np.diff(utf8(self.texts)[1]).astype(np.int32)

    @property
    def truncated(self) -> npt.NDArray[np.bool_]:
        """Nothing is ever cut here, (n,)."""
        return np.zeros(len(self.cells), np.bool_)

    def take(self, index: npt.NDArray[np.int64]) -> Rows:
        """The rows at these places."""
        return Rows(None if self.texts is None else self.texts.take(pa.array(index)), self.cells[index])


class Linear:
    """A linear model over hashed n-grams and cells.

    Args:
        inputs: name and type of each column.
        tensors: bias (labels,) float32, beside
            of texts: buckets (m,) int32 that have weights; weights (m, labels + 1) int16, g * w of each label, then
            g ** 2; scale (labels + 1,) float32, what one unit of each column is worth;
            of other columns: cells (c, labels) float32, and what `cells.learn` made.
        spelling: corrects the normalized texts; None where the normalizer does not ask for it.

    """

    batching: Batching = "free"
    batch_cost: int | None = None

    def __init__(
        self,
        *,
        normalizer: Normalizer,
        ngrams: Ngrams,
        inputs: tuple[tuple[str, str], ...],
        tensors: Tensors,
        spelling: Spelling | None = None,
    ) -> None:
        self._normalizer, self._ngrams, self._bias = normalizer, ngrams, tensors["bias"]
        self._spelling = spelling
        self._names = [name for name, kind in inputs if kind != "text"]
        self._texts = [i for i, (_, kind) in enumerate(inputs) if kind == "text"]
        if self._texts:
            weights, self._scale = tensors["weights"], tensors["scale"]
            width = -(-weights.shape[1] // 4) * 4  # a row of the table is whole SIMD registers
            self._table = np.zeros((2**ngrams.bits, width), np.int16)
            self._table[tensors["buckets"], : weights.shape[1]] = weights
        self._cells = Cells(tuple(kind for _, kind in inputs), tensors)
        if self._names:
            self._cell_weights = tensors["cells"]
            if len(self._cell_weights) != self._cells.size:
                raise ValueError(f"{len(self._cell_weights)} cells have weights, there are {self._cells.size}")

    def encode(self, rows: pa.RecordBatch) -> Rows:
        """The texts untouched, the other columns as cells."""
        texts = joined([rows.column(i) for i in self._texts]) if self._texts else None
        return Rows(texts, self._cells.places(rows))

    def forward(self, encoded: Rows, output: Output = "logits") -> npt.NDArray[np.float32]:
        """Logits, float32 (n, labels)."""
        texts, rows = encoded.texts, len(encoded.cells)
        logits = np.tile(self._bias, (rows, 1)) if texts is None else self._of_texts(texts)
        for j in range(len(self._cells)):
            logits += self._cell_weights[encoded.cells[:, j]]
        return logits

    def warm_up(self) -> None:
        """Load or compile the kernels."""
        if self._texts:
            self._score(pa.array(["warm"]), self._normalizer.options)

    def explain(self, rows: pa.RecordBatch) -> tuple[list[tuple[str, npt.NDArray[np.float64]]], npt.NDArray[np.float64]]:
        """What each word of the normalized texts adds to each logit, then each other column. With the bias they add up.

        An n-gram's weight is shared out evenly over its characters that are not spaces.
        """
        pieces = self._explain_text(joined([rows.column(i) for i in self._texts])[0].as_py()) if self._texts else []
        if self._names:
            values = [rows.column(name)[0].as_py() for name in self._names]
            found = self._cell_weights[self._cells.places(rows)[0]].astype(np.float64)
            pieces += [(f"{name}={value}", shares) for name, value, shares in zip(self._names, values, found, strict=True)]
        return pieces, self._bias.astype(np.float64)

    def _explain_text(self, text: str) -> list[tuple[str, npt.NDArray[np.float64]]]:
        labels = self._bias.size
        text = self._normalizer.reference(text)
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
        return words

    def _of_texts(self, texts: pa.Array) -> npt.NDArray[np.float32]:
        """Bias and n-grams of each text, (n, labels)."""
        if self._spelling is not None:
            corrected = self._spelling.apply(self._normalizer.apply(texts))
            return self._score(corrected, kernels.PREPARED, repeats=0)[0]  # as it is: normalized once
        logits, hard = self._score(texts, self._normalizer.options)
        if np.count_nonzero(hard):
            left = texts.filter(pa.array(hard)).to_pylist()
            prepared = pa.array([self._normalizer.prepare(text) for text in left], pa.large_string())
            logits[hard] = self._score(prepared, self._normalizer.options | kernels.PREPARED)[0]
        return logits

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
            hashing.score_rows(
                data, offsets, start, end, table, options, repeats,
                n.char_low, n.char_high, n.word_high, n.bits, self._table, self._scale, self._bias, logits, hard,
            )  # fmt: skip

        run_sliced(work, len(texts), SMALLEST_SLICE)
        return logits, hard
