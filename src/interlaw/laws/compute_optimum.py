"""N*(C), D*(C), R*(C): the best size, data and ratio of a budget in training FLOPs, by one quadratic surface each.

Legend: n = log N, r = log R, both less their means; C = 6 N D FLOPs, so that D follows from N.

    log L = b0 + b1 n + b2 n^2 + b3 r + b4 r^2 + b5 n r        least at  [2 b2, b5; b5, 2 b4] (n, r) = -(b1, b3)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from interlaw.errors import InterlawError
from interlaw.laws.loss_curve import inflated
from interlaw.laws.rows import FloatArray
from interlaw.laws.settings import Settings
from interlaw.laws.surface import MOST_LEVERAGE, QUADRATIC, TAILS, design

FLOPS_PER_PARAM_AND_TOKEN = 6  # two forward, four backward (Kaplan et al. 2001.08361, section 2.1)


@dataclass(frozen=True, kw_only=True)
class ComputeOptimum:
    """The best shape of one budget in training FLOPs.

    Each of `params`, `tokens`, `ratio` is (value, low, high), with a 90% interval, or None unless `status` is
    `optimum`: the surface has a minimum, and the intervals of size and ratio are bounded inside the grid.

    Attributes:
        flops: C.
        params: N*(C).
        tokens: D*(C) = C / (6 N*).
        ratio: R*(C).
        status: `optimum`, `open`, `edge` or `too_few_shapes`.
        num_shapes: Shapes of the budget.
    """

    flops: float
    params: tuple[float, float, float] | None = None
    tokens: tuple[float, float, float] | None = None
    ratio: tuple[float, float, float] | None = None
    status: str
    num_shapes: int


def compute_optima(
    columns: Mapping[str, Any], *, num_bootstrap: int = Settings.num_bootstrap, seed: int = 0
) -> tuple[ComputeOptimum, ...]:
    """The best size, data and ratio of each budget in training FLOPs.

    Args:
        columns: `budget` (FLOPs of the whole training), `params`, `depth`, `width`, `loss`, one value a run.
        num_bootstrap: Wild bootstrap draws.
        seed: Of the draws.

    Raises:
        InterlawError: A column is missing.

    Source: the IsoFLOP profiles of Hoffmann et al. 2022 (arXiv 2203.15556, approach 2), with R beside N.
    """
    missing = [name for name in ("budget", "params", "depth", "width", "loss") if name not in columns]
    if missing:
        raise InterlawError(f"expected the column {missing[0]} in a table of FLOPs budgets, found none; add it")
    data = {name: np.asarray(columns[name], dtype=float) for name in ("budget", "params", "depth", "width", "loss")}
    n, r, y = np.log(data["params"]), np.log(data["depth"] / data["width"]), np.log(data["loss"])
    rng = np.random.default_rng(seed)
    return tuple(
        _optimum(float(flops), n=n[rows], r=r[rows], y=y[rows], num_bootstrap=num_bootstrap, rng=rng)
        for flops in np.unique(data["budget"])
        for rows in [data["budget"] == flops]
    )


def _optimum(
    flops: float, *, n: FloatArray, r: FloatArray, y: FloatArray, num_bootstrap: int, rng: np.random.Generator
) -> ComputeOptimum:
    shapes = len({(round(a, 9), round(b, 9)) for a, b in zip(n, r, strict=True)})  # the rest is rounding
    optimum = partial(ComputeOptimum, flops=flops, num_shapes=shapes)
    # three degrees of freedom, as a surface without budgets has, and three sizes and ratios, as a parabola needs
    if shapes < len(QUADRATIC) + 3 or min(len(np.unique(np.round(axis, 6))) for axis in (n, r)) < 3:
        return optimum(status="too_few_shapes")
    a, b = n - n.mean(), r - r.mean()
    X = design(a, b, form=QUADRATIC)
    solver = np.asarray(np.linalg.pinv(X), dtype=np.float64)
    residual, dof = y - X @ (solver @ y), len(y) - len(QUADRATIC)
    signs = rng.choice([-1.0, 1.0], size=(len(y), num_bootstrap))
    noise = (
        inflated(residual, X=X, solver=solver, most=MOST_LEVERAGE)[:, None]
        * signs
        * np.sqrt(dof / rng.chisquare(dof, num_bootstrap))
    )
    best = _least((solver @ y)[:, None])[:, 0]
    draws = _least((solver @ y)[:, None] + solver @ noise)
    spans = [(axis.min(), axis.max()) for axis in (a, b)]
    if not all(low < value < high for value, (low, high) in zip(best, spans, strict=True)):
        return optimum(status="edge")
    ends = np.quantile(draws, TAILS, axis=1)
    if not all(low < ends[0, i] and ends[1, i] < high for i, (low, high) in enumerate(spans)):
        return optimum(status="open")
    size, ratio = (
        tuple(float(np.exp(value + axis.mean())) for value in (best[i], ends[0, i], ends[1, i]))
        for i, axis in enumerate((n, r))
    )
    scale = flops / FLOPS_PER_PARAM_AND_TOKEN
    return optimum(
        params=(size[0], size[1], size[2]),
        tokens=(scale / size[0], scale / size[2], scale / size[1]),
        ratio=(ratio[0], ratio[1], ratio[2]),
        status="optimum",
    )


def _least(b: FloatArray) -> FloatArray:
    """(n, r) of the minimum of each column of coefficients; infinite where the surface has none."""
    determinant = 4 * b[2] * b[4] - b[5] ** 2
    bowl = (determinant > 0) & (b[2] > 0)
    safe = np.where(bowl, determinant, 1.0)
    n, r = (b[5] * b[3] - 2 * b[4] * b[1]) / safe, (b[5] * b[1] - 2 * b[2] * b[3]) / safe
    return np.where(bowl, np.stack([n, r]), np.inf)
