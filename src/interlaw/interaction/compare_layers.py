"""Two networks layer by layer: the difference of the excess over chance in each layer, and of its mean over layers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from interlaw.errors import InterlawError
from interlaw.interaction.compare import compare, same_clusters
from interlaw.interaction.grams import LEVEL, NULLS, Estimate, leave_one_out, student_quantile, widened
from interlaw.interaction.layers import Layers


@dataclass(frozen=True, kw_only=True)
class LayersDifference:
    """A - b of the AOFE-ratio's excess over chance.

    Attributes:
        mean: Of the mean over all layers of each network.
        layers: By name of the layer, where both networks have the same layers; intervals that hold together.
        level: Coverage: of the mean's interval, and of all the layers' intervals together (Bonferroni).
    """

    mean: Estimate
    layers: dict[str, Estimate]
    level: float

    def count(self) -> tuple[int, int, int]:
        """Layers where a is larger, where b is, and where neither can be told to be."""
        larger = sum(one.low > 0 for one in self.layers.values())
        smaller = sum(one.high < 0 for one in self.layers.values())
        return larger, smaller, len(self.layers) - larger - smaller

    def to_dict(self) -> dict[str, Any]:
        """The numbers by name, ready for JSON."""
        return {
            "mean_excess": self.mean.to_dict(),
            "layers": {name: one.to_dict() for name, one in self.layers.items()},
            "level": self.level,
        }


def compare_layers(a: Layers, b: Layers, *, level: float = LEVEL) -> LayersDifference:
    """A - b of the excess over chance, in each layer and on average over layers.

    The mean's error comes from leaving out one group of samples in all layers at once, since layers share their
    samples. As in a measurement's `excess`, intervals also hold the spread over random bases: two networks that differ
    in their seed alone are told apart no more often than the level says. Layers are compared one by one where both
    networks have the same names; else there is no telling which belongs to which.

    Args:
        a: The layers of a network.
        b: Those of another, of the same view and settings; on the same samples, their shared spread cancels.
        level: Coverage of the intervals.

    Raises:
        InterlawError: One of them is empty, or what was measured differs.

    Example:
        >>> import torch
        >>> from interlaw.interaction import measure_layers
        >>> x = torch.randn(16, 3)
        >>> found = measure_layers(torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh()), x)
        >>> compare_layers(found, found).mean.value
        0.0

    Source: Welch 1947 (degrees of freedom of independent samples).
    """
    if not a or not b:
        raise InterlawError("expected two networks with layers, found one without; measure its layers first")
    together = 1 - (1 - level) / len(a)
    alike = {row.name for row in a} | set(a.left_out) == {row.name for row in b} | set(b.left_out)
    others = {row.name: row.interaction for row in b} if alike else {}
    found = {}
    for row in a:
        other = others.get(row.name)
        if other is not None:
            paired = same_clusters(row.interaction, other)
            found[row.name] = compare(row.interaction, other, paired=paired, across=True, level=together)["excess"]
    return LayersDifference(mean=_mean_difference(a, b, level=level), layers=found, level=level)


def _mean_difference(a: Layers, b: Layers, *, level: float) -> Estimate:
    """Of the means over layers: paired where both saw the same samples, else Welch's."""
    compare(a[0].interaction, b[0].interaction, across=True)  # refuses what is not comparable
    value = _mean(a) - _mean(b)
    first, second = _without_each(a), _without_each(b)
    if same_clusters(a[0].interaction, b[0].interaction):
        stderr, degrees = _spread(first - second), float(len(first) - 1)
    else:
        squares = [(_spread(one) ** 2, len(one) - 1) for one in (first, second)]
        total = sum(square for square, _ in squares)
        parts = sum(square**2 / free for square, free in squares)
        stderr, degrees = math.sqrt(total), total**2 / parts if parts > 0 else float(squares[0][1])
    reach = student_quantile(0.5 + level / 2, degrees=degrees) * stderr
    over_samples = Estimate(value=value, stderr=stderr, low=value - reach, high=value + reach)
    return widened(over_samples, math.hypot(*(_mean_spread(one) for one in (a, b))), level=level)


def _mean_spread(layers: Layers) -> float:
    """Of the mean excess over bases, at its largest: as if all layers had one basis."""
    return sum(row.interaction.basis_spread or 0.0 for row in layers) / len(layers)


def _mean(layers: Layers) -> float:
    return sum(row.interaction.excess_ratio for row in layers) / len(layers)


def _without_each(layers: Layers) -> Tensor:
    """The mean excess over layers with one group of samples left out, for each group in turn."""
    found = []
    for row in layers:
        one = row.interaction
        assert one.grams is not None
        found.append(leave_one_out(one.grams, null=NULLS[one.settings["null"]])["excess_ratio"])
    return torch.stack(found).mean(0)


def _spread(values: Tensor) -> float:
    """The jackknife's standard error from values with one group left out."""
    return math.sqrt(float((values - values.mean()).square().sum()) * (len(values) - 1) / len(values))
