"""One budget: its best shape, R* with interval, and the loss interval."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.polynomial import Polynomial
from numpy.typing import NDArray
from scipy import stats

from interlaw.laws.grouping import ShapeMeans
from interlaw.laws.loss_curve import LossCurve, fit_curve, grid, minima, near_minimum, profile_interval, tolerance_ends
from interlaw.laws.result import (
    BestShape,
    BudgetFit,
    Curve,
    LossInterval,
    Point,
    RStar,
    SeedNoise,
)
from interlaw.laws.table import FloatArray

NUM_CURVE_POINTS = 41


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the user chose; see `fit_law`."""

    delta: float
    confidence: float
    window: float
    num_bootstrap: int
    num_permutations: int


def fit_budget(
    shapes: ShapeMeans, rows: NDArray[np.int64], *, settings: Settings, rng: np.random.Generator
) -> BudgetFit:
    """Fit the shapes `rows` of one budget (sorted by ratio); its interaction is left to `interaction_interval`."""
    x, y = shapes.log_ratio[rows], shapes.adjusted[rows]
    noise = shapes.relative_noise
    curve, used = budget_curve(shapes, rows, settings=settings, rng=rng)
    r_star = _r_star(x, y, curve, confidence=settings.confidence)
    interval = _loss_interval(x, y, curve, r_star, settings=settings)
    if noise is not None:
        interval = _with_noise(
            interval, x, y, noise, shapes.noise_dof, float(np.median(shapes.num_runs[rows])), settings
        )
    best = int(np.argmin(y))
    params, spent = shapes.params[rows], shapes.spent[rows]
    return BudgetFit(
        budget=float(shapes.budget[rows[0]]),
        params_mean=float(np.exp(np.log(params).mean())),
        budget_spread=float(spent.max() / spent.min() - 1),
        num_shapes=len(rows),
        num_runs=int(shapes.num_runs[rows].sum()),
        best=_best_shape(shapes, int(rows[best]), y, interval.seed_noise),
        r_star=r_star,
        loss_interval=interval,
        interaction_interval=None,
        curve=None if curve is None else _curve(curve, settings.confidence),
        points=_points(shapes, rows, used),
    )


def budget_curve(
    shapes: ShapeMeans, rows: NDArray[np.int64], *, settings: Settings, rng: np.random.Generator
) -> tuple[LossCurve | None, NDArray[np.int64]]:
    """The curve through the shapes near the minimum of one budget (None with fewer than three), and which they are."""
    x, y = shapes.log_ratio[rows], shapes.adjusted[rows]
    used = near_minimum(x, y, window=max(settings.window, 3 * settings.delta))
    if len(np.unique(np.round(x, 12))) < 3:
        return None, used
    noise = shapes.noise_of_means(rows[used])
    curve = fit_curve(
        x[used],
        y[used],
        noise=None if noise is None else noise * float(y[used].mean()),
        noise_dof=shapes.noise_dof,
        num_bootstrap=settings.num_bootstrap,
        rng=rng,
    )
    return curve, used


def _best_shape(shapes: ShapeMeans, row: int, y: FloatArray, noise: SeedNoise | None) -> BestShape:
    limit = 0.0 if noise is None else noise.delta
    return BestShape(
        depth=int(shapes.depth[row]),
        width=int(shapes.width[row]),
        ratio=float(shapes.depth[row] / shapes.width[row]),
        loss=float(shapes.loss[row]),
        adjusted=float(shapes.adjusted[row]),
        num_tied=int((y <= (1 + limit) * y.min()).sum()) - 1,
    )


def _r_star(x: FloatArray, y: FloatArray, curve: LossCurve | None, *, confidence: float) -> RStar:
    """Decide what may be said about the minimum; a number only when it lies inside the grid."""
    if len(x) == 1:
        return _no_value("given", f"only one shape was run (R = {np.exp(x[0]):.3g}): nothing to compare it with")
    if curve is None or (len(x) < 4 and not len(curve.draws)):
        return _no_value(
            "too_few_shapes", f"{len(x)} shapes without repeated seeds leave no room for an error bar: run at least 5"
        )
    if np.ptp(y) <= 1e-9 * y.mean():
        return _no_value("flat", "every shape has the same loss: nothing to choose between")
    vertex = curve.minimum()
    best = int(np.argmin(y))
    edge = "low" if vertex <= x[0] or best == 0 else "high" if vertex >= x[-1] or best == len(x) - 1 else None
    draws = curve.drawn_minima()
    tail = (1 - confidence) / 2
    low, high = np.quantile(draws, [tail, 1 - tail], method="closest_observation")
    profile = profile_interval(curve, confidence=confidence)
    bounds = {
        "low": _bound(low, x),
        "high": _bound(high, x),
        "profile_low": _bound(profile[0], x),
        "profile_high": _bound(profile[1], x),
        "log_stderr": _spread(draws),
    }
    if edge is not None:
        end = "shallowest and widest" if edge == "low" else "deepest and narrowest"
        return RStar(
            value=None,
            edge=edge,
            status="edge",
            **bounds,
            reason=f"the loss is lowest at, or still falls towards, the {end} end of the grid",
        )
    if (bounds["low"] is None and bounds["high"] is None) or curve.flatness() > 1 - confidence:
        return RStar(
            value=None,
            edge=None,
            status="flat",
            **bounds,
            reason="the curve is lost in the noise: more seeds, or shapes farther apart, would show it",
        )
    left_out = _leave_one_out(curve)
    return RStar(
        value=float(np.exp(vertex)),
        edge=None,
        status="optimum",
        reason="the loss turns inside the grid",
        parabola_value=_bound(_plain_vertex(curve.x, curve.y), x),
        leave_one_out_low=_bound(left_out.min(), x) if len(left_out) else None,
        leave_one_out_high=_bound(left_out.max(), x) if len(left_out) else None,
        **bounds,
    )


def _no_value(status: str, reason: str) -> RStar:
    return RStar(value=None, low=None, high=None, edge=None, status=status, reason=reason)


def _bound(log_ratio: float, x: FloatArray) -> float | None:
    """A ratio, or None when the bound lies outside the grid: the data do not set it."""
    return float(np.exp(log_ratio)) if x[0] <= log_ratio <= x[-1] else None


def _spread(draws: FloatArray) -> float | None:
    """Standard deviation from the quartiles, which a few draws without a minimum do not move."""
    quarter, three_quarters = np.quantile(draws, [0.25, 0.75], method="closest_observation")
    spread = float(three_quarters - quarter) / 1.349 if np.isfinite([quarter, three_quarters]).all() else np.inf
    return spread if np.isfinite(spread) else None


def _plain_vertex(x: FloatArray, y: FloatArray) -> float:
    """Minimum of the least-squares parabola, infinite without one."""
    b, c = np.polynomial.polynomial.polyfit(x - x.mean(), y, 2)[1:]
    return float(x.mean() - b / (2 * c)) if c > 0 else np.inf


def _leave_one_out(curve: LossCurve) -> FloatArray:
    """Minima of the curve without each shape in turn; empty where that leaves no residual."""
    if curve.dof < 2:
        return np.empty(0)
    x = curve.x - curve.centre
    keep = ~np.eye(len(x), dtype=bool)
    degree = len(curve.coefficients) - 1
    fits = [np.polynomial.polynomial.polyfit(x[mask], curve.y[mask], degree) for mask in keep]
    return minima(np.array(fits), x) + curve.centre


def _loss_interval(
    x: FloatArray, y: FloatArray, curve: LossCurve | None, r_star: RStar, *, settings: Settings
) -> LossInterval:
    delta = settings.delta
    if curve is None or r_star.status != "optimum":
        inside = _neighbours(y, (1 + delta) * y.min())
        return LossInterval(
            low=float(np.exp(x[inside[0]])),
            high=float(np.exp(x[inside[-1]])),
            low_open=bool(inside[0] == 0),
            high_open=bool(inside[-1] == len(x) - 1),
            delta=delta,
            source="shapes",
        )
    low, high = tolerance_ends(curve, curve.predict(grid(curve))[None, :], delta=delta)
    drawn = tolerance_ends(curve, curve.predict_draws(grid(curve)), delta=delta)
    bands = [np.clip(ends, x[0], x[-1]) for ends in drawn]
    tails = [(1 - settings.confidence) / 2, (1 + settings.confidence) / 2]
    low_band, high_band = (np.exp(np.quantile(ends, tails)).tolist() for ends in bands)
    return LossInterval(
        low=float(np.exp(max(low[0], curve.x[0]))),
        high=float(np.exp(min(high[0], curve.x[-1]))),
        low_open=bool(np.isinf(low[0])),
        high_open=bool(np.isinf(high[0])),
        delta=delta,
        source="curve",
        low_band=(low_band[0], low_band[1]),
        high_band=(high_band[0], high_band[1]),
    )


def _neighbours(y: FloatArray, limit: float) -> NDArray[np.int64]:
    """The unbroken run of shapes around the best whose loss stays at or below the limit."""
    best = int(np.argmin(y))
    low = high = best
    while low > 0 and y[low - 1] <= limit:
        low -= 1
    while high < len(y) - 1 and y[high + 1] <= limit:
        high += 1
    return np.arange(low, high + 1)


def _with_noise(
    interval: LossInterval, x: FloatArray, y: FloatArray, noise: float, dof: int, runs: float, settings: Settings
) -> LossInterval:
    """Add the shapes that a one-sided t test on the difference of two means cannot tell from the best."""
    delta = float(stats.t.ppf(settings.confidence, dof) * noise * np.sqrt(2 / runs))
    inside = _neighbours(y, (1 + delta) * y.min())
    seed_noise = SeedNoise(
        relative=noise, dof=dof, delta=delta, low=float(np.exp(x[inside[0]])), high=float(np.exp(x[inside[-1]]))
    )
    return replace(interval, seed_noise=seed_noise)


def _curve(curve: LossCurve, confidence: float) -> Curve:
    x = np.linspace(curve.x.min(), curve.x.max(), NUM_CURVE_POINTS)
    band = curve.band(x, confidence=confidence)
    middle = curve.minimum()
    turns = bool(np.isfinite(middle))
    polynomial = Polynomial(curve.coefficients)
    return Curve(
        curvature=float(polynomial.deriv(2)(middle - curve.centre)) / 2 if turns else float(curve.coefficients[2]),
        skew=float(curve.coefficients[3]) if len(curve.coefficients) == 4 else 0.0,
        log_ratio_min=middle if turns else None,
        loss_min=float(polynomial(middle - curve.centre)) if turns else None,
        rmse=curve.rmse,
        error=curve.error,
        error_dof=curve.error_dof,
        num_shapes=len(curve.x),
        num_coefficients=len(curve.coefficients),
        ratio=tuple(np.exp(x).tolist()),
        loss=tuple(curve.predict(x).tolist()),
        low=None if band is None else tuple(band[0].tolist()),
        high=None if band is None else tuple(band[1].tolist()),
    )


def _points(shapes: ShapeMeans, rows: NDArray[np.int64], used: NDArray[np.int64]) -> tuple[Point, ...]:
    in_window = np.isin(np.arange(len(rows)), used)

    def measured(name: str, row: int) -> float | None:
        value = shapes.measured[name][row] if name in shapes.measured else np.nan
        return float(value) if np.isfinite(value) else None

    return tuple(
        Point(
            depth=int(shapes.depth[row]),
            width=int(shapes.width[row]),
            ratio=float(shapes.depth[row] / shapes.width[row]),
            params=float(shapes.params[row]),
            loss=float(shapes.loss[row]),
            adjusted=float(shapes.adjusted[row]),
            num_runs=int(shapes.num_runs[row]),
            in_window=bool(in_window[i]),
            aofe=measured("aofe", row),
            aofe_ratio=measured("aofe_ratio", row),
            aofe_scale_free=measured("aofe_scale_free", row),
            excess_ratio=measured("excess_ratio", row),
        )
        for i, row in enumerate(rows)
    )
