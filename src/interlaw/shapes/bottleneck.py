"""Closed-form counts of the tied bottleneck y = relu(x W^T W + b) of arXiv 2209.10652."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from interlaw.errors import InterlawError
from interlaw.shapes.shape import Shape


@dataclass(frozen=True, kw_only=True)
class BottleneckShape(Shape):
    """Sizes of one tied bottleneck: W is width x input_size, and each input has a bias at the output.

    Attributes:
        depth: 1, the one bottleneck.
        input_size: Coordinates of the input and of the output.

    Example:
        >>> BottleneckShape(depth=1, width=2, input_size=1000).params
        3000
    """

    family: ClassVar[str] = "bottleneck"
    input_size: int = 1000  # as the paper's double descent

    def __post_init__(self) -> None:
        """There is one bottleneck."""
        super().__post_init__()
        if self.depth != 1:
            raise InterlawError(f"expected depth 1 for a bottleneck, found {self.depth}; choose 1")

    @property
    def params(self) -> int:
        """W and b: width x input_size + input_size."""
        return (self.width + 1) * self.input_size

    @property
    def params_non_embedding(self) -> int:
        """All of them: there is no embedding beside the bottleneck."""
        return self.params

    @property
    def flops_per_token(self) -> int:
        """Training FLOPs per sample, 3 x the forward pass, which uses W twice; sparsity is not counted."""
        return 3 * 4 * self.width * self.input_size
