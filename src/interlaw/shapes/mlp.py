"""Closed-form counts of the residual MLP of arXiv 2605.27989: square layers in pairs, biases everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from interlaw.shapes.shape import MOST_STACKED_ON_CPU, Shape


@dataclass(frozen=True, kw_only=True)
class MLPShape(Shape):
    """Sizes of a residual MLP: an input layer, `depth` blocks of two width x width layers, an output layer.

    With L = depth, d = width, i = input_size, o = output_size:
    params = 2 L (d^2 + d) + (i + 1) d + (d + 1) o.

    Attributes:
        input_size: Coordinates of the input.
        output_size: Outputs.

    Example:
        >>> MLPShape(depth=2, width=8, input_size=64, output_size=1).params
        817
    """

    family: ClassVar[str] = "mlp"
    starter: ClassVar[str] = "mlp-tiny.toml"
    stackable: ClassVar[bool] = True
    stacked_on_cpu: ClassVar[int] = MOST_STACKED_ON_CPU
    input_size: int = 64  # as the paper's MLP scan
    output_size: int = 1

    @property
    def params_non_embedding(self) -> int:
        """The blocks alone: 2 L (d^2 + d)."""
        return 2 * self.depth * (self.width * self.width + self.width)

    @property
    def params(self) -> int:
        """All weights and biases, input and output layer included."""
        return self.params_non_embedding + (self.input_size + 1) * self.width + (self.width + 1) * self.output_size

    @property
    def flops_per_token(self) -> int:
        """Training FLOPs per sample, 3 x the forward pass: two for each weight of a matrix."""
        matrices = 2 * self.depth * self.width * self.width + (self.input_size + self.output_size) * self.width
        return 6 * matrices
