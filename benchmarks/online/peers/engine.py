"""What every peer computes: a text's label and score, by the same graph and tokenizer, one row a call on one thread."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import onnxruntime
import tokenizers

FOLDER = Path(os.environ["PEER_MODEL"])


class Engine:
    """The model, opened."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        graph = next(path for path in (FOLDER / "variants" / "int8" / "model.onnx", FOLDER / "model.onnx") if path.exists())
        self.session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        self.tokenizer = tokenizers.Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
        manifest = json.loads((FOLDER / "cauce.json").read_bytes())
        self.tokenizer.enable_truncation(manifest["limits"]["max_tokens"])
        self.tokenizer.no_padding()
        self.labels = manifest["labels"]

    def __call__(self, text: str) -> dict[str, object]:
        """The best label and its probability."""
        ids = np.array([self.tokenizer.encode(text).ids], np.int64)
        logits = self.session.run(["logits"], {"input_ids": ids, "attention_mask": np.ones_like(ids)})[0][0]
        shares = np.exp(logits - logits.max())
        best = int(shares.argmax())
        return {"label": self.labels[best], "score": float(shares[best] / shares.sum())}
