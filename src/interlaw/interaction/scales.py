"""The scale on which an interval is symmetric: logit between 0 and 1, log above 0, plain for differences."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

BETWEEN_0_AND_1 = ("aofe_ratio", "null_ratio", "mean_cos2", "aofe_scale_free")
SIGNED = ("excess_ratio",)

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


def scale_of(name: str, value: float) -> Scale:
    """The scale of a quantity; the plain one where the estimate lies outside the range of the other.

    Example:
        >>> scale_of("aofe_ratio", 0.4).name, scale_of("aofe_ratio", -0.01).name, scale_of("energy", 3.0).name
        ('logit', 'plain', 'log')
    """
    if name in BETWEEN_0_AND_1:
        return Scale(name="logit" if 0.0 < value < 1.0 else "plain")
    return Scale(name="log" if value > 0.0 and name not in SIGNED else "plain")
