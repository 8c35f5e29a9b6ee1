"""What the networks have in common in training: the contract of a net, and dropout that threads cannot disturb."""

from __future__ import annotations

import threading
from typing import Protocol

import torch
from torch import Tensor, nn

_here = threading.local()
LEVELS = 256  # a share is dropped in steps of 1/256: one random byte a value


class Net(Protocol):
    """Token ids and mask, both (n, l), to logits (n, k), pooled vectors (n, d) and hidden states (n, l, d)."""

    def __call__(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compute the three."""
        ...


class Dropout(nn.Module):
    """Dropout whose draws come from the generator of the shard at hand: other threads cannot move them.

    One random byte a value; PyTorch's own draws one value after the other from a generator that all threads share.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """`x` with a share `p` of its values 0 and the others larger by 1 / (1 - p); unchanged outside of training."""
        dropped = round(self.p * LEVELS)
        if not self.training or not dropped:
            return x
        draws = torch.empty(-(-x.numel() // 4), dtype=torch.int32, device=x.device)
        draws.random_(-(2**31), 2**31, generator=generator(x.device))
        kept = draws.view(torch.uint8)[: x.numel()].view(x.shape) >= dropped
        return x * kept.to(x.dtype).div_(1 - dropped / LEVELS)


def generator(device: torch.device) -> torch.Generator:
    """The generator of this thread."""
    made = getattr(_here, "generator", None)
    if made is None or made.device.type != device.type:
        made = _here.generator = torch.Generator(device)
    return made


def replace_dropout(net: nn.Module, p: float) -> None:
    """Put `Dropout` in the place of PyTorch's, with the share `p`."""
    for parent in list(net.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Dropout):
                setattr(parent, name, Dropout(p))


def mean_of_tokens(hidden: Tensor, attention_mask: Tensor) -> Tensor:
    """The mean of the hidden states (n, l, d) of real tokens, (n, d)."""
    real = attention_mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * real).sum(1) / real.sum(1).clamp(min=1)
