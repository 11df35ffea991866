"""The loss of one budget against log ratio: a parabola with room for lopsidedness, and where it turns.

Letters: x = log(depth / width), y = loss, n shapes, p = degree + 1 coefficients; y = a + b x + c x^2 (+ d x^3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from interlaw.laws.rows import FloatArray, IntArray
from interlaw.laws.settings import POWER, ROUNDING, TINY

MIN_CUBIC_SHAPES = 6  # a cubic has four coefficients: two degrees of freedom are left for its error
MIN_WINDOW_SHAPES = MIN_CUBIC_SHAPES  # so that a curve near the minimum may be lopsided, where the budget has as many
# exp(rise x) + exp(-fall x): the law A w^-a + B l^-b of arXiv 2602.05970 (a = 0.98, b = 1.2) at equal size has
# w ~ R^-1/3 and l ~ R^2/3, so it rises as exp(0.33 x) and falls as exp(-0.8 x); and its mirror image.
LOPSIDED = ((0.33, 0.8), (0.8, 0.33))
NUM_GRID_POINTS = 801  # judgement: steps of 1/800 of the grid, far below any interval of R*


@dataclass(frozen=True, kw_only=True)
class LossCurve:
    """A least-squares polynomial through shapes near the minimum, centred for conditioning.

    Attributes:
        x: Log ratio of the shapes used, ascending.
        y: Their loss.
        centre: What was subtracted from x before fitting.
        coefficients: Of the centred polynomial, constant first, (p,).
        rmse: Residual standard deviation with n - p degrees of freedom; 0 when none are left.
        draws: Bootstrap coefficients, (num_draws, p); no rows where no noise could be estimated.
        turns: Log ratio where each bootstrap curve turns, (num_draws,); infinite, on the falling side, without a turn.
        error: Standard deviation of a shape's loss behind every interval: the residuals', or what residuals and seeds
            say together where the seeds show more (`pooled_error`).
        error_dof: Degrees of freedom behind it.
    """

    x: FloatArray
    y: FloatArray
    centre: float
    coefficients: FloatArray
    rmse: float
    draws: FloatArray
    turns: FloatArray
    error: float
    error_dof: int

    def predict(self, x: FloatArray) -> FloatArray:
        """Loss on the fitted curve."""
        return np.asarray(self._powers(x) @ self.coefficients, dtype=np.float64)

    def predict_draws(self, x: FloatArray) -> FloatArray:
        """Loss on each bootstrap curve, (num_draws, len(x))."""
        return np.asarray(self.draws @ self._powers(x).T, dtype=np.float64)

    def minimum(self) -> float:
        """Log ratio of the minimum; infinite, on the falling side, where the curve has none."""
        return float(minima(self.coefficients[None], self.x - self.centre)[0] + self.centre)

    def flatness(self) -> float:
        """p-value of the F test against a constant: large means that noise alone may have drawn the curve."""
        if self.error_dof < 1:
            return 0.0
        num_terms = len(self.coefficients) - 1
        left = float(((self.y - self.predict(self.x)) ** 2).sum())
        explained = float(((self.y - self.y.mean()) ** 2).sum()) - left
        return float(special.fdtrc(num_terms, self.error_dof, explained / num_terms / max(self.error**2, TINY)))

    def detectable(self, *, confidence: float) -> float:
        """How far a parabola must rise from the middle of the shapes to their ends, relative to the loss, for
        `flatness` to stay below 1 - confidence in 80% of such sweeps (power of the F test; Cohen 1988).
        """
        num_terms, dof = len(self.coefficients) - 1, self.error_dof
        needed = special.ncfdtrinc(num_terms, dof, 1 - POWER, float(special.fdtri(num_terms, dof, confidence)))
        bowl = (2 * (self.x - self.x[0]) / (self.x[-1] - self.x[0]) - 1) ** 2  # 1 at the ends, 0 in the middle
        return float(self.error * np.sqrt(needed / ((bowl - bowl.mean()) ** 2).sum()) / self.y.mean())

    def _powers(self, x: FloatArray) -> FloatArray:
        return np.vander(x - self.centre, len(self.coefficients), increasing=True)


def around_best(y: FloatArray, *, tolerance: float) -> IntArray:
    """Indices of the unbroken run of shapes around the best one whose loss stays within `tolerance` of it."""
    above = np.flatnonzero(y > (1 + tolerance) * y.min())
    place = int(np.searchsorted(above, np.argmin(y)))
    before, after = [-1, *above, len(y)][place : place + 2]
    return np.arange(before + 1, after)


def near_minimum(y: FloatArray, *, window: float) -> IntArray:
    """Indices of the shapes around the best one whose loss stays within `window` of it, at least six where there are.

    The law speaks of the neighbourhood of the minimum only: far shapes on one side would drag the vertex
    (arXiv 2603.22339).
    """
    near = around_best(y, tolerance=window)
    low, high = int(near[0]), int(near[-1])
    while high - low + 1 < min(MIN_WINDOW_SHAPES, len(y)):
        grow_low = high == len(y) - 1 or (low > 0 and y[low - 1] <= y[high + 1])
        low, high = (low - 1, high) if grow_low else (low, high + 1)
    return np.arange(low, high + 1)


def fit_curve(
    x: FloatArray, y: FloatArray, *, noise: float, noise_dof: int, num_bootstrap: int, rng: np.random.Generator
) -> LossCurve:
    """Least squares, then a residual bootstrap over shapes.

    With six shapes or more a cubic term lets the two sides of the minimum differ: a plain parabola is pulled towards
    the flatter side even without noise, and its interval then misses the minimum with confidence (docs/law.md).
    Residuals are freed of leverage (divided by sqrt(1 - h)), resampled with random signs, and scaled by
    sqrt(dof / chi2_dof), which carries the uncertainty of a noise level known from few shapes. Where the residuals are
    smaller than the seed noise, by luck or because none are left, normal errors of both pooled take their place.
    x is the log ratio of the n >= 3 shapes, ascending, y their mean loss; `noise` the standard deviation of such a mean
    over seeds, 0 when unknown.
    """
    centre = float(x.mean())
    size = 4 if len(x) >= MIN_CUBIC_SHAPES else 3  # coefficients of a cubic, or of a parabola
    design = np.vander(x - centre, size, increasing=True)
    solve = np.asarray(np.linalg.pinv(design), dtype=np.float64)
    coefficients = solve @ y
    fitted = design @ coefficients
    dof = len(x) - size
    rmse = float(np.sqrt(((y - fitted) ** 2).sum() / dof)) if dof else 0.0
    error, error_dof = pooled_error((rmse, dof), (noise, noise_dof))
    if error > rmse:
        errors = rng.normal(scale=error, size=(num_bootstrap, len(x)))
    elif dof:
        residuals = inflated(y - fitted, X=design, solver=solve, most=1 - ROUNDING)
        picks = rng.integers(len(x), size=(num_bootstrap, len(x)))
        errors = residuals[picks] * rng.choice([-1.0, 1.0], size=picks.shape)
    else:
        errors = np.empty((0, len(x)))
    if len(errors):  # a noise level known from so many degrees of freedom may be off
        errors *= np.sqrt(error_dof / rng.chisquare(error_dof, size=(num_bootstrap, 1)))
    drawn = fitted + errors
    draws = drawn @ solve.T
    turns = minima(draws, x - centre)
    if size == 3 and len(draws):
        turns = _lopsided(turns, drawn, x=x - centre, rng=rng)
    return LossCurve(
        x=x,
        y=y,
        centre=centre,
        coefficients=coefficients,
        rmse=rmse,
        draws=draws,
        turns=turns + centre,
        error=error,
        error_dof=error_dof,
    )


def _lopsided(turns: FloatArray, drawn: FloatArray, *, x: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Where draws turn when a third each are fitted by a parabola and by the two curves of `LOPSIDED`."""
    pick = rng.integers(3, size=len(drawn))  # three coefficients cannot show which side is steeper
    turns = turns.copy()
    for which, (rise, fall) in enumerate(LOPSIDED, start=1):
        rows = pick == which
        design = np.column_stack([np.ones_like(x), np.exp(rise * x), np.exp(-fall * x)])
        up, down = (drawn[rows] @ np.linalg.pinv(design).T)[:, 1:].T
        with np.errstate(divide="ignore", invalid="ignore"):
            inner = np.log(fall * down / (rise * up)) / (rise + fall)
        last = drawn[rows][:, 0] < drawn[rows][:, -1]
        turns[rows] = np.where((up > 0) & (down > 0), inner, np.where(last, -np.inf, np.inf))
    return turns


def inflated(residual: FloatArray, *, X: FloatArray, solver: FloatArray, most: float) -> FloatArray:
    """Residuals over sqrt(1 - leverage), of `most` at most: as large as the errors that they are left of, (n,)."""
    leverage = np.clip(np.einsum("ij,ji->i", X, solver), 0.0, most)
    return np.asarray(residual / np.sqrt(1 - leverage), dtype=np.float64)


def pooled_error(residual: tuple[float, int], seeds: tuple[float, int]) -> tuple[float, int]:
    """The standard deviation that intervals rest on; each argument is one with its degrees of freedom, as the result.

    Means that happen to lie on a curve are no surer than their seeds: residuals smaller than the seed noise are pooled
    with it. Larger ones show what no seed explains, and stand alone.

    Example:
        >>> pooled_error((0.02, 4), (0.01, 16))
        (0.02, 4)
        >>> pooled_error((0.0, 4), (0.01, 12))
        (0.00866..., 16)
    """
    (rmse, dof), (noise, noise_dof) = residual, seeds
    if noise <= rmse:
        return residual
    return float(np.sqrt((dof * rmse**2 + noise_dof * noise**2) / (dof + noise_dof))), dof + noise_dof


def minima(coefficients: FloatArray, x: FloatArray) -> FloatArray:
    """Where each curve of a batch (k, p) turns upwards: (k,).

    A parabola's vertex may lie anywhere; a cubic's counts among the shapes x alone. Without one: -inf or +inf, the
    side on which the curve is lower.
    """
    b, c = coefficients[:, 1], coefficients[:, 2]
    d = coefficients[:, 3] if coefficients.shape[1] == 4 else np.zeros_like(c)
    inside = c**2 - 3 * d * b
    with np.errstate(divide="ignore", invalid="ignore"):
        # The root with positive second derivative, written so that d -> 0 gives the parabola's vertex.
        turning = -b / (c + np.sqrt(np.maximum(inside, 0.0)))
    turns = inside > 0
    turns &= (turning >= x.min()) & (turning <= x.max()) if coefficients.shape[1] == 4 else c > 0
    ends = coefficients @ np.vander([x.min(), x.max()], coefficients.shape[1], increasing=True).T
    return np.where(turns, turning, np.where(ends[:, 0] < ends[:, 1], -np.inf, np.inf))


def tolerance_ends(curve: LossCurve, *, delta: float) -> tuple[float, float]:
    """Where a curve first exceeds (1 + delta) of its minimum on either side, within the shapes.

    Returns:
        Two log ratios; infinite where it does not exceed it before the last shape.
    """
    x = grid(curve)
    losses = curve.predict(x)
    over = losses - (1 + delta) * losses.min()
    return -_crossing(-x[::-1], over[::-1]), _crossing(x, over)


def _crossing(x: FloatArray, over: FloatArray) -> float:
    """First upward zero crossing after the minimum, interpolated; inf without one."""
    after = np.flatnonzero((over > 0) & (np.arange(len(x)) > np.argmin(over)))
    if not len(after):
        return np.inf
    left, right = over[after[0] - 1], over[after[0]]
    return float(x[after[0] - 1] + (x[1] - x[0]) * -left / (right - left))


def grid(curve: LossCurve) -> FloatArray:
    """Evenly spaced log ratios from the first to the last shape used."""
    return np.linspace(curve.x[0], curve.x[-1], NUM_GRID_POINTS)
