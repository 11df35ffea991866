"""A power law between a measured quantity and the loss over a handful of models, and whether chance gives as much."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST_MODELS = 3
MOST_ENUMERATED = 7
NUM_PERMUTATIONS = 9999


@dataclass(frozen=True, kw_only=True)
class PowerFit:
    """loss = A quantity^exponent, least squares on logarithms.

    Attributes:
        quantity: What the loss is a power of.
        exponent: Its power.
        r_squared: Share of the variance of log loss that it explains.
        num_models: Models behind it.
        p_value: Share of the ways to deal the losses to the models that explain as much: all ways up to seven models,
            9999 random ones and the observed one beyond.
    """

    quantity: str
    exponent: float
    r_squared: float
    num_models: int
    p_value: float

    def __str__(self) -> str:
        """The fit in words."""
        return f"exponent {self.exponent:+.3g}, R^2 {self.r_squared:.2f} (p = {self.p_value:.2g})"


def fit_power(quantity: str, values: Sequence[float], losses: Sequence[float], *, seed: int = 0) -> PowerFit | None:
    """The power law, or None where there are too few models, or a value is not positive, or all are the same.

    Example:
        >>> fit = fit_power("aofe", [1.0, 4.0, 16.0, 64.0, 256.0], [16.0, 8.0, 4.0, 2.0, 1.0])
        >>> round(fit.exponent, 6), round(fit.r_squared, 6), round(fit.p_value, 4)  # 2 of 120 orders
        (-0.5, 1.0, 0.0167)
    """
    x, y = np.asarray(values, dtype=np.float64), np.asarray(losses, dtype=np.float64)
    if len(x) < LEAST_MODELS or not (np.isfinite(x).all() and (x > 0).all() and (y > 0).all()):
        return None
    log_x, log_y = np.log(x), np.log(y)
    if np.ptp(log_x) < 1e-9 or np.ptp(log_y) < 1e-12:
        return None
    exponent, intercept = np.polyfit(log_x, log_y, 1)
    left = log_y - intercept - exponent * log_x
    return PowerFit(
        quantity=quantity,
        exponent=float(exponent),
        r_squared=float(1 - left.var() / log_y.var()),
        num_models=len(x),
        p_value=_p_value(log_x - log_x.mean(), log_y - log_y.mean(), seed=seed),
    )


def _p_value(x: NDArray[np.float64], y: NDArray[np.float64], *, seed: int) -> float:
    """Two-sided, of the correlation; x and y centred."""
    observed = abs(x @ y) * (1 - 1e-9)
    if len(x) <= MOST_ENUMERATED:
        dealt = np.array(list(itertools.permutations(y)))
        return float((np.abs(dealt @ x) >= observed).mean())
    dealt = np.random.default_rng(seed).permuted(np.tile(y, (NUM_PERMUTATIONS, 1)), axis=1)
    return float((1 + (np.abs(dealt @ x) >= observed).sum()) / (1 + NUM_PERMUTATIONS))
