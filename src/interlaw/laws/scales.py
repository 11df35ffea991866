"""The scale on which a quantity is averaged, tested and drawn from: log, or logit of a ratio."""

from __future__ import annotations

import numpy as np

from interlaw.laws.rows import FloatArray

LOGS = ("aofe", "aofe_scale_free")


def to_scale(quantity: str, value: FloatArray) -> FloatArray:
    """Log of an energy, logit of a ratio, the rest as it is; NaN where that has no value.

    An average of energies is one run's where runs differ by factors of ten: one seed of eight has carried 99% of it.

    Example:
        >>> import numpy as np
        >>> to_scale("aofe_ratio", np.array([0.5, 1.2]))
        array([ 0., nan])
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        if quantity == "aofe_ratio":
            scaled = np.log(value / (1 - value))
        else:
            scaled = np.log(value) if quantity in LOGS else value
    return np.where(np.isfinite(scaled), scaled, np.nan)


def error_on_scale(quantity: str, value: FloatArray, *, stderr: FloatArray) -> FloatArray:
    """Error variance on the scale, to first order."""
    with np.errstate(invalid="ignore", divide="ignore"):
        if quantity == "aofe_ratio":
            slope = 1 / (value * (1 - value))
        else:
            slope = 1 / value if quantity in LOGS else np.ones_like(value)
        variance = (slope * stderr) ** 2
    return np.where(np.isfinite(to_scale(quantity, value)), variance, np.nan)


def from_scale(quantity: str, scaled: FloatArray) -> FloatArray:
    """The inverse of `to_scale`."""
    if quantity == "aofe_ratio":
        return np.asarray(1 / (1 + np.exp(-scaled)), dtype=np.float64)
    return np.exp(scaled) if quantity in LOGS else scaled
