"""Regression on Gaussian vectors whose target depends on few directions, axis-aligned and not (arXiv 2605.27989).

Legend: x in R^dim; u, v, w unit vectors; A, B matrices (dim, 8) with unit columns; He2, He4 Hermite polynomials.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from interlaw.tasks.samples import Splits

RANK = 8  # products in the mixed term
NOISE = 0.03  # standard deviation of the labels' noise, beside a target of about 1


def draw_splits(counts: Mapping[str, int], *, dim: int, variant: str, seed: int) -> Splits:
    """Directions and the points of each split, one stream of random numbers on the CPU whatever the device."""
    generator = torch.Generator().manual_seed(seed)
    directions = draw_directions(dim, generator=generator)
    splits = {}
    for split, count in counts.items():
        x = torch.randn(count, dim, generator=generator)
        noise = NOISE * torch.randn(count, generator=generator)
        splits[split] = (x, (target(x, directions, variant=variant) + noise)[:, None])
    return splits


class Directions(NamedTuple):
    """What the target reads of x."""

    u: Float[Tensor, " dim"]  # of He2
    v: Float[Tensor, " dim"]  # of He4
    w: Float[Tensor, " dim"]  # of the sine
    A: Float[Tensor, "dim rank"]  # left factors of the mixed products
    B: Float[Tensor, "dim rank"]  # right factors
    mix: Float[Tensor, " rank"]  # weights of the products


def draw_directions(dim: int, *, generator: torch.Generator) -> Directions:
    """Directions uniform on the sphere and standard normal weights."""
    u, v, w = (F.normalize(torch.randn(dim, generator=generator), dim=0) for _ in range(3))
    A, B = (F.normalize(torch.randn(dim, RANK, generator=generator), dim=0) for _ in range(2))
    return Directions(u, v, w, A, B, mix=torch.randn(RANK, generator=generator))


def target(x: Float[Tensor, "n dim"], directions: Directions, *, variant: str = "full") -> Float[Tensor, " n"]:
    """The noiseless target.

    y = .55 x_0 x_1 + .55 (.8 He2(u.x) + .35 He4(v.x)) + .35 sum_k mix_k (A_k.x)(B_k.x) / sqrt 8 + .05 sin(2 w.x),
    He2 = z^2 - 1, He4 = z^4 - 6 z^2 + 3.

    Args:
        x: Points.
        directions: What is read of them.
        variant: `product` keeps the first term, `hermite` the second, `full` all.
    """
    # the weights of the formula above, which are the paper's
    product = 0.55 * x[:, 0] * x[:, 1]
    along_u, along_v = x @ directions.u, x @ directions.v
    hermite = 0.55 * (0.8 * (along_u**2 - 1) + 0.35 * (along_v**4 - 6 * along_v**2 + 3))
    if variant == "product":
        return product
    if variant == "hermite":
        return hermite
    mixed = ((x @ directions.A) * (x @ directions.B)) @ directions.mix / math.sqrt(RANK)
    return product + hermite + 0.35 * mixed + 0.05 * torch.sin(2 * (x @ directions.w))
