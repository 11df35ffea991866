"""What may be said about the minimum of one budget: a number only where the data bound it on both sides."""

from __future__ import annotations

from typing import Any

import numpy as np

from interlaw.laws.loss_curve import LossCurve
from interlaw.laws.result import RStar
from interlaw.laws.table import FloatArray

_ENDS = {"low": "shallowest and widest", "high": "deepest and narrowest"}
_MISSING = {"low": "lower", "high": "upper"}


def decide_r_star(
    x: FloatArray, y: FloatArray, curve: LossCurve | None, *, confidence: float, size_effect: float, limit: float
) -> RStar:
    """Ask in turn: is there room for an error bar, does R not mirror N, does the loss differ from a constant, does it
    turn inside the grid, and does the interval of the turn end inside the grid on both sides.

    Deciding by the lowest of noisy means and accepting one bound calls an optimum in up to a third of curves that have
    none (docs/law.md).

    Args:
        x: Log ratio of all shapes of the budget, ascending.
        y: Their loss at equal size.
        curve: Fitted to those near the minimum; None with fewer than three.
        confidence: Level of the interval, and 1 minus the level of the test against a constant.
        size_effect: Largest shift of log L because sizes rise or fall with R.
        limit: The largest shift that leaves shapes comparable.
    """
    if len(x) == 1:
        return _nothing("too_few_shapes", "only one shape was run: there is nothing to compare it with")
    if size_effect > limit:
        return _nothing(
            "not_comparable",
            f"sizes change with R, which shifts the loss at an end of the grid by {size_effect:.1%} (more than "
            f"{limit:.2%}): R only mirrors the size",
        )
    if curve is None or (len(x) < 4 and not len(curve.draws)):
        return _nothing(
            "too_few_shapes", f"{len(x)} shapes without repeated seeds leave no room for an error bar: run at least 5"
        )
    if np.ptp(y) <= 1e-9 * y.mean():
        return _nothing("flat", "every shape has the same loss: nothing to choose between")
    if curve.flatness() > 1 - confidence:
        return _nothing("flat", "the loss does not differ from a constant by more than its noise")
    return _turn(x, curve, confidence=confidence)


def _turn(x: FloatArray, curve: LossCurve, *, confidence: float) -> RStar:
    """`edge`, `open` or `optimum` of a curve that is not flat."""
    vertex, draws = curve.minimum(), curve.drawn_minima()
    tail = (1 - confidence) / 2
    low, high = np.quantile(draws, [tail, 1 - tail], method="closest_observation")
    bounds: dict[str, Any] = {"low": _bound(low, x), "high": _bound(high, x), "log_stderr": _spread(draws)}
    if not x[0] < vertex < x[-1]:
        edge = "low" if vertex <= x[0] else "high"
        reason = f"the fitted loss still falls at the {_ENDS[edge]} end of the grid"
        return RStar(value=None, edge=edge, status="edge", reason=reason, **bounds)
    missing = [side for side in ("low", "high") if bounds[side] is None]
    if missing:
        words = " and ".join(_MISSING[side] for side in missing)
        return RStar(
            value=None,
            edge=None,
            open_side="both" if len(missing) == 2 else missing[0],
            status="open",
            reason=f"the loss turns inside the grid, but its interval has no {words} bound there",
            **bounds,
        )
    return RStar(
        value=float(np.exp(vertex)), edge=None, status="optimum", reason="the loss turns inside the grid", **bounds
    )


def _nothing(status: str, reason: str) -> RStar:
    return RStar(value=None, low=None, high=None, edge=None, status=status, reason=reason)


def _bound(log_ratio: float, x: FloatArray) -> float | None:
    """A ratio, or None where the bound does not lie inside the grid: the data do not set it."""
    return float(np.exp(log_ratio)) if x[0] < log_ratio < x[-1] else None


def _spread(draws: FloatArray) -> float | None:
    """Standard deviation from the quartiles, which a few draws without a minimum do not move."""
    quarter, three_quarters = np.quantile(draws, [0.25, 0.75], method="closest_observation")
    spread = float(three_quarters - quarter) / 1.349 if np.isfinite([quarter, three_quarters]).all() else np.inf
    return spread if np.isfinite(spread) else None
