"""The residual convolutional denoiser of arXiv 2605.27989's masked-patch scan."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from interlaw.models.roles import Roles
from interlaw.shapes import CNNShape


class CNNBlock(nn.Module):
    """x + conv(gelu(gn(conv(gelu(gn x))))) / sqrt 2."""

    def __init__(self, shape: CNNShape) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(shape.num_groups, shape.width)
        # 3 x 3, as `CNNShape` counts them
        self.conv1 = nn.Conv2d(shape.width, shape.width, 3, padding=1)
        self.norm2 = nn.GroupNorm(shape.num_groups, shape.width)
        self.conv2 = nn.Conv2d(shape.width, shape.width, 3, padding=1)

    def forward(self, x: Float[Tensor, "batch width rows columns"]) -> Float[Tensor, "batch width rows columns"]:
        """One residual block."""
        inner: Tensor = self.conv2(F.gelu(self.norm2(self.conv1(F.gelu(self.norm1(x))))))
        return x + inner / math.sqrt(2)


class CNN(nn.Module):
    """Stem, residual blocks, last norm and convolution; see `CNNShape` for its sizes and counts.

    Convolutions start normal with variance 2 / fan-in (He et al. 2015, arXiv 1502.01852), biases at zero.

    Args:
        shape: The sizes.
        generator: Source of the initial weights.
    """

    roles = Roles(inputs=("stem",), outputs=("leave",), writers=("conv2",), width_scaled=("hidden", "writer", "output"))

    def __init__(self, shape: CNNShape, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.shape = shape
        self.stem = nn.Conv2d(shape.channels + 1, shape.width, 3, padding=1)
        self.blocks = nn.ModuleList(CNNBlock(shape) for _ in range(shape.depth))
        self.norm = nn.GroupNorm(shape.num_groups, shape.width)
        self.leave = nn.Conv2d(shape.width, shape.channels, 3, padding=1)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 4:
                nn.init.kaiming_normal_(parameter, nonlinearity="relu", generator=generator)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, x: Float[Tensor, "batch inputs rows columns"]) -> Float[Tensor, "batch channels rows columns"]:
        """The restored images; the last input channel is the mask."""
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        out: Tensor = self.leave(self.norm(x))
        return out
