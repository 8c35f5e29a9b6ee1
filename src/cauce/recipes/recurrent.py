"""LSTM and GRU whose graph both engines can run: one call of PyTorch's, or one ONNX node, for each layer and direction.

The parameters lie in ONNX's layout, so that the graph reads them as they are stored. The backward direction is a forward one
over each row turned around within its own length: OpenVINO's own backward nodes read the padding, and PyTorch's packed
sequences take more than twice the time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

Kind = Literal["lstm", "gru"]
ORDER = {"lstm": (0, 2, 3, 1), "gru": (1, 0, 2)}  # where PyTorch's gates lie in ONNX's order: i o f c, and z r h
OPSET = 14  # of the two operators: none has changed since


class Recurrent(nn.Module):
    """Layers of LSTM or GRU over vectors (n, l, d) of which `mask` (n, l) says which are real; 0 where it is padding.

    Padding stands at the right. Its length and the other rows of a batch do not change a row's answer.

    Args:
        width: of the vectors that come in.
        hidden: of each direction; what comes out is (n, l, hidden), or twice as wide with both directions.
        between: applied to the vectors between two layers; a dropout.

    """

    def __init__(
        self,
        kind: Kind,
        width: int,
        hidden: int,
        *,
        layers: int = 1,
        both_ways: bool = True,
        between: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.kind, self.hidden, self.layers, self.ways = kind, hidden, layers, 2 if both_ways else 1
        self.between = between if between is not None else nn.Identity()
        self.width = hidden * self.ways
        gates, bound = len(ORDER[kind]), 1 / math.sqrt(hidden)
        for layer in range(layers):
            for way in range(self.ways):
                shapes = {
                    "W": (1, gates * hidden, width if layer == 0 else self.width),
                    "R": (1, gates * hidden, hidden),
                    "B": (1, 2 * gates * hidden),
                }
                for name, shape in shapes.items():
                    self.register_parameter(f"{name}{layer}_{way}", nn.Parameter(torch.empty(shape).uniform_(-bound, bound)))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """The hidden states of the last layer, (n, l, hidden * directions)."""
        lengths = mask.sum(1)
        x = x.transpose(0, 1)  # ONNX wants (l, n, d)
        place = torch.arange(x.shape[0], device=x.device)[:, None]
        turned = torch.where(place < lengths, lengths - 1 - place, place).unsqueeze(-1)

        def turn(y: Tensor) -> Tensor:
            return torch.gather(y, 0, turned.expand(-1, -1, y.shape[2]))

        run = self._node if torch.onnx.is_in_onnx_export() else self._call
        for layer in range(self.layers):
            x = self.between(x) if layer else x
            ways = [run(x, layer, 0), *(turn(run(turn(x), layer, way)) for way in range(1, self.ways))]
            x = torch.cat(ways, -1)
        return x.transpose(0, 1) * mask.unsqueeze(-1).to(x.dtype)

    def _part(self, name: str, layer: int, way: int) -> Tensor:
        part: Tensor = getattr(self, f"{name}{layer}_{way}")
        return part

    def _call(self, x: Tensor, layer: int, way: int) -> Tensor:
        """One direction of a layer over (l, n, d), from PyTorch."""
        w, r, b = (self._part(name, layer, way)[0] for name in "WRB")
        order, weights = ORDER[self.kind], []
        for part in (w, r, *b.chunk(2)):
            gates = part.chunk(len(order))
            weights.append(torch.cat([gates[place] for place in order]))
        start = x.new_zeros(1, x.shape[1], self.hidden)
        if self.kind == "lstm":
            return torch.lstm(x, (start, start), weights, True, 1, 0.0, self.training, False, False)[0]
        return torch.gru(x, start, weights, True, 1, 0.0, self.training, False, False)[0]

    def _node(self, x: Tensor, layer: int, way: int) -> Tensor:
        """The same as an ONNX node."""
        attributes: dict[str, Any] = {"hidden_size": self.hidden, "direction": "forward"}
        if self.kind == "gru":
            attributes["linear_before_reset"] = 1  # PyTorch's GRU
        parts = [self._part(name, layer, way) for name in "WRB"]
        shape = (x.shape[0], 1, x.shape[1], self.hidden)
        found: Tensor = torch.onnx.ops.symbolic(
            self.kind.upper(), [x, *parts], attrs=attributes, dtype=x.dtype, shape=shape, version=OPSET
        )
        return found.squeeze(1)
