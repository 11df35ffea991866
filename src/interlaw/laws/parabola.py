"""The loss of one budget as a parabola in log ratio, with a residual bootstrap and a profile interval of its minimum.

Letters: x = log(depth / width), y = loss, n shapes, c curvature, b slope, a intercept; y = a + b x + c x^2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from interlaw.laws.table import FloatArray

MIN_WINDOW_SHAPES = 5


@dataclass(frozen=True, kw_only=True)
class Parabola:
    """A least-squares parabola through shapes near the minimum, centred for conditioning.

    Attributes:
        x: Log ratio of the shapes used.
        y: Their loss.
        centre: What was subtracted from x before fitting.
        coefficients: (a, b, c) of the centred parabola.
        rmse: Residual standard deviation with n - 3 degrees of freedom; 0 when n = 3.
        draws: Bootstrap coefficients, (num_draws, 3); no rows where no noise could be estimated.
    """

    x: FloatArray
    y: FloatArray
    centre: float
    coefficients: FloatArray
    rmse: float
    draws: FloatArray

    def predict(self, x: FloatArray) -> FloatArray:
        """Loss on the fitted curve."""
        return _design(x - self.centre) @ self.coefficients

    def band(self, x: FloatArray, *, confidence: float) -> tuple[FloatArray, FloatArray] | None:
        """Pointwise bootstrap band of the curve, or None without draws."""
        if not len(self.draws):
            return None
        curves = self.draws @ _design(x - self.centre).T
        low, high = np.quantile(curves, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
        return low, high


def _design(x: FloatArray) -> FloatArray:
    return np.column_stack([np.ones_like(x), x, x**2])


def near_minimum(x: FloatArray, y: FloatArray, *, window: float) -> NDArray[np.int64]:
    """Indices of the shapes around the best one whose loss stays within `window` of it, at least five where there are.

    The law speaks of the neighbourhood of the minimum only: far shapes on one side would drag the vertex
    (arXiv 2603.22339).
    """
    best = int(np.argmin(y))
    low = high = best
    limit = (1 + window) * y[best]
    while low > 0 and y[low - 1] <= limit:
        low -= 1
    while high < len(y) - 1 and y[high + 1] <= limit:
        high += 1
    while high - low + 1 < min(MIN_WINDOW_SHAPES, len(y)):
        grow_low = high == len(y) - 1 or (low > 0 and y[low - 1] <= y[high + 1])
        low, high = (low - 1, high) if grow_low else (low, high + 1)
    return np.arange(low, high + 1)


def fit_parabola(
    x: FloatArray, y: FloatArray, *, noise: float | None, num_bootstrap: int, rng: np.random.Generator
) -> Parabola:
    """Least squares, then a residual bootstrap over shapes.

    Residuals are freed of leverage (divided by sqrt(1 - h)), resampled with random signs, and scaled by
    sqrt(dof / chi2_dof), which carries the uncertainty of a noise level known from few shapes.

    Args:
        x: Log ratio of the shapes, (n,), n >= 3.
        y: Their mean loss.
        noise: Standard deviation of a shape's mean over seeds; used when n = 3 leaves no residual.
        num_bootstrap: Draws.
        rng: Source of randomness.
    """
    centre = float(x.mean())
    design = _design(x - centre)
    solve = np.linalg.pinv(design)
    coefficients = solve @ y
    fitted = design @ coefficients
    dof = len(x) - 3
    leverage = np.clip(np.einsum("ij,ji->i", design, solve), 0, 1 - 1e-9)
    residuals = (y - fitted) / np.sqrt(1 - leverage) if dof else np.zeros_like(y)
    rmse = float(np.sqrt(((y - fitted) ** 2).sum() / dof)) if dof else 0.0
    if dof:
        picks = rng.integers(len(x), size=(num_bootstrap, len(x)))
        signs = rng.choice([-1.0, 1.0], size=picks.shape)
        errors = residuals[picks] * signs * np.sqrt(dof / rng.chisquare(dof, size=(num_bootstrap, 1)))
    elif noise is not None:
        errors = rng.normal(scale=noise, size=(num_bootstrap, len(x)))
    else:
        errors = np.empty((0, len(x)))
    draws = (fitted + errors) @ solve.T
    return Parabola(x=x, y=y, centre=centre, coefficients=coefficients, rmse=rmse, draws=draws)


def vertices(coefficients: FloatArray, *, centre: float) -> FloatArray:
    """Log ratio of each parabola's minimum; -inf or +inf, on the falling side, where it has none. (k, 3) -> (k,)."""
    slope, curvature = coefficients[:, 1], coefficients[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        inner = centre - slope / (2 * curvature)
    return np.where(curvature > 0, inner, np.where(slope > 0, -np.inf, np.inf))


def profile_interval(parabola: Parabola, *, confidence: float) -> tuple[float, float]:
    """Values x0 of the vertex that an F test does not reject; infinite ends where it rejects none far out.

    Fixing the vertex at x0 is the linear hypothesis b + 2 c x0 = 0, so the profile over all other parameters has the
    closed form of Fieller 1954: (b + 2 c x0)^2 <= F_{1, n-3} Var(b + 2 c x0), a quadratic inequality in x0.
    """
    dof = len(parabola.x) - 3
    if dof < 1:
        return -np.inf, np.inf
    design = _design(parabola.x - parabola.centre)
    covariance = parabola.rmse**2 * np.linalg.inv(design.T @ design)
    limit = float(stats.f.ppf(confidence, 1, dof))
    b, c = parabola.coefficients[1:]
    square = 4 * (c**2 - limit * covariance[2, 2])
    middle = 4 * (b * c - limit * covariance[1, 2])
    constant = b**2 - limit * covariance[1, 1]
    if square <= 0:
        return -np.inf, np.inf
    root = np.sqrt(max(middle**2 - 4 * square * constant, 0.0))
    low, high = (-middle - root) / (2 * square), (-middle + root) / (2 * square)
    return parabola.centre + float(low), parabola.centre + float(high)


def cubic_minimum(parabola: Parabola) -> tuple[float, float]:
    """The minimum when a cubic term lets the two sides differ, and the p-value of that term: (log ratio, p).

    A parabola is pulled towards the flatter side of a lopsided curve even without noise (arXiv 2603.22339). The log
    ratio is nan where the cubic has no minimum among the shapes; p is nan with fewer than five shapes.
    """
    x = parabola.x - parabola.centre
    dof = len(x) - 4
    if dof < 1:
        return np.nan, np.nan
    design = np.column_stack([_design(x), x**3])
    coefficients = np.linalg.lstsq(design, parabola.y, rcond=None)[0]
    rss = float(((parabola.y - design @ coefficients) ** 2).sum())
    stderr = np.sqrt(max(rss, 1e-300) / dof * np.linalg.inv(design.T @ design)[3, 3])
    p_value = float(2 * stats.t.sf(abs(coefficients[3]) / stderr, dof))
    b, c, d = coefficients[1:]
    inside = c**2 - 3 * d * b
    if inside <= 0:
        return np.nan, p_value
    # The root with positive second derivative, written so that d -> 0 gives the parabola's vertex.
    root = float(-b / (c + np.sqrt(inside))) if c + np.sqrt(inside) != 0 else np.nan
    return (parabola.centre + root if x.min() <= root <= x.max() else np.nan), p_value
