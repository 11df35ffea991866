"""The scale on which an interval is symmetric: logit between 0 and 1, log above 0, plain for differences.

An interval on the logit or log scale never contains 0. Where a quantity may truly be 0, as AOFE and its kin are for a
diagonal G, the plain scale is used instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

BETWEEN_0_AND_1 = ("aofe_ratio", "null_ratio", "mean_cos2", "aofe_scale_free")
SIGNED = ("excess_ratio",)
# quantity -> the one that tells whether both may be 0: AOFE and its kin vanish together, and the ratio does not grow
# with the scale of the outputs, so that one large cluster does not make it look uncertain
VANISHES_WITH = {
    "aofe": "aofe_ratio",
    "aofe_ratio": "aofe_ratio",
    "aofe_scale_free": "aofe_ratio",
    "mean_cos2": "aofe_ratio",
    "null_ratio": "null_ratio",
}

EDGE = 1e-9


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A monotone change of variable: `there`, `back`, and the `slope` of there."""

    name: str

    def there(self, value: Tensor) -> Tensor:
        """From the quantity to the scale; values outside the range are moved to its edge."""
        if self.name == "logit":
            inside = value.clamp(EDGE, 1 - EDGE)
            return inside.log() - (-inside).log1p()
        return value.clamp(min=torch.finfo(value.dtype).tiny).log() if self.name == "log" else value

    def back(self, value: Tensor) -> Tensor:
        """From the scale to the quantity."""
        if self.name == "logit":
            return value.sigmoid()
        # An interval may reach further than a float does.
        return value.clamp(max=700.0).exp() if self.name == "log" else value

    def slope(self, value: Tensor) -> Tensor:
        """D there / d value: turns a standard error of the quantity into one on the scale."""
        if self.name == "logit":
            inside = value.clamp(EDGE, 1 - EDGE)
            return 1 / (inside * (1 - inside))
        return 1 / value.clamp(min=torch.finfo(value.dtype).tiny) if self.name == "log" else torch.ones_like(value)


PLAIN = Scale(name="plain")


def own_scale(name: str) -> Scale:
    """The scale of a quantity that is clear of the ends of its range.

    Example:
        >>> own_scale("aofe_ratio").name, own_scale("energy").name, own_scale("excess_ratio").name
        ('logit', 'log', 'plain')
    """
    if name in BETWEEN_0_AND_1:
        return Scale(name="logit")
    return PLAIN if name in SIGNED else Scale(name="log")


def at_an_end(name: str, values: Mapping[str, Tensor], reaches: Mapping[str, Tensor]) -> Tensor:
    """Whether a quantity needs the plain scale: its estimate lies outside its range, or it may truly be 0.

    Args:
        name: The quantity.
        values: Estimates by name, of any one shape.
        reaches: Half widths of their intervals on the plain scale.

    Example:
        >>> ratio, reach = torch.tensor([0.4, 0.4, -0.1]), torch.tensor([0.1, 0.5, 0.05])
        >>> at_an_end("aofe_ratio", {"aofe_ratio": ratio}, {"aofe_ratio": reach}).tolist()
        [False, True, True]
    """
    value = values[name]
    outside = value <= 0
    if name in BETWEEN_0_AND_1:
        outside = outside | (value >= 1)
    if name not in VANISHES_WITH:
        return outside
    decides = VANISHES_WITH[name]
    return outside | (values[decides] <= reaches[decides])


def interval(name: str, values: Mapping[str, Tensor], reaches: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Both ends of the interval of a quantity; arguments as in `at_an_end`."""
    value, reach, scale = values[name], reaches[name], own_scale(name)
    plain = at_an_end(name, values, reaches)
    middle, way = scale.there(value), reach * scale.slope(value)
    low, high = (torch.where(plain, value + sign * reach, scale.back(middle + sign * way)) for sign in (-1, 1))
    return low, high
