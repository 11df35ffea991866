"""The residual MLP of arXiv 2605.27989's depth scan."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from interlaw.models.roles import Roles
from interlaw.shapes import MLPShape

INIT_STD = 0.03  # as in the paper's scan


class MLPBlock(nn.Module):
    """x + fc2(gelu(fc1(gelu(x)))) / sqrt 2."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, width)
        self.fc2 = nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "... width"]) -> Float[Tensor, "... width"]:
        """One residual block."""
        inner: Tensor = self.fc2(F.gelu(self.fc1(F.gelu(x))))
        return x + inner / math.sqrt(2)


class MLP(nn.Module):
    """Input layer, residual blocks, output layer; see `MLPShape` for its sizes and counts.

    Args:
        shape: The sizes.
        generator: Source of the initial weights, normal with std `INIT_STD`; biases start at zero.
    """

    roles = Roles(inputs=("enter",), outputs=("leave",), writers=("fc2",))

    def __init__(self, shape: MLPShape, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.shape = shape
        self.enter = nn.Linear(shape.input_size, shape.width)
        self.blocks = nn.ModuleList(MLPBlock(shape.width) for _ in range(shape.depth))
        self.leave = nn.Linear(shape.width, shape.output_size)
        for parameter in self.parameters():
            if parameter.dim() == 2:
                nn.init.normal_(parameter, std=INIT_STD, generator=generator)
            else:
                nn.init.zeros_(parameter)

    def forward(self, x: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch outputs"]:
        """Outputs of a batch of vectors."""
        x = self.enter(x)
        for block in self.blocks:
            x = block(x)
        out: Tensor = self.leave(x)
        return out
