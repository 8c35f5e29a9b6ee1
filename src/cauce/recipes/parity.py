"""The proof that an exported graph answers as its network does, for every shape and the oddest texts.

It is made once, when the files are written, and kept as `evidence/parity.json`; a graph that fails it is no model.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cauce.errors import ParityFailed, need
from cauce.model import folder as model_folder
from cauce.model.golden import HARD_TEXTS
from cauce.recipes.graph import GRAPH, INPUTS, OUTPUTS
from cauce.text.tokenize import Tokenizer

if TYPE_CHECKING:
    from torch import nn

FILE = "parity.json"
TOLERANCE = 1e-4  # of a value, or of its share over 1
BATCHES, FEW = (1, 7), 3  # rows; tokens that are added to see whether padding matters
TEXTS = {
    "an empty text": [""],
    "texts of unknown characters": ["\U00012000\U00012001 \U0001680d", "\ue000"],  # cuneiform, Bamum, and nobody's
    "texts of emoji": ["😍😍😍", "👍🏽", "👨‍👩‍👧", "❤️ vs ❤"],
    "hard texts": [text for text in HARD_TEXTS if len(text) < 100],  # the cases of full length hold for the long one
}

Ids = npt.NDArray[np.int64]
Answers = dict[str, npt.NDArray[np.float32]]  # logits (n, k), pooled (n, d), hidden (n, l, d)


def prove(net: nn.Module, folder: Path, max_tokens: int) -> dict[str, Any]:
    """Hold the graph in `folder`, run by onnxruntime, against the network it was made from: the largest difference by case.

    Raises:
        ParityFailed: a case differs by more than `TOLERANCE`, or an answer is not a number.
        MissingExtra

    """
    torch = need("torch", extra="train", what="the proof of an export")
    library = need("onnxruntime", extra="onnx", what="the proof of an export")
    options = library.SessionOptions()
    options.log_severity_level = 4
    session = library.InferenceSession(str(folder / GRAPH), options, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_outputs()]

    def engine(ids: Ids, mask: Ids) -> Answers:
        return dict(zip(names, session.run(names, dict(zip(INPUTS, (ids, mask), strict=True))), strict=True))

    def network(ids: Ids, mask: Ids) -> Answers:
        with torch.inference_mode():
            found = net(torch.from_numpy(ids), torch.from_numpy(mask))
        return {name: one.numpy() for name, one in zip(OUTPUTS, found, strict=True) if one is not None}

    was, cases = net.training, {}
    net.eval()
    try:
        for name, ids, mask in _cases(Tokenizer.open(folder / "tokenizer.json", max_tokens), max_tokens):
            answers = engine(ids, mask)
            cases[name] = _differences(answers, network(ids, mask), mask)
            if name in TEXTS:
                alone = [engine(ids[row : row + 1, :size], mask[row : row + 1, :size]) for row, size in enumerate(mask.sum(1))]
                cases[f"{name}, each alone"] = _worst(
                    _differences(one, _rows(answers, row, one), mask[row : row + 1, : one["hidden"].shape[1]])
                    for row, one in enumerate(alone)
                )
                ids, mask = (np.pad(part, ((0, 0), (0, FEW))) for part in (ids, mask))
                if ids.shape[1] <= max_tokens:
                    padded = engine(ids, mask)
                    cases[f"{name}, {FEW} tokens of padding more"] = _differences(
                        _rows(padded, None, answers), answers, mask[:, :-FEW]
                    )
    finally:
        net.train(was)
    worst = {name: max(found.values()) for name, found in cases.items()}
    for name, value in worst.items():
        if not value <= TOLERANCE:
            raise ParityFailed(
                f"the exported graph and the network differ by {value:.2g} on {name}; allowed is {TOLERANCE:g}",
                where=str(folder),
                hint="the network cannot be exported faithfully with these versions of torch and onnxruntime; please report it",
            )
    return {
        "tolerance": TOLERANCE,
        "worst": max(worst.values()),
        "versions": {package: version(package) for package in ("torch", "onnxscript", "onnxruntime")},
        "cases": cases,
    }


def write(proof: dict[str, Any], room: Path) -> None:
    """Write the proof into the model's evidence."""
    evidence = room / model_folder.EVIDENCE
    evidence.mkdir(exist_ok=True)
    (evidence / FILE).write_text(json.dumps(proof, indent=2) + "\n", encoding="utf-8")


def _cases(tokenizer: Tokenizer, max_tokens: int) -> Iterator[tuple[str, Ids, Ids]]:
    """Name, ids and mask (n, l) of each case. In a batch all rows but the first are shorter than the longest."""
    random = np.random.default_rng(0)
    for rows in BATCHES:
        for length in sorted({1, min(2, max_tokens), max_tokens}):
            ids = random.integers(0, tokenizer.size, (rows, length))
            sizes = np.array([length, *random.integers(1, length + 1, rows - 1)])
            mask = (np.arange(length) < sizes[:, None]).astype(np.int64)
            ids[mask == 0] = tokenizer.pad_id
            yield f"batch {rows}, length {length}", ids, mask
    for name, texts in TEXTS.items():
        yield name, *tokenizer.encode(pa.array(texts)).padded()


def _differences(found: Answers, wanted: Answers, mask: Ids) -> dict[str, float]:
    """The largest difference of each output, as a share of the value where that is over 1; inf where one is not a number."""
    worst = {}
    for name, value in wanted.items():
        real = mask.astype(np.bool_) if name == "hidden" else slice(None)
        gap = np.abs(found[name][real] - value[real]) / np.maximum(np.abs(value[real]), 1)
        worst[name] = float(np.nan_to_num(gap, nan=np.inf).max(initial=0))
    return worst


def _rows(answers: Answers, row: int | None, like: Answers) -> Answers:
    """Of answers to a batch a row's, or all rows', cut to the tokens that `like` has."""
    part = slice(None) if row is None else slice(row, row + 1)
    length = like["hidden"].shape[1]
    return {name: value[part, :length] if name == "hidden" else value[part] for name, value in answers.items()}


def _worst(found: Iterator[dict[str, float]]) -> dict[str, float]:
    every = list(found)
    return {name: max(one[name] for one in every) for name in every[0]}
