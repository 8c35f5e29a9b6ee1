"""What the runtimes over subword tokens share: normalizer, tokenizer, and an engine's sessions behind them.

A call runs on the thread that makes it: one thread a call, and `model/batching.py` makes as many calls as there are threads.
So no call waits for another one's slowest part. A text that comes alone would leave the other threads idle; after `warm_up` it
has a session of its own with all threads, if that was measured to be faster. The answer is the same: threads divide the rows
and columns of a product, not its sums.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cauce.errors import NotAModel
from cauce.runtimes.base import Batching, Output
from cauce.text.buffers import joined
from cauce.text.normalize import Normalizer
from cauce.text.spelling import Spelling
from cauce.text.threads import at_hand, threads
from cauce.text.tokenize import Tokenizer, Tokens

TOKENIZER = "tokenizer.json"
AGAIN = "train or import the model again with this Cauce"
INPUTS = ("input_ids", "attention_mask")

BATCH_COST = 512  # padded tokens, before warm-up has measured: near the best of every encoder that was tried
SIZES = (128, 256, 512, 1024, 2048)  # padded tokens that warm-up tries, in rows of ROW tokens
ROW = 32
ENOUGH = 0.97  # of the best rate: a smaller call that reaches it is taken, since it shares out better
SECONDS = 0.4  # that warm-up measures, at most one call longer
WIDE_GAIN = 1.15  # how many times faster a lone text has to be with all threads

Ids = npt.NDArray[np.int64]


class Session(Protocol):
    """A graph in an engine. Called from several threads; releases the GIL.

    Attributes:
        inputs, outputs: the names of the graph.

    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def run(self, ids: Ids, mask: Ids, output: str) -> npt.NDArray[np.float32]:
        """One output of the graph for ids and mask, each (n, l)."""
        ...


class Files:
    """The files of a variant: in its own folder, and what is not there in the model's.

    Attributes:
        manifest: `cauce.json`.
        variant: `variant.json`; empty for the variant that the model was written with.

    """

    def __init__(self, folder: Path, variant: str) -> None:
        self.folder = folder
        self._own = folder / "variants" / variant
        self.manifest: dict[str, Any] = json.loads((folder / "cauce.json").read_bytes())
        described = self._own / "variant.json"
        self.variant: dict[str, Any] = json.loads(described.read_bytes()) if described.is_file() else {}

    def find(self, *names: str) -> Path:
        """The first of these files that is there: in the variant's folder, then in the model's.

        Raises:
            NotAModel: none is.

        """
        for place in (self._own, self.folder) if self.variant else (self.folder,):
            for name in names:
                if (place / name).is_file():
                    return place / name
        raise NotAModel(f"there is no {' or '.join(names)}", where=str(self.folder), hint="copy the folder again")


class TokenRuntime:
    """Texts to logits or vectors by way of tokens.

    Args:
        files: of the model.
        connect: opens the graph with so many threads for one call.

    Attributes:
        width: numbers of a vector.

    Raises:
        NotAModel: graph, tokenizer and labels do not fit together.
        MissingExtra: a package that the model needs is not installed.

    """

    def __init__(self, files: Files, connect: Callable[[int], Session]) -> None:
        manifest, where = files.manifest, str(files.folder)
        kinds = {one["type"] for one in manifest["inputs"]}
        if kinds != {"text"}:
            raise NotAModel(
                f"the model reads columns of {', '.join(sorted(kinds))}",
                where=where,
                hint="a model that reads tokens reads texts alone",
            )
        try:
            self._normalizer = None if manifest["normalizer"] is None else Normalizer(**manifest["normalizer"])
            self._spelling = Spelling.open(files.folder) if self._normalizer and self._normalizer.spelling else None
            max_tokens: int = manifest["limits"]["max_tokens"]
        except (OSError, KeyError, ValueError) as error:
            raise NotAModel(f"the folder is not that of a model that reads tokens: {error}", where=where, hint=AGAIN) from None
        self.batching: Batching = files.variant.get("batching", "free")
        self.batch_cost: int | None = BATCH_COST
        self._tokenizer = Tokenizer.open(files.find(TOKENIZER), max_tokens)
        self._connect = connect
        self._session = connect(1)
        self._wide: Session | None = None
        self._running, self._lock = 0, Lock()
        self.width = self._check(manifest, where)

    def encode(self, rows: pa.RecordBatch) -> Tokens:
        """The tokens of the rows' texts; several texts of a row are read as one, a line feed between them."""
        texts = joined(rows.columns)
        if self._normalizer is not None:
            texts = self._normalizer.apply(texts)
        if self._spelling is not None:
            texts = self._spelling.apply(texts)
        return self._tokenizer.encode(texts)

    def forward(self, encoded: Tokens, output: Output = "logits") -> npt.NDArray[np.float32]:
        """See `cauce.runtimes.base.Runtime`. Special tokens have vectors too."""
        ids, mask = encoded.padded()
        with self._lock:
            lone = self._wide if len(ids) == 1 and not self._running and at_hand() > 1 else None
            self._running += 1
        try:
            found = (lone or self._session).run(ids, mask, output)
        finally:
            with self._lock:
                self._running -= 1
        return found[mask.astype(np.bool_)] if output == "hidden" else found

    def warm_up(self) -> None:
        """Measure which size of a call is fastest, and whether a lone text gains by all threads. Takes about a second."""
        self._run(self._session, 1)
        if self.batching == "free":
            self.batch_cost = self._fitted()
        if threads() > 1 and self._wide is None:
            wide = self._connect(threads())
            narrow, broad = (statistics.median(self._run(one, 1) for _ in range(5)) for one in (self._session, wide))
            self._wide = wide if narrow >= WIDE_GAIN * broad else None

    def _fitted(self) -> int:
        rates: dict[int, float] = {}
        end = time.perf_counter() + SECONDS
        for size in SIZES:
            self._run(self._session, size // ROW)  # allocates
            rates[size] = size / min(self._run(self._session, size // ROW) for _ in range(2))
            if time.perf_counter() > end:
                break
        return next(size for size, rate in rates.items() if rate >= ENOUGH * max(rates.values()))

    def _run(self, session: Session, rows: int) -> float:
        """Seconds of a call of so many rows."""
        ids = np.zeros((rows, ROW), np.int64)
        start = time.perf_counter()
        session.run(ids, np.ones_like(ids), "pooled")
        return time.perf_counter() - start

    def _check(self, manifest: dict[str, Any], where: str) -> int:
        """The width of a vector. Refuses a graph of other inputs, outputs or labels, or of a smaller vocabulary."""
        graph, labels = self._session, len(manifest["labels"])
        wanted = ("pooled", "hidden") if manifest["task"] == "embedding" else ("logits", "pooled", "hidden")
        if set(graph.inputs) != set(INPUTS) or not set(wanted) <= set(graph.outputs):
            raise NotAModel(
                f"the graph has the inputs {', '.join(graph.inputs)} and the outputs {', '.join(graph.outputs)}; "
                f"needed are {', '.join(INPUTS)} and {', '.join(wanted)}",
                where=where,
                hint=AGAIN,
            )
        last = np.array([[self._tokenizer.size - 1]], np.int64)
        try:
            shapes = {output: graph.run(last, np.ones_like(last), output).shape for output in wanted}
        except Exception as error:  # noqa: BLE001  (an engine may fail in any way)
            raise NotAModel(
                f"the graph fails on a text of one token, the vocabulary's last: {str(error)[:200]}", where=where, hint=AGAIN
            ) from None
        width = shapes["pooled"][-1]
        expected = {"logits": (1, labels), "pooled": (1, width), "hidden": (1, 1, width)}
        for output, shape in shapes.items():
            if shape != expected[output]:
                raise NotAModel(
                    f"for one token the graph gives {output} of the shape {shape}; the model has {labels} labels",
                    where=where,
                    hint=AGAIN,
                )
        return int(width)
