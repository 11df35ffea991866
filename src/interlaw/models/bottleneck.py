"""The double-descent toy of arXiv 2605.27989: y = relu(x W^T W + b), W tied and very wide."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from interlaw.shapes import BottleneckShape


class Bottleneck(nn.Module):
    """Reconstructs its input through `width` numbers; see `BottleneckShape`.

    Args:
        shape: The sizes.
        generator: Source of the initial W, normal with variance 2 / (width + input_size) (Glorot & Bengio 2010);
            b starts at zero.
    """

    def __init__(self, shape: BottleneckShape, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.shape = shape
        self.weight = nn.Parameter(torch.empty(shape.width, shape.input_size))
        self.bias = nn.Parameter(torch.zeros(shape.input_size))
        nn.init.xavier_normal_(self.weight, generator=generator)

    def forward(self, x: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch inputs"]:
        """The reconstruction."""
        return (x @ self.weight.T @ self.weight + self.bias).relu()
