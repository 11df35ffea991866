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
    """Values of the vertex that an F test does not reject, searched three grid lengths beyond the grid.

    For each x0 the two-parameter curve a + c (x - x0)^2, c >= 0, is refitted; x0 is kept while
    RSS(x0) - min RSS <= F_{1, n-3} * min RSS / (n - 3). Ends are infinite where the search did not meet a bound.
    """
    x, y = parabola.x, parabola.y
    dof = len(x) - 3
    if dof < 1:
        return -np.inf, np.inf
    length = float(np.ptp(x))
    trial = np.linspace(x.min() - 3 * length, x.max() + 3 * length, 2801)
    squares = (x[None, :] - trial[:, None]) ** 2
    centred = squares - squares.mean(axis=1, keepdims=True)
    gain = np.maximum(centred @ (y - y.mean()), 0.0) ** 2 / np.maximum((centred**2).sum(axis=1), 1e-300)
    rss = ((y - y.mean()) ** 2).sum() - gain
    least = ((y - parabola.predict(x)) ** 2).sum()
    kept = np.flatnonzero(rss - least <= stats.f.ppf(confidence, 1, dof) * least / dof)
    if not len(kept):
        return -np.inf, np.inf
    low = -np.inf if kept[0] == 0 else float(trial[kept[0]])
    high = np.inf if kept[-1] == len(trial) - 1 else float(trial[kept[-1]])
    return low, high
