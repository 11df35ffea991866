"""A standard error and an interval for everything that is read from K and H, by leaving out groups in turn.

An interval is symmetric on the quantity's own scale: logit between 0 and 1, log above 0, plain for differences. An
interval on the logit or log scale never contains 0. Where a quantity may truly be 0, as AOFE and its kin are for a
diagonal G, the plain scale is used instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import torch
from scipy.special import stdtrit
from torch import Tensor

from interlaw.errors import InterlawError
from interlaw.interaction.grams import Grams, Null, leave_one_out, unbiased

LEVEL = 0.95

# A pair needs two clusters, and an error of a mean over pairs a third to leave out.
LEAST_CLUSTERS = 3

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

# The logit of a quantity at the end of its range: beyond any ratio that float64 sums over pairs can tell from 0 or 1.
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


def jackknife(grams: Grams, *, null: Null, level: float = LEVEL) -> dict[str, Estimate]:
    """Unbiased estimates with jackknife standard errors over the groups of clusters.

    The interval is Student's with (groups - 1) degrees of freedom, taken on the logit scale for quantities between 0
    and 1, on the log scale for positive ones and as it is for differences. Where the plain interval of the AOFE-ratio
    reaches 0, G may be diagonal, and AOFE, ratio, scale-free AOFE and mean cos^2 have plain intervals that contain 0.

    Args:
        grams: K, H and traces.
        null: Chance level of the ratio.
        level: Coverage of the interval.

    Raises:
        InterlawError: Fewer than 3 clusters.

    Source: Efron & Stein 1981 (jackknife variance); Arvesen 1969 (jackknife of U-statistics).
    """
    require_clusters(grams)
    values = unbiased(grams, null=null)
    without = leave_one_out(grams, null=null)
    groups = len(grams.counts)
    quantile = student_quantile(0.5 + level / 2, degrees=groups - 1)
    replicates = torch.stack([without[name] for name in values])
    spread = (replicates - replicates.mean(1, keepdim=True)).square().sum(1)
    stderrs = dict(zip(values, (spread * ((groups - 1) / groups)).sqrt().cpu(), strict=True))
    values = {name: value.cpu() for name, value in values.items()}
    reaches = {name: quantile * error for name, error in stderrs.items()}
    ends = {name: interval(name, values, reaches) for name in values}
    return {
        name: Estimate(
            value=float(value), stderr=float(stderrs[name]), low=float(ends[name][0]), high=float(ends[name][1])
        )
        for name, value in values.items()
    }


def require_clusters(grams: Grams) -> None:
    """Checks that there are enough clusters for a standard error of a statistic of pairs."""
    if min(grams.num_clusters, len(grams.counts)) < LEAST_CLUSTERS:
        raise InterlawError(
            f"expected at least {LEAST_CLUSTERS} clusters (samples, or sequences of tokens), found "
            f"{grams.num_clusters}; pass more inputs"
        )


def student_quantile(probability: float, *, degrees: int | float) -> float:
    """Quantile of Student's t.

    Example:
        >>> round(student_quantile(0.975, degrees=30), 3)
        2.042
    """
    return float(stdtrit(degrees, probability))


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
        return value.clamp(max=MOST_LOG).exp() if self.name == "log" else value

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
