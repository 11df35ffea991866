"""Is one network's interaction larger than another's? Differences with intervals, at one place and layer by layer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean

import torch
from torch import Tensor

from interlaw.errors import InterlawError
from interlaw.interaction.grams import LEVEL, NULLS, QUANTITIES, leave_one_out, widened
from interlaw.interaction.layers import Layers
from interlaw.interaction.result import KIND, Interaction
from interlaw.interaction.scales import Estimate, student_quantile
from interlaw.plain import Json

# what two measurements estimate where these differ
ESTIMANDS = {
    "view": "; a view is a matrix G of its own (a mean over tokens, or a sum over context and width), so neither its "
    "energies nor its ratio can be compared with another's",
    "positions": "; 'last' takes the outputs of one token, 'all' the sum over those of every token, so these are two "
    "matrices G",
}
SCALE = (
    "energies, AOFE and trace grow with the scale of the outputs and fall as that of the activations grows; in views "
    "that sum over the context they also grow with its length. Between networks compare the ratio's excess, or "
    "aofe_scale_free"
)


def compare(
    a: Interaction, b: Interaction, *, paired: bool = False, across: bool = False, level: float = LEVEL
) -> dict[str, Estimate]:
    """The difference a - b of every quantity, with a Student interval.

    Degrees of freedom are Welch's where the measurements are independent, the groups' less one where they are paired.
    As in a measurement, the interval of the excess also holds the spread over random bases, paired or not: samples that
    are shared do not make the two bases one. For two states of one network, whose bases are alike, it is too wide.

    Args:
        a: A measurement.
        b: Another of the same view and settings.
        paired: Both measured the same clusters in the same order: the spread that they share cancels. Needs the Gram
            matrices, which a measurement loaded from JSON alone does not have.
        across: Layer and dimension may differ, as those of networks of different width do. The excess is then the
            quantity to look at: it has the chance level of each dimension taken away.
        level: Coverage of the intervals.

    Returns:
        Differences by name of the quantity, `excess` and `null` included.

    Raises:
        InterlawError: What was measured differs, or the measurements cannot be paired.

    Example:
        >>> import torch
        >>> from interlaw.interaction import measure
        >>> x = torch.randn(32, 3)
        >>> a, b = (measure(torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh()), x) for _ in range(2))
        >>> sorted(compare(a, b, paired=True))[:2]
        ['aofe', 'aofe_ratio']

    Source: Welch 1947 (degrees of freedom).
    """
    _require_alike(a, b, across=across)
    if paired:
        _require_paired(a, b)
        without_a, without_b = _without_each(a), _without_each(b)
    differences = {}
    for name in (*QUANTITIES, "null", "excess"):
        first, second = getattr(a, name), getattr(b, name)
        if paired:
            error = _jackknife_error(without_a[name] - without_b[name])
        else:
            error = _welch((first.stderr, a.num_groups), (second.stderr, b.num_groups))
        # each network's basis is drawn by itself, so that variances add
        bases = math.hypot(a.basis_spread or 0.0, b.basis_spread or 0.0) if name == "excess" else 0.0
        differences[name] = _difference(first.value - second.value, error, bases=bases, level=level)
    return differences


def _require_alike(a: Interaction, b: Interaction, *, across: bool) -> None:
    kinds = [{"view": one.view} | {name: one.settings[name] for name in KIND} for one in (a, b)]
    places = [{} if across else {"layer": one.layer, "dim": one.dim} for one in (a, b)]
    for cure, (mine, other) in (("", kinds), ("; pass across=True to compare different places", places)):
        for name, value in mine.items():
            if value != other[name]:
                raise InterlawError(
                    f"expected two measurements of one {name}, found '{value}' and '{other[name]}'"
                    f"{ESTIMANDS.get(name, '')}{cure}"
                )


def _require_paired(a: Interaction, b: Interaction) -> None:
    if a.grams is None or b.grams is None:
        raise InterlawError(
            "expected two measurements with their Gram matrices, found one without; keep the .npz beside the .json, "
            "or leave paired out"
        )
    if not same_clusters(a, b):
        raise InterlawError(
            f"expected two measurements of the same clusters, found inputs {_short(a)} and {_short(b)}; measure both "
            "on the same inputs by the same route, or leave paired out"
        )


def same_clusters(a: Interaction, b: Interaction) -> bool:
    """Whether both saw the same samples in the same groups, so that the spread that they share cancels."""
    return (
        a.grams is not None
        and b.grams is not None
        and a.inputs is not None
        and a.inputs == b.inputs
        and all(torch.equal(getattr(a.grams, name), getattr(b.grams, name)) for name in ("counts", "weights"))
    )


def _short(one: Interaction) -> str:
    """A few characters of the digest of the inputs, and how they were grouped."""
    # 8 of 64 characters: two inputs share them once in four billion pairs
    return f"{(one.inputs or 'unknown')[:8]} ({one.num_clusters} in {one.num_groups} groups)"


@dataclass(frozen=True, kw_only=True)
class LayersDifference:
    """The difference a - b of the AOFE-ratio's excess over chance.

    Attributes:
        mean: Of the mean over all layers of each network.
        layers: By name of the layer, where both networks have the same layers; intervals that hold together.
        level: Coverage: of the mean's interval, and of all the layers' intervals together (Bonferroni).
    """

    mean: Estimate
    layers: dict[str, Estimate]
    level: float

    def count(self) -> tuple[int, int, int]:
        """Layers where a is larger, where b is, and where neither is known to be."""
        larger = sum(one.low > 0 for one in self.layers.values())
        smaller = sum(one.high < 0 for one in self.layers.values())
        return larger, smaller, len(self.layers) - larger - smaller

    def to_dict(self) -> Json:
        """The numbers by name, ready for JSON."""
        return {
            "mean_excess": self.mean.to_dict(),
            "layers": {name: one.to_dict() for name, one in self.layers.items()},
            "level": self.level,
        }


def compare_layers(a: Layers, b: Layers, *, level: float = LEVEL) -> LayersDifference:
    """The difference a - b of the excess over chance, in each layer and on average over layers.

    The mean's error comes from leaving out one group of samples in all layers at once, since layers share their
    samples. As in a measurement's `excess`, intervals also hold the spread over random bases: two networks that differ
    in their seed alone differ no more often than the level says. Layers are compared one by one where both
    networks have the same names; else it is not known which belongs to which.

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
        >>> layers = measure_layers(torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh()), x)
        >>> compare_layers(layers, layers).mean.value
        0.0

    Source: Welch 1947 (degrees of freedom of independent samples).
    """
    if not a or not b:
        raise InterlawError("expected two networks with layers, found one without; measure its layers first")
    together = 1 - (1 - level) / len(a)
    alike = {row.name for row in a} | set(a.left_out) == {row.name for row in b} | set(b.left_out)
    others = {row.name: row.interaction for row in b} if alike else {}
    differences = {}
    for row in a:
        other = others.get(row.name)
        if other is not None:
            paired = same_clusters(row.interaction, other)
            compared = compare(row.interaction, other, paired=paired, across=True, level=together)
            differences[row.name] = compared["excess"]
    return LayersDifference(mean=_mean_difference(a, b, level=level), layers=differences, level=level)


def _mean_difference(a: Layers, b: Layers, *, level: float) -> Estimate:
    """Of the means over layers: paired where both saw the same samples, else Welch's."""
    compare(a[0].interaction, b[0].interaction, across=True)  # refuses what is not comparable
    first, second = (torch.stack([_without_each(row.interaction)["excess"] for row in side]).mean(0) for side in (a, b))
    if same_clusters(a[0].interaction, b[0].interaction):
        error = _jackknife_error(first - second)
    else:
        error = _welch(*((_jackknife_error(one)[0], len(one)) for one in (first, second)))
    means = [fmean(row.interaction.excess_ratio for row in side) for side in (a, b)]
    # at its largest, as if all layers of a network had one basis
    bases = math.hypot(*(fmean(row.interaction.basis_spread or 0.0 for row in side) for side in (a, b)))
    return _difference(means[0] - means[1], error, bases=bases, level=level)


def _difference(value: float, error: tuple[float, float], *, bases: float, level: float) -> Estimate:
    """A difference with Student's interval, which also holds a spread over bases."""
    stderr, degrees = error
    reach = student_quantile(0.5 + level / 2, degrees=degrees) * stderr
    plain = Estimate(value=value, stderr=stderr, low=value - reach, high=value + reach)
    return widened(plain, bases, level=level) if bases else plain


def _without_each(one: Interaction) -> dict[str, Tensor]:
    """Every quantity with one group of samples left out, for each group in turn."""
    assert one.grams is not None
    values = leave_one_out(one.grams, null=NULLS[one.settings["null"]])
    return {**values, "null": values["null_ratio"], "excess": values["excess_ratio"]}


def _jackknife_error(without: Tensor) -> tuple[float, float]:
    """Standard error from values with one group left out, and its degrees of freedom."""
    degrees = float(len(without) - 1)
    return math.sqrt(float((without - without.mean()).square().sum()) * degrees / len(without)), degrees


def _welch(*sides: tuple[float, int]) -> tuple[float, float]:
    """Error of a difference and its degrees of freedom, from the standard errors and groups of independent sides."""
    squares = [(stderr**2, groups - 1) for stderr, groups in sides]
    total = sum(square for square, _ in squares)
    parts = sum(square**2 / degrees for square, degrees in squares)
    return math.sqrt(total), total**2 / parts if parts > 0 else float(squares[0][1])
