"""The learning rate of one shape, by trying: a log grid, widened while its best rate is at an end, then a parabola."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

MAX_EXTENSIONS = 4  # judgement: a search whose loss falls on and on ends with the last rate tried
DIGITS = 3  # of a chosen rate: enough, and the same on every machine


def next_rates(losses: Mapping[float, float], grid: Sequence[float]) -> tuple[list[float], float | None]:
    """What to try next, or the rate to take.

    Args:
        losses: Validation loss of each rate tried; inf where the trial diverged or failed.
        grid: The recipe's rates, at least three, at equal ratios.

    Returns:
        Rates still to be tried (empty when the search is over), and the chosen rate: the vertex of the parabola in log
        rate through the best rate and its neighbours. None while the search goes on, or when no rate ever worked.

    Example:
        >>> grid = [0.001, 0.002, 0.004]
        >>> next_rates({}, grid)
        ([0.001, 0.002, 0.004], None)
        >>> next_rates({0.001: 2.3, 0.002: 2.1, 0.004: 2.0}, grid)
        ([0.008], None)
        >>> next_rates({0.001: 2.3, 0.002: 2.1, 0.004: 2.0, 0.008: 2.1}, grid)
        ([], 0.004)
    """
    missing = [rate for rate in grid if rate not in losses]
    if missing:
        return missing, None
    tried = sorted(losses)
    best = min(tried, key=lambda rate: (losses[rate], rate))
    factor = (grid[-1] / grid[0]) ** (1 / (len(grid) - 1))
    may_extend = len(tried) < len(grid) + MAX_EXTENSIONS
    if best == tried[0] and may_extend:
        return [_rounded(best / factor)], None
    if best == tried[-1] and may_extend:
        return [_rounded(best * factor)], None
    if not math.isfinite(losses[best]):
        return [], None
    return [], best_rate(tried, [losses[rate] for rate in tried])


def best_rate(rates: Sequence[float], losses: Sequence[float]) -> float:
    """The vertex where the best of the ascending rates has neighbours, else the best rate itself."""
    best = losses.index(min(losses))
    around = slice(best - 1, best + 2)
    return rates[best] if best in (0, len(rates) - 1) else _vertex(rates[around], losses[around])


def _vertex(rates: Sequence[float], losses: Sequence[float]) -> float:
    """The minimum of the parabola in log rate through three points whose middle one is lowest."""
    if not all(math.isfinite(loss) for loss in losses):
        return rates[1]
    low, middle, high = (math.log(rate) for rate in rates)
    left, right = (losses[1] - losses[0]) / (middle - low), (losses[2] - losses[1]) / (high - middle)
    curvature = (right - left) / (high - low)
    if curvature <= 0:
        return rates[1]
    return _rounded(math.exp((low + middle) / 2 - left / (2 * curvature)))


def _rounded(rate: float) -> float:
    """A rate to so many digits that every machine chooses the same."""
    return float(f"{rate:.{DIGITS}g}")
