r"""R* from tables without equal budgets in parameters: log L as a smooth surface over log N and log R.

Legend: n = log N - log N0, r = log R - mean, t = log D beyond what follows from n; X design, W weights, b coefficients.

    log L = b0 + b1 n + b2 n^2 + b3 r + b4 r^2 + b5 n r  [+ b6 r^3 | + b6 n r^2]  [+ t, t^2, n t, r t]

Near one size (`surface_optima`) the three forms count alike: where they disagree, the interval is wider. A wild
bootstrap draws from each. In a budget of C = 6 N D training FLOPs (`compute_optima`) D follows from N, N0 is the mean,
and the quadratic is least at  [2 b2, b5; b5, 2 b4] (n, r) = -(b1, b3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from scipy import special

from interlaw.errors import InterlawError
from interlaw.laws.cells import REQUIRED, Columns, cells_of, numbers_of
from interlaw.laws.forms import OWN_TOKENS, own_tokens
from interlaw.laws.grouping import averages
from interlaw.laws.loss_curve import inflated
from interlaw.laws.rows import FloatArray
from interlaw.laws.settings import GRID_POINTS, HUBER_MULTIPLE, LEVEL, ROUNDING, TINY, Settings
from interlaw.laws.solve import median_scale

# Powers of (n, r): a quadratic, one that is lopsided, one whose curvature moves with size.
SIZE_ONLY = ((0, 0), (1, 0), (2, 0))
QUADRATIC = (*SIZE_ONLY, (0, 1), (0, 2), (1, 1))
FORMS = (QUADRATIC, (*QUADRATIC, (0, 3)), (*QUADRATIC, (1, 2)))
WINDOWS = (2.0, 3.0, 4.0)  # factors of N; the narrowest that holds enough shapes: a wider surface is no quadratic
MIN_SHAPES = 10  # three degrees of freedom beyond the largest form
MIN_RATIOS = 5  # a cubic and one degree of freedom
MOST_LEVERAGE = 0.99  # a residual is inflated tenfold at most: that of a shape which its own fit goes through is noise
TOKEN_TERMS = 4  # t, t^2, n t and r t of a design
FLOPS_PER_PARAM_AND_TOKEN = 6  # two forward, four backward (Kaplan et al. 2001.08361, section 2.1)
TAILS = (1 - Settings.confidence) / 2, (1 + Settings.confidence) / 2


@dataclass(frozen=True, kw_only=True)
class SurfaceOptimum:
    """R* at one size by the surface through the shapes near it.

    Attributes:
        params: N0.
        ratio: R*, or None unless `status` is `optimum`.
        low: Lower end of the 90% interval, which holds R* in 80% (docs/law.md); None where it is not bounded inside the
            grid.
        high: Upper end, likewise.
        status: `optimum`, `open`, `edge`, `flat` or `too_few_shapes`.
        log_stderr: Standard error of log R*, half the interval over the normal quantile; None without an optimum.
        curvature: kappa / L: log L = log L(R*) + curvature (log R - log R*)^2 near R*.
        rms: Residual standard deviation of log L, of the quadratic.
        num_shapes: Shapes in the window.
        window: Factor of N on either side that the window reaches.
    """

    params: float
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    status: str
    log_stderr: float | None = None
    curvature: float | None = None
    rms: float | None = None
    num_shapes: int
    window: float


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


@dataclass(frozen=True)
class Shapes:
    """One entry a shape: logs of N, R, loss, and of D where tokens vary on their own (else None)."""

    n: FloatArray
    r: FloatArray
    y: FloatArray
    t: FloatArray | None


def surface_optima(
    columns: Columns,
    *,
    sizes: Sequence[float] | None = None,
    num_bootstrap: int = Settings.num_bootstrap,
    seed: int = 0,
) -> tuple[SurfaceOptimum, ...]:
    """R* over a table's sizes.

    Args:
        columns: `params`, `depth`, `width`, `loss`, and `train_tokens` if known; one value a run that ended well.
        sizes: N0 to ask at; when not given, the sizes a factor of two apart that have shapes on both sides.
        num_bootstrap: Draws a form.
        seed: Of the draws.

    Raises:
        InterlawError: A column is missing or not numeric, or a size, shape or loss has no logarithm.

    Example:
        >>> import itertools
        >>> rows = list(itertools.product([2, 4, 8, 16, 32], [64, 96, 128, 192, 256]))
        >>> depth, width = np.array(rows, dtype=float).T
        >>> params = 12 * depth * width**2
        >>> loss = 3 * params**-0.1 * np.exp(0.01 * np.log(depth / width / 0.05) ** 2)
        >>> table = {"params": params, "depth": depth, "width": width, "loss": loss}
        >>> [round(one.ratio, 3) for one in surface_optima(table, sizes=[2e6])]
        [0.05]
    """
    shapes = read_shapes(columns)
    if sizes is None:
        low, high = shapes.n.min() + np.log(WINDOWS[0]), shapes.n.max() - np.log(WINDOWS[0])
        sizes = [float(np.exp(n)) for n in np.arange(low, high + ROUNDING, np.log(2))]
    rng = np.random.default_rng(seed)
    return tuple(optimum_at(shapes, size, num_bootstrap=num_bootstrap, rng=rng) for size in sizes)


def compute_optima(
    columns: Columns, *, num_bootstrap: int = Settings.num_bootstrap, seed: int = 0
) -> tuple[ComputeOptimum, ...]:
    """The best size, data and ratio of each budget in training FLOPs.

    Args:
        columns: `budget` (FLOPs of the whole training), `params`, `depth`, `width`, `loss`, one value a run. A shape
            counts once, with the mean log loss of its runs: seeds share what the surface misses of their shape.
        num_bootstrap: Wild bootstrap draws.
        seed: Of the draws.

    Raises:
        InterlawError: A column is missing or not numeric.

    Source: the IsoFLOP profiles of Hoffmann et al. 2022 (arXiv 2203.15556, approach 2), with R beside N.
    """
    runs = numbers_of(cells_of(columns))
    if "budget" not in runs:
        raise InterlawError("expected the column budget in a table of FLOPs budgets, found none; add it")
    names = ["budget", "params", "depth", "width"]
    shapes = runs.assign(log_loss=np.log(runs["loss"])).groupby(names, sort=False)["log_loss"].mean().reset_index()
    rng = np.random.default_rng(seed)
    return tuple(
        _optimum_of(float(flops), shapes[shapes["budget"] == flops], num_bootstrap=num_bootstrap, rng=rng)
        for flops in np.unique(shapes["budget"])
    )


def read_shapes(columns: Columns) -> Shapes:
    """Mean log loss of each shape (runs of equal N, depth, width and D), and what of log D does not follow from N."""
    runs = numbers_of(cells_of(columns))
    for name in REQUIRED:
        if not (np.isfinite(runs[name]) & (runs[name] > 0)).all():
            raise InterlawError(
                f"expected positive finite {name} in every row, found others; leave out the runs that did not end well"
            )
    sizes = runs.reindex(columns=["params", "depth", "width", "train_tokens"], fill_value=0.0).to_numpy()
    shapes, index = np.unique(sizes, axis=0, return_inverse=True)
    params, depth, width, tokens = shapes.T
    n, t = np.log(params), None
    if np.all(np.isfinite(tokens) & (tokens > 0)) and np.ptp(n) > OWN_TOKENS:  # of one size nothing follows
        t = own_tokens(n, np.log(tokens))
    return Shapes(n, np.log(depth / width), averages(np.log(runs["loss"].to_numpy()), index.reshape(-1)), t)


def optimum_at(shapes: Shapes, params: float, *, num_bootstrap: int, rng: np.random.Generator) -> SurfaceOptimum:
    """The surface through the shapes near one size, and where it is least."""
    away = np.abs(shapes.n - np.log(params))
    window = next((each for each in WINDOWS if (away <= np.log(each)).sum() >= MIN_SHAPES), WINDOWS[-1])
    rows = away <= np.log(window)
    count = int(rows.sum())
    result = partial(SurfaceOptimum, params=float(params), num_shapes=count, window=window)
    n, r, y = shapes.n[rows] - np.log(params), shapes.r[rows], shapes.y[rows]
    t = None if shapes.t is None else shapes.t[rows]
    needed = MIN_SHAPES + (0 if t is None else TOKEN_TERMS)
    num_ratios = len(np.unique(np.round(r, 6)))  # equal to a millionth is equal
    if count < needed or num_ratios < MIN_RATIOS or n.min() > 0 or n.max() < 0:
        return result(status="too_few_shapes")
    centre = float(r.mean())
    grid = np.linspace(r.min() - centre, r.max() - centre, GRID_POINTS)
    designs = [design(n, r - centre, t=t, form=form) for form in FORMS]
    fits = [_fit(X, y) for X in designs]
    if _is_flat(n, y, t=t, X=designs[0], full=fits[0]):
        return result(status="flat", rms=fits[0].rms)
    zeros = np.zeros_like(grid)
    slices = [design(zeros, grid, t=None if t is None else zeros, form=form) for form in FORMS]  # at N0
    least = [int(np.argmin(at @ fit.b)) for at, fit in zip(slices, fits, strict=True)]
    draws = np.concatenate(
        [np.argmin(at @ fit.draws(num_bootstrap, rng), axis=0) for at, fit in zip(slices, fits, strict=True)]
    )
    inside = [0 < place < GRID_POINTS - 1 for place in least]
    if sum(inside) < 2:  # two of three forms do not turn
        return result(status="edge", rms=fits[0].rms)
    low, high = (
        float(np.exp(np.interp(end, np.arange(GRID_POINTS), grid) + centre)) if 0 < end < GRID_POINTS - 1 else None
        for end in np.quantile(draws, TAILS)
    )
    if low is None or high is None:
        return result(status="open", low=low, high=high, rms=fits[0].rms)
    best = np.mean([grid[place] for place, turns in zip(least, inside, strict=True) if turns])
    return result(
        status="optimum",
        ratio=float(np.exp(best + centre)),
        low=low,
        high=high,
        log_stderr=float(np.log(high / low) / (2 * special.ndtri(TAILS[1]))),
        curvature=float(fits[0].b[QUADRATIC.index((0, 2))]),
        rms=fits[0].rms,
    )


def _optimum_of(flops: float, own: pd.DataFrame, *, num_bootstrap: int, rng: np.random.Generator) -> ComputeOptimum:
    """The quadratic surface through the shapes of one budget, and where it is least."""
    n, r = np.log(own["params"].to_numpy()), np.log((own["depth"] / own["width"]).to_numpy())
    y = own["log_loss"].to_numpy()
    shapes = len({(round(a, 9), round(b, 9)) for a, b in zip(n, r, strict=True)})  # the rest is rounding
    result = partial(ComputeOptimum, flops=flops, num_shapes=shapes)
    # three degrees of freedom, as a surface without budgets has, and three sizes and ratios, as a parabola needs
    if shapes < len(QUADRATIC) + 3 or min(len(np.unique(np.round(axis, 6))) for axis in (n, r)) < 3:
        return result(status="too_few_shapes")
    a, b = n - n.mean(), r - r.mean()
    fit = _fit(design(a, b, form=QUADRATIC), y, most_steps=1)
    best, draws = _least(fit.b[:, None])[:, 0], _least(fit.draws(num_bootstrap, rng))
    spans = [(axis.min(), axis.max()) for axis in (a, b)]
    if not all(low < value < high for value, (low, high) in zip(best, spans, strict=True)):
        return result(status="edge")
    ends = np.quantile(draws, TAILS, axis=1)
    if not all(low < ends[0, i] and ends[1, i] < high for i, (low, high) in enumerate(spans)):
        return result(status="open")
    size, ratio = (
        tuple(float(np.exp(value + axis.mean())) for value in (best[i], ends[0, i], ends[1, i]))
        for i, axis in enumerate((n, r))
    )
    scale = flops / FLOPS_PER_PARAM_AND_TOKEN
    return result(
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


@dataclass(frozen=True)
class _Fit:
    """A robust least-squares fit: coefficients, its weights, and what a wild bootstrap needs to draw others."""

    b: FloatArray
    w: FloatArray
    solver: FloatArray
    residual: FloatArray
    rms: float
    dof: int

    def draws(self, count: int, rng: np.random.Generator) -> FloatArray:
        """Coefficients of wild bootstrap draws, one a column, with the tails of so few degrees of freedom."""
        signs = rng.choice([-1.0, 1.0], size=(len(self.residual), count))
        scale = np.sqrt(self.dof / rng.chisquare(self.dof, size=count))
        drawn: FloatArray = self.b[:, None] + self.solver @ (self.residual[:, None] * signs * scale)
        return drawn


def _fit(X: FloatArray, y: FloatArray, *, most_steps: int = 20) -> _Fit:
    """Huber's M-estimate by reweighting (one step: least squares); residuals are inflated by their leverage."""
    w = np.ones(len(y))
    for _ in range(most_steps):  # converges in fewer than 20; each step is a small solve
        solver = np.linalg.pinv(X * w[:, None] ** 0.5) * w**0.5
        e = y - X @ (solver @ y)
        scale = max(median_scale(e), 1e-12)  # of log loss, where every shape lies on the surface
        w = np.minimum(1.0, HUBER_MULTIPLE * scale / np.maximum(np.abs(e), TINY))
    dof = len(y) - X.shape[1]
    # Huber's scale: clipped residuals are too small by the share of them that is clipped
    rms = float(np.sqrt((w * e) @ (w * e) / dof) / max(float((w >= 1).mean()), 0.5))
    return _Fit(solver @ y, w, solver, inflated(e, X=X, solver=solver, most=MOST_LEVERAGE), rms, dof)


def _is_flat(n: FloatArray, y: FloatArray, *, t: FloatArray | None, X: FloatArray, full: _Fit) -> bool:
    """Whether the terms of R gain no more than chance: F test against the surface without them, at the same weights."""
    smaller = design(n, np.zeros_like(n), t=t, form=SIZE_ONLY)
    root = np.sqrt(full.w)
    rest, all_terms = (
        float(((root * y - root[:, None] * A @ np.linalg.lstsq(root[:, None] * A, root * y, rcond=None)[0]) ** 2).sum())
        for A in (smaller, X)
    )
    added = X.shape[1] - smaller.shape[1]
    ratio = max(0.0, rest - all_terms) / added / max(full.rms, 1e-150) ** 2  # whose square is no underflow
    return bool(special.fdtrc(added, full.dof, ratio) > LEVEL)


def design(n: FloatArray, r: FloatArray, *, t: FloatArray | None = None, form: Sequence[tuple[int, int]]) -> FloatArray:
    """Columns of a form at shapes."""
    columns = [n**i * r**j for i, j in form]
    if t is not None:
        columns += [t, t * t, n * t, r * t] if any(j for _, j in form) else [t, t * t, n * t]
    return np.column_stack(columns)
