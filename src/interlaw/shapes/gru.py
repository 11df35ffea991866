"""Closed-form counts of a stacked GRU read at its last step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from interlaw.shapes.shape import MOST_STACKED_ON_CPU, Shape


@dataclass(frozen=True, kw_only=True)
class GRUShape(Shape):
    """Sizes of `depth` GRU layers of `width` units and a linear readout, counted as `torch.nn.GRU` counts itself.

    With L = depth, d = width, i = input_size, o = output_size:
    params = 3 d (i + d + 2) + 3 (L - 1) d (2 d + 2) + (d + 1) o.

    Attributes:
        input_size: Numbers read at each step.
        output_size: Features read out at the last step.
        time: Steps of a sequence; holds no parameters.

    Example:
        >>> GRUShape(depth=2, width=64, input_size=1, output_size=64).params
        41984
    """

    family: ClassVar[str] = "gru"
    starter: ClassVar[str] = "gru-tiny.toml"
    stackable: ClassVar[bool] = True
    stacked_on_cpu: ClassVar[int] = MOST_STACKED_ON_CPU
    input_size: int = 1
    # as the task `sequences`, whose teacher has 64 units and whose sequences 80 steps
    output_size: int = 64
    time: int = 80

    @property
    def params_non_embedding(self) -> int:
        """The recurrent layers alone."""
        d = self.width
        return 3 * d * (self.input_size + d + 2) + 3 * (self.depth - 1) * d * (2 * d + 2)

    @property
    def params(self) -> int:
        """All weights and biases, the readout included."""
        return self.params_non_embedding + (self.width + 1) * self.output_size

    @property
    def flops_per_token(self) -> int:
        """Training FLOPs per sequence, 3 x the forward pass: every recurrent weight at every step, the readout once."""
        d = self.width
        recurrent = 3 * d * (self.input_size + d) + 3 * (self.depth - 1) * d * 2 * d
        return 6 * (self.time * recurrent + d * self.output_size)
