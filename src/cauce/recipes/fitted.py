"""What a network's recipe gives back: a trained network, and what stands beside it in the folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from cauce.recipes import encoder, graph
from cauce.text.normalize import Normalizer
from cauce.text.spelling import Spelling


@dataclass(frozen=True)
class Fitted:
    """A trained network: what the folder's manifest says of it, and its files.

    Attributes:
        net: as `graph.write` takes it.
        tokenizer: its tokenizer.json.
        log: an entry for each evaluation.
        config: the encoder's configuration, its config.json; None where there is no encoder.
        stopped: Ctrl-C ended the training; the best so far is kept.

    """

    normalizer: Normalizer
    parameters: dict[str, Any]
    net: nn.Module
    tokenizer: bytes
    max_tokens: int
    log: list[dict[str, Any]]
    spelling: Spelling | None = None
    notes: tuple[str, ...] = ()
    config: bytes | None = None
    stopped: bool = False

    def save(self, folder: Path) -> list[str]:
        """Write tokenizer, configuration, graph and weights; returns the names of the files."""
        files = {encoder.TOKENIZER: self.tokenizer} | ({encoder.CONFIG: self.config} if self.config else {})
        for name, content in files.items():
            (folder / name).write_bytes(content)
        return [*files, *graph.write(self.net, folder), *([self.spelling.save(folder)] if self.spelling else [])]
