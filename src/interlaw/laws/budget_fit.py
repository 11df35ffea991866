"""One budget: its best shape, R* with interval, and the loss interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.polynomial import Polynomial
from numpy.typing import NDArray
from scipy import special

from interlaw.errors import InterlawError
from interlaw.laws.grouping import ShapeMeans
from interlaw.laws.loss_curve import LossCurve, around_best, fit_curve, grid, near_minimum, tolerance_ends
from interlaw.laws.r_star import decide_r_star
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
from interlaw.size import format_size

NUM_CURVE_POINTS = 41


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the user chose; see `fit_law`."""

    delta: float
    confidence: float
    window: float
    num_bootstrap: int
    num_permutations: int
    given: bool = False

    def __post_init__(self) -> None:
        """Refuses what is out of range."""
        if not 0 < self.delta < 1:
            raise InterlawError(f"expected delta= between 0 and 1 (a relative loss), found {self.delta}: 0.01 means 1%")
        if not 0.5 <= self.confidence < 1:
            raise InterlawError(f"expected confidence= from 0.5 to below 1, found {self.confidence}: 0.9 is usual")
        if not self.window > 0:
            raise InterlawError(
                f"expected window= above 0, found {self.window}: 0.1 uses shapes within 10% of the best"
            )
        if self.num_bootstrap < 100 or self.num_permutations < 100:
            raise InterlawError(
                f"expected at least 100 bootstrap draws and permutations, found {self.num_bootstrap} and "
                f"{self.num_permutations}: fewer give intervals of noise"
            )


def fit_budget(
    shapes: ShapeMeans, rows: NDArray[np.int64], *, settings: Settings, rng: np.random.Generator
) -> BudgetFit:
    """Fit the shapes `rows` of one budget (sorted by ratio); its interaction is left to `interaction_interval`."""
    x, y = shapes.log_ratio[rows], shapes.adjusted[rows]
    curve, used = budget_curve(shapes, rows, settings=settings, rng=rng)
    size_effect = shapes.size_effect(rows)
    r_star = (
        _given(shapes, rows)
        if settings.given
        else decide_r_star(
            x,
            y,
            curve,
            confidence=settings.confidence,
            size_effect=size_effect,
            limit=_size_limit(shapes, rows, settings),
        )
    )
    interval = _loss_interval(curve, delta=settings.delta) if curve is not None and r_star.value is not None else None
    seed_noise = None if shapes.relative_noise is None else _seed_noise(shapes, rows, settings)
    near_best = y <= (1 + settings.delta) * y.min()
    params, spent = shapes.params[rows], shapes.spent[rows]
    return BudgetFit(
        budget=float(shapes.budget[rows[0]]),
        params_mean=float(np.exp(np.log(params).mean())),
        budget_spread=float(spent.max() / spent.min() - 1),
        num_shapes=len(rows),
        num_runs=int(shapes.num_runs[rows].sum()),
        best=_best_shape(shapes, rows, y, seed_noise),
        measured_best=_best_shape(shapes, rows, shapes.loss[rows], seed_noise),
        r_star=r_star,
        loss_interval=interval,
        seed_noise=seed_noise,
        size_effect=size_effect,
        interaction_interval=None,
        curve=None if curve is None else _curve(curve, settings.confidence),
        points=_points(shapes, rows, used, near_best),
    )


def _given(shapes: ShapeMeans, rows: NDArray[np.int64]) -> RStar:
    """The one shape of a budget as its optimum, by the user's word."""
    if len(rows) > 1:
        raise InterlawError(
            f"expected one optimum a budget, found {len(rows)} shapes at {format_size(float(shapes.budget[rows[0]]))}: "
            "leave out given= (--given) to find the optimum among them"
        )
    ratio = float(np.exp(shapes.log_ratio[rows[0]]))
    return RStar(value=ratio, status="given", reason="the optimum is given")


def budget_curve(
    shapes: ShapeMeans, rows: NDArray[np.int64], *, settings: Settings, rng: np.random.Generator
) -> tuple[LossCurve | None, NDArray[np.int64]]:
    """The curve through the shapes near the minimum of one budget (None with fewer than three), and which they are."""
    x, y = shapes.log_ratio[rows], shapes.adjusted[rows]
    used = near_minimum(y, window=max(settings.window, 3 * settings.delta))
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


def _best_shape(shapes: ShapeMeans, rows: NDArray[np.int64], loss: FloatArray, noise: SeedNoise | None) -> BestShape:
    """The shape with the lowest of these losses, one a row."""
    row = rows[np.argmin(loss)]
    limit = 0.0 if noise is None else noise.delta
    return BestShape(
        depth=int(shapes.depth[row]),
        width=int(shapes.width[row]),
        ratio=float(shapes.depth[row] / shapes.width[row]),
        loss=float(shapes.loss[row]),
        adjusted=float(shapes.adjusted[row]),
        num_tied=int((loss <= (1 + limit) * loss.min()).sum()) - 1,
    )


def _size_limit(shapes: ShapeMeans, rows: NDArray[np.int64], settings: Settings) -> float:
    """The largest shift of log L that sizes may make: the tolerance, or, of one budget, what seeds can tell apart."""
    if shapes.relative_noise is None or len(np.unique(shapes.budget)) > 1:
        return settings.delta
    return min(settings.delta, _indistinguishable(shapes, rows, settings))


def _indistinguishable(shapes: ShapeMeans, rows: NDArray[np.int64], settings: Settings) -> float:
    """The relative difference of two means that a one-sided t test takes for seed noise."""
    quantile = float(special.stdtrit(shapes.noise_dof, settings.confidence))
    return quantile * (shapes.relative_noise or 0.0) * float(np.sqrt(2 / np.median(shapes.num_runs[rows])))


def _loss_interval(curve: LossCurve, *, delta: float) -> LossInterval:
    low, high = tolerance_ends(curve, curve.predict(grid(curve))[None, :], delta=delta)
    return LossInterval(
        low=float(np.exp(max(low[0], curve.x[0]))),
        high=float(np.exp(min(high[0], curve.x[-1]))),
        low_open=bool(np.isinf(low[0])),
        high_open=bool(np.isinf(high[0])),
        delta=delta,
    )


def _seed_noise(shapes: ShapeMeans, rows: NDArray[np.int64], settings: Settings) -> SeedNoise:
    """The seed noise, and the unbroken run of shapes around the best that it cannot tell from it."""
    x, y = shapes.log_ratio[rows], shapes.adjusted[rows]
    delta = _indistinguishable(shapes, rows, settings)
    inside = around_best(y, tolerance=delta)
    return SeedNoise(
        relative=shapes.relative_noise or 0.0,
        dof=shapes.noise_dof,
        delta=delta,
        low=float(np.exp(x[inside[0]])),
        high=float(np.exp(x[inside[-1]])),
    )


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


def _points(
    shapes: ShapeMeans, rows: NDArray[np.int64], used: NDArray[np.int64], near_best: NDArray[np.bool_]
) -> tuple[Point, ...]:
    in_window = np.isin(np.arange(len(rows)), used)
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
            within_delta=bool(near_best[i]),
            **measured_at(shapes, row),
        )
        for i, row in enumerate(rows)
    )


def measured_at(shapes: ShapeMeans, row: np.int64) -> dict[str, Any]:
    """A shape's interaction, as a `Point` holds it."""
    names = ("aofe", "aofe_ratio", "aofe_scale_free", "excess_ratio")
    found = {name: float(shapes.measured[name][row]) if name in shapes.measured else np.nan for name in names}
    return {name: value if np.isfinite(value) else None for name, value in found.items()}
