"""What may be said about the minimum of one budget: a number only where the data bound it on both sides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import special

from interlaw.laws.loss_curve import LossCurve
from interlaw.laws.result import RStar
from interlaw.laws.rows import FloatArray
from interlaw.laws.settings import NORMAL_MEDIAN, POWER, ROUNDING
from interlaw.size import counted, format_ratio

# Of losses that fall and then stay level, at most 6% are called an optimum (docs/law.md); each point less hides two to
# four per cent of the minima that lie one shape from the end of a grid of seven with one seed.
RISE_LEVEL = 0.065
_TOWARDS = {"low": "fewer and wider layers", "high": "more and narrower layers"}
_MISSING = {"low": "lower", "high": "upper"}


def decide_r_star(
    x: FloatArray, y: FloatArray, *, curve: LossCurve | None, confidence: float, size_effect: float, limit: float
) -> RStar:
    """Ask in turn: is there room for an error bar, does R not mirror N, does the loss differ from a constant, does it
    turn inside the grid, and does the interval of the turn end inside the grid on both sides.

    Deciding by the lowest of noisy means and accepting one bound calls an optimum in up to a third of curves that have
    none (docs/law.md).

    x and y are log ratio, ascending, and loss at equal size of all shapes, `curve` that through those near the minimum,
    `confidence` also 1 minus the level of the test against a constant, and `size_effect` the largest shift of log L
    because sizes rise or fall with R: one above `limit` leaves nothing to compare.
    """
    if len(x) == 1:
        return RStar(status="too_few_shapes", reason="only one shape was run: there is nothing to compare it with")
    if size_effect > limit:
        reason = (
            f"sizes change with R, which shifts the loss at an end of the grid by {size_effect:.1%} (more than "
            f"{limit:.2%}): R only mirrors the size"
        )
        return RStar(status="not_comparable", reason=reason)
    if curve is None or (len(x) < 4 and not len(curve.draws)):  # a parabola goes through any three
        count, ratios = len(x), len(np.unique(np.round(x, 12)))
        if ratios < 3:
            shown = f"{count} shapes" if ratios == count else f"{count} shapes of {counted(ratios, 'ratio')}"
            reason = f"{shown} have no curve, which takes three ratios: run at least 5"
        else:
            reason = f"{count} shapes without repeated seeds leave no room for an error bar: run at least 5"
        return RStar(status="too_few_shapes", reason=reason)
    if np.ptp(y) <= ROUNDING * y.mean():
        return RStar(status="flat", reason="every shape has the same loss: nothing to choose between")
    if curve.flatness() > 1 - confidence:
        return _flat(x, curve, confidence=confidence)
    return _turn(x, y, curve=curve, confidence=confidence)


def _flat(x: FloatArray, curve: LossCurve, *, confidence: float) -> RStar:
    """No difference, with the smallest one that these shapes could show."""
    star = RStar(status="flat", reason="", detectable=curve.detectable(confidence=confidence))
    where, ends = "the loss", "the grid"
    if len(curve.x) < len(x):  # shapes far above the best differ, and are no part of the curve
        where, ends = "from R = {} to {} the loss".format(*map(format_ratio, np.exp(curve.x[[0, -1]]))), "that range"
    reason = (
        f"{where} varies by no more than its noise; a rise of {star.detectable_text} from the middle to the ends of "
        f"{ends} would be seen in {POWER:.0%} of such sweeps"
    )
    return replace(star, reason=reason)


def _turn(x: FloatArray, y: FloatArray, *, curve: LossCurve, confidence: float) -> RStar:
    """`edge`, `open` or `optimum` of a curve that is not flat."""
    vertex, tail = curve.minimum(), (1 - confidence) / 2
    ends = np.quantile(curve.turns, [tail, 1 - tail], method="closest_observation")
    # an end outside the grid is one that the data do not set
    low, high = (float(np.exp(end)) if x[0] < end < x[-1] else None for end in ends)
    reason = "the loss turns inside the grid"
    star = RStar(status="optimum", reason=reason, low=low, high=high, log_stderr=_spread(curve.turns))
    if not x[0] < vertex < x[-1]:
        edge = "low" if vertex <= x[0] else "high"
        reason = f"the loss still falls towards {_TOWARDS[edge]} where the grid ends"
        return replace(star, status="edge", reason=reason, edge=edge)
    bounds = {"low": low, "high": high}
    missing = [side for side, bound in bounds.items() if bound is None or not _rises(x, y, curve=curve, side=side)]
    if not missing:
        return replace(star, value=float(np.exp(vertex)))
    words = " or ".join(_MISSING[side] for side in missing)
    reason = (
        f"the loss turns near R = {format_ratio(np.exp(vertex))}, and the data give no {words} bound inside the grid"
    )
    side = "both" if len(missing) == 2 else missing[0]
    return replace(star, status="open", reason=reason, open_side=side, **dict.fromkeys(missing))


def _rises(x: FloatArray, y: FloatArray, *, curve: LossCurve, side: str) -> bool:
    """Whether the shapes from the turn to one end rise by themselves: a one-sided t test on their parabola."""
    # a loss that falls and then stays level makes any polynomial turn; the shapes on the level part do not rise
    if curve.error_dof < 1 or not curve.error > 0:
        return True
    vertex = curve.minimum()
    nearest = int(np.argmin(np.abs(x - vertex)))
    rows = slice(min(nearest, len(x) - 2), None) if side == "high" else slice(None, max(nearest, 1) + 1)
    beyond = x[rows] - vertex if side == "high" else vertex - x[rows]
    away = np.maximum(beyond, 0.0) ** 2  # a shape before the turn says nothing of a rise beyond it
    away = away - away.mean()
    error = curve.error * float(np.sqrt(away @ away))
    return bool(float(away @ y[rows]) > float(special.stdtrit(curve.error_dof, 1 - RISE_LEVEL)) * error)


def _spread(draws: FloatArray) -> float | None:
    """Standard deviation from the quartiles, which a few draws without a minimum do not move."""
    quarter, three_quarters = np.quantile(draws, [0.25, 0.75], method="closest_observation")
    bounded = np.isfinite([quarter, three_quarters]).all()
    return float(three_quarters - quarter) / (2 * NORMAL_MEDIAN) if bounded else None
