"""One budget: its best shape, R* with interval, and the loss interval."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.polynomial import Polynomial
from scipy import special

from interlaw.errors import InterlawError
from interlaw.laws.grouping import ShapeMeans, size_effect
from interlaw.laws.loss_curve import LossCurve, around_best, fit_curve, near_minimum, tolerance_ends
from interlaw.laws.r_star import decide_r_star
from interlaw.laws.result import BestShape, BudgetFit, Curve, LossInterval, Point, RStar, SeedNoise
from interlaw.laws.rows import FloatArray, IntArray
from interlaw.laws.settings import Settings
from interlaw.size import format_size

NUM_CURVE_POINTS = 41  # of a curve that is drawn: any number from 30 to 100 looks smooth


def fit_budget(shapes: ShapeMeans, own: pd.DataFrame, *, settings: Settings, rng: np.random.Generator) -> BudgetFit:
    """Fit the shapes `own` of one budget (sorted by ratio); its interaction is left to `interaction_interval`."""
    x, y = own["log_ratio"].to_numpy(), own["adjusted"].to_numpy()
    curve, used = budget_curve(shapes, own, settings=settings, rng=rng)
    noise = _seed_noise(shapes, own, confidence=settings.confidence)
    if settings.given:
        r_star = _given(own)
    else:
        # of one budget, sizes may shift the loss by no more than the seeds leave unseen
        alone = shapes.frame["budget"].nunique() == 1
        limit = min(settings.delta, noise.delta) if alone and noise else settings.delta
        r_star = decide_r_star(
            x, y, curve=curve, confidence=settings.confidence, size_effect=size_effect(own), limit=limit
        )
    interval = _loss_interval(curve, delta=settings.delta) if curve is not None and r_star.value is not None else None
    params, spent = own["params"].to_numpy(), own["spent"].to_numpy()
    return BudgetFit(
        budget=float(own["budget"].iloc[0]),
        params_mean=float(np.exp(np.log(params).mean())),
        budget_spread=float(spent.max() / spent.min() - 1),
        num_shapes=len(own),
        num_runs=int(own["num_runs"].sum()),
        best=_best_shape(own, y, noise=noise),
        measured_best=_best_shape(own, own["loss"].to_numpy(), noise=noise),
        r_star=r_star,
        loss_interval=interval,
        seed_noise=noise,
        interaction_interval=None,
        curve=None if curve is None else _curve(curve, confidence=settings.confidence),
        points=_points(own, used=used, limit=(1 + settings.delta) * y.min()),
    )


def _given(own: pd.DataFrame) -> RStar:
    """The one shape of a budget as its optimum, because the user says so."""
    if len(own) > 1:
        raise InterlawError(
            f"expected one optimum a budget, found {len(own)} shapes at {format_size(float(own['budget'].iloc[0]))}: "
            "leave out given= (--given) to find the optimum among them"
        )
    return RStar(value=float(np.exp(own["log_ratio"].iloc[0])), status="given", reason="the optimum is given")


def budget_curve(
    shapes: ShapeMeans, own: pd.DataFrame, *, settings: Settings, rng: np.random.Generator
) -> tuple[LossCurve | None, IntArray]:
    """The curve through the shapes near the minimum of one budget (None with fewer than three), and which they are."""
    x, y = own["log_ratio"].to_numpy(), own["adjusted"].to_numpy()
    # the ends of the loss interval must lie well inside the shapes that the curve is fitted to
    used = near_minimum(y, window=max(settings.window, 3 * settings.delta))
    if len(np.unique(np.round(x, 12))) < 3:  # a parabola needs three ratios; those equal to 12 digits are one
        return None, used
    curve = fit_curve(
        x[used],
        y[used],
        noise=shapes.noise_of_means(own.iloc[used]) * float(y[used].mean()),
        noise_dof=shapes.noise_dof,
        num_bootstrap=settings.num_bootstrap,
        rng=rng,
    )
    return curve, used


def _best_shape(own: pd.DataFrame, loss: FloatArray, *, noise: SeedNoise | None) -> BestShape:
    """The shape with the lowest of these losses, one a row."""
    row = own.iloc[np.argmin(loss)]
    limit = 0.0 if noise is None else noise.delta
    return BestShape(
        depth=int(row["depth"]),
        width=int(row["width"]),
        num_tied=int((loss <= (1 + limit) * loss.min()).sum()) - 1,
        **{name: float(row[name]) for name in ("ratio", "loss", "adjusted")},
    )


def _loss_interval(curve: LossCurve, *, delta: float) -> LossInterval:
    low, high = tolerance_ends(curve, delta=delta)
    return LossInterval(
        low=float(np.exp(max(low, curve.x[0]))),
        high=float(np.exp(min(high, curve.x[-1]))),
        low_open=bool(np.isinf(low)),
        high_open=bool(np.isinf(high)),
        delta=delta,
    )


def _seed_noise(shapes: ShapeMeans, own: pd.DataFrame, *, confidence: float) -> SeedNoise | None:
    """The seed noise, and the unbroken run of shapes that differ from the best by no more; None without repeats."""
    if not shapes.noise_dof:
        return None
    # the relative difference of two means that a one-sided t test takes for seed noise
    quantile = float(special.stdtrit(shapes.noise_dof, confidence))
    delta = quantile * shapes.relative_noise * float(np.sqrt(2 / np.median(own["num_runs"])))
    inside = around_best(own["adjusted"].to_numpy(), tolerance=delta)
    low, high = np.exp(own["log_ratio"].to_numpy()[inside[[0, -1]]])
    return SeedNoise(
        relative=shapes.relative_noise, dof=shapes.noise_dof, delta=delta, low=float(low), high=float(high)
    )


def _curve(curve: LossCurve, *, confidence: float) -> Curve:
    x = np.linspace(curve.x.min(), curve.x.max(), NUM_CURVE_POINTS)
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    band = np.quantile(curve.predict_draws(x), tails, axis=0).tolist() if len(curve.draws) else None
    middle = curve.minimum()
    turns = bool(np.isfinite(middle))
    polynomial = Polynomial(curve.coefficients)
    return Curve(
        curvature=float(polynomial.deriv(2)(middle - curve.centre)) / 2 if turns else float(curve.coefficients[2]),
        loss_min=float(polynomial(middle - curve.centre)) if turns else None,
        rmse=curve.rmse,
        error=curve.error,
        error_dof=curve.error_dof,
        num_shapes=len(curve.x),
        num_coefficients=len(curve.coefficients),
        ratio=tuple(np.exp(x).tolist()),
        loss=tuple(curve.predict(x).tolist()),
        low=None if band is None else tuple(band[0]),
        high=None if band is None else tuple(band[1]),
    )


def _points(own: pd.DataFrame, *, used: IntArray, limit: float) -> tuple[Point, ...]:
    """A point a shape: whether the curve used it, and whether its loss is within the limit."""
    names = ["depth", "width", "ratio", "params", "loss", "adjusted", "num_runs"]
    rows = own[names].astype({"depth": int, "width": int})
    rows = rows.assign(in_window=np.isin(np.arange(len(own)), used), within_delta=own["adjusted"] <= limit)
    return tuple(Point(**{str(name): value for name, value in row.items()}) for row in rows.to_dict("records"))
