"""A power law between a measured quantity and the loss over a handful of models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEAST_MODELS = 3


@dataclass(frozen=True, kw_only=True)
class PowerFit:
    """loss = A quantity^exponent, least squares on logarithms.

    Attributes:
        quantity: What the loss is a power of.
        exponent: Its power.
        r_squared: Share of the variance of log loss that it explains.
        num_models: Models behind it.
    """

    quantity: str
    exponent: float
    r_squared: float
    num_models: int


def fit_power(quantity: str, values: Sequence[float], losses: Sequence[float]) -> PowerFit | None:
    """The power law, or None where there are too few models, or a value is not positive, or all are the same.

    Example:
        >>> fit = fit_power("aofe", [1.0, 4.0, 16.0], [8.0, 4.0, 2.0])
        >>> round(fit.exponent, 6), round(fit.r_squared, 6)
        (-0.5, 1.0)
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
    )
