"""Closed-form counts of the other networks: residual MLP and CNN of arXiv 2605.27989, stacked GRU, tied bottleneck."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from interlaw.errors import InterlawError
from interlaw.shapes.shape import MOST_STACKED_ON_CPU, Shape

_KERNEL = 9  # 3 x 3
MOST_GROUPS = 8  # of a normalisation. Judgement: from a width of 16 on each has at least two channels


@dataclass(frozen=True, kw_only=True)
class MLPShape(Shape):
    """Sizes of a residual MLP: an input layer, `depth` blocks of two width x width layers, an output layer; all biased.

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
    network = "interlaw.models:MLP"
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


@dataclass(frozen=True, kw_only=True)
class CNNShape(Shape):
    """Sizes of a denoiser: stem, `depth` blocks of two 3 x 3 convolutions with GroupNorm, last norm and convolution.

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
    network = "interlaw.models:CNN"
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
    network = "interlaw.models:GRU"
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


@dataclass(frozen=True, kw_only=True)
class BottleneckShape(Shape):
    """Sizes of one tied bottleneck y = relu(x W^T W + b) of arXiv 2209.10652: W is width x input_size.

    Attributes:
        depth: 1, the one bottleneck.
        input_size: Coordinates of the input and of the output.

    Example:
        >>> BottleneckShape(depth=1, width=2, input_size=1000).params
        3000
    """

    family: ClassVar[str] = "bottleneck"
    network = "interlaw.models:Bottleneck"
    input_size: int = 1000  # as the paper's double descent

    def __post_init__(self) -> None:
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
