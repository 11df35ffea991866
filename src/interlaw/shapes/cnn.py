"""Closed-form counts of the residual convolutional denoiser of arXiv 2605.27989."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from interlaw.shapes.shape import Shape

_KERNEL = 9  # 3 x 3
MOST_GROUPS = 8  # of a normalisation. Judgement: from a width of 16 on each has at least two channels


@dataclass(frozen=True, kw_only=True)
class CNNShape(Shape):
    """Sizes of a stem, `depth` blocks of two 3 x 3 convolutions with GroupNorm, a last norm and convolution.

    With L = depth, d = width, c = channels (the mask is one more input channel):
    params = 9 (c + 1) d + d + L (18 d^2 + 6 d) + 2 d + 9 d c + c.

    Attributes:
        channels: Channels of an image.
        image_size: Pixels along a side.
        supervised: Pixels of an image on which the error is taken.

    Example:
        >>> CNNShape(depth=2, width=16).params
        10467
    """

    family: ClassVar[str] = "cnn"
    starter: ClassVar[str] = "cnn-tiny.toml"
    stackable: ClassVar[bool] = True
    # of the task `images`: 32 x 32 RGB, 42 of 64 patches of 16 pixels masked
    channels: int = 3
    image_size: int = 32
    supervised: int = 672

    @property
    def num_groups(self) -> int:
        """Groups of a GroupNorm: the largest divisor of the width up to 8."""
        return max(groups for groups in range(1, MOST_GROUPS + 1) if self.width % groups == 0)

    @property
    def params_non_embedding(self) -> int:
        """The blocks alone: L (18 d^2 + 6 d)."""
        return self.depth * (2 * _KERNEL * self.width * self.width + 6 * self.width)

    @property
    def params(self) -> int:
        """All weights and biases, stem, last norm and last convolution included."""
        d, c = self.width, self.channels
        return self.params_non_embedding + _KERNEL * (c + 1) * d + d + 2 * d + _KERNEL * d * c + c

    @property
    def flops_per_token(self) -> int:
        """Training FLOPs per supervised pixel, 3 x the forward pass over the whole image, its convolutions alone."""
        d = self.width
        weights = _KERNEL * d * (2 * self.depth * d + 2 * self.channels + 1)
        return 6 * weights * self.image_size**2 // self.supervised
