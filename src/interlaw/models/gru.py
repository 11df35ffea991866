"""A stacked GRU that maps a sequence to features read at its last step."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from interlaw.models.roles import Roles
from interlaw.shapes import GRUShape


class GRU(nn.Module):
    """`depth` layers of `width` units and a linear readout; see `GRUShape` for its sizes and counts.

    Weights and biases start uniform on +-1 / sqrt(width), torch's own choice for recurrent layers.

    Args:
        shape: The sizes.
        generator: Source of the initial weights.
    """

    roles = Roles(
        inputs=("layers.weight_ih_l0",), outputs=("readout",), writers=(), width_scaled=("input", "hidden", "output")
    )

    def __init__(self, shape: GRUShape, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.shape = shape
        self.layers = nn.GRU(shape.input_size, shape.width, num_layers=shape.depth, batch_first=True)
        self.readout = nn.Linear(shape.width, shape.output_size)
        bound = 1 / math.sqrt(shape.width)
        with torch.no_grad():
            for parameter in self.parameters():
                nn.init.uniform_(parameter, -bound, bound, generator=generator)

    def forward(self, x: Float[Tensor, "batch time inputs"]) -> Float[Tensor, "batch outputs"]:
        """Features of a batch of sequences."""
        states, _ = self.layers(x)
        out: Tensor = self.readout(states[:, -1])
        return out
