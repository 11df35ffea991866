"""An estimate with its interval, and the scale on which that is symmetric: logit in 0 to 1, log above 0, else plain.

An interval on the logit or log scale never contains 0. Where a quantity may truly be 0, as AOFE and its ratio are for a
diagonal G, the plain scale is used instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import torch
from scipy.special import stdtrit
from torch import Tensor

# Of what is drawn at random, one below a round number: its (1 + number) quantiles at 95% and 99% fall on replicates.
REPLICATES = 999

BETWEEN_0_AND_1 = ("aofe_ratio", "null_ratio", "mean_cos2", "aofe_scale_free")
SIGNED = ("excess_ratio",)
# quantity -> the one that decides whether both may be 0: AOFE and what follows from it vanish together, and the ratio
# does not grow with the scale of the outputs, so that one large cluster does not make it look uncertain
VANISHES_WITH = {
    "aofe": "aofe_ratio",
    "aofe_ratio": "aofe_ratio",
    "aofe_scale_free": "aofe_ratio",
    "mean_cos2": "aofe_ratio",
    "null_ratio": "null_ratio",
}

# The logit of a quantity at the end of its range: beyond any ratio that float64 sums over pairs separate from 0 or 1.
EDGE = 1e-9
# exp of it is near the largest float64; an interval on the log scale may reach further.
MOST_LOG = 700.0


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A number with its uncertainty: standard error and a two-sided interval."""

    value: float
    stderr: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float]:
        """The four numbers by name, ready for JSON."""
        return asdict(self)


def student_quantile(probability: float, *, degrees: int | float) -> float:
    """Quantile of Student's t."""
    return float(stdtrit(degrees, probability))


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A monotone change of variable.

    Attributes:
        there: From the quantity to the scale; values outside the range are moved to its edge.
        back: From the scale to the quantity.
        slope: The derivative of `there`: turns a standard error of the quantity into one on the scale.
    """

    there: Callable[[Tensor], Tensor]
    back: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]


def _inside(value: Tensor) -> Tensor:
    """Clear of 0 and 1."""
    return value.clamp(EDGE, 1 - EDGE)


def _above_0(value: Tensor) -> Tensor:
    """Clear of 0."""
    return value.clamp(min=torch.finfo(value.dtype).tiny)


LOGIT = Scale(
    there=lambda value: _inside(value).log() - (-_inside(value)).log1p(),
    back=torch.sigmoid,
    slope=lambda value: 1 / (_inside(value) * (1 - _inside(value))),
)
LOG = Scale(
    there=lambda value: _above_0(value).log(),
    back=lambda value: value.clamp(max=MOST_LOG).exp(),
    slope=lambda value: 1 / _above_0(value),
)
PLAIN = Scale(there=lambda value: value, back=lambda value: value, slope=torch.ones_like)


def own_scale(name: str) -> Scale:
    """The scale of a quantity that is clear of the ends of its range."""
    return LOGIT if name in BETWEEN_0_AND_1 else PLAIN if name in SIGNED else LOG


def at_an_end(name: str, values: Mapping[str, Tensor], *, reaches: Mapping[str, Tensor]) -> Tensor:
    """Whether a quantity needs the plain scale: its estimate lies outside its range, or it may truly be 0.

    Args:
        name: The quantity.
        values: Estimates by name, of any one shape.
        reaches: Half widths of their intervals on the plain scale.

    Example:
        >>> ratio, reach = torch.tensor([0.4, 0.4, -0.1]), torch.tensor([0.1, 0.5, 0.05])
        >>> at_an_end("aofe_ratio", {"aofe_ratio": ratio}, reaches={"aofe_ratio": reach}).tolist()
        [False, True, True]
    """
    most = 1.0 if name in BETWEEN_0_AND_1 else torch.inf
    outside = (values[name] <= 0) | (values[name] >= most)
    decides = VANISHES_WITH.get(name)
    return outside if decides is None else outside | (values[decides] <= reaches[decides])


def interval(name: str, values: Mapping[str, Tensor], *, reaches: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Both ends of the interval of a quantity; arguments as in `at_an_end`."""
    value, reach, scale = values[name], reaches[name], own_scale(name)
    plain, middle, way = at_an_end(name, values, reaches=reaches), scale.there(value), reach * scale.slope(value)
    low, high = (torch.where(plain, value + sign * reach, scale.back(middle + sign * way)) for sign in (-1, 1))
    return low, high
