"""Regression on a random network of sines: bounded, as hard as one likes, judged against the target without noise.

The low-rank regression of arXiv 2605.27989 cannot order shapes once they are all at the noise of its labels, and
the heavy tails of its Hermite terms make one seed in three an outlier. Here the target is bounded and held-out
targets carry no noise, so that a loss goes down as long as the network gets better.

Legend: x in R^dim; W_1 (dim, hidden), W_k (hidden, hidden) and a (hidden,) random.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from interlaw.tasks.samples import Splits


def draw_splits(
    counts: Mapping[str, int], *, dim: int, hidden: int, layers: int, gain: float, noise: float, seed: int
) -> Splits:
    """The target and the points of each split, one stream of random numbers on the CPU whatever the device.

    Targets are scaled so that the training ones have standard deviation 1 before noise is added to them; held-out
    targets stay without noise, so the loss is the share of the variance that the network does not explain.
    """
    generator = torch.Generator().manual_seed(seed)
    matrices = draw_matrices(dim, hidden=hidden, layers=layers, gain=gain, generator=generator)
    last = torch.randn(hidden, generator=generator)
    points = {split: torch.randn(count, dim, generator=generator) for split, count in counts.items()}
    targets = {split: waves(x, matrices, last=last) for split, x in points.items()}
    scale = targets["train"].std(correction=0)
    targets = {split: y / scale for split, y in targets.items()}
    targets["train"] = targets["train"] + noise * torch.randn(counts["train"], generator=generator)
    return {split: (x, targets[split][:, None]) for split, x in points.items()}


def draw_matrices(dim: int, *, hidden: int, layers: int, gain: float, generator: torch.Generator) -> list[Tensor]:
    """Normal matrices whose products have variance gain^2 for x ~ N(0, I) and for sines of mean square 1/2."""
    # size and mean square of what each reads: points have one of 1, sines of arguments of order one near 1/2
    read = [(dim, 1.0), *[(hidden, 0.5)] * (layers - 1)]
    return [torch.randn(size, hidden, generator=generator) * gain / math.sqrt(size * square) for size, square in read]


def waves(x: Float[Tensor, "n dim"], matrices: Sequence[Tensor], *, last: Tensor) -> Float[Tensor, " n"]:
    """The target y = a . sin(W_k^T ... sin(W_1^T x)), before scaling.

    Example:
        >>> x = torch.tensor([[math.pi / 2, 0.0]])
        >>> waves(x, [torch.eye(2)], last=torch.tensor([3.0, 5.0])).tolist()
        [3.0]
    """
    h = x
    for matrix in matrices:
        h = torch.sin(h @ matrix)
    return h @ last
