"""Is one network's interaction larger than another's? Differences with intervals."""

from __future__ import annotations

import math

import torch

from interlaw.errors import InterlawError
from interlaw.interaction.energies import QUANTITIES
from interlaw.interaction.estimates import LEVEL, Estimate, leave_one_out, student_quantile
from interlaw.interaction.null import NULLS
from interlaw.interaction.result import Interaction


def compare(a: Interaction, b: Interaction, *, paired: bool = False, level: float = LEVEL) -> dict[str, Estimate]:
    """A - b for every quantity, with a Student interval.

    Args:
        a: A measurement.
        b: Another of the same view.
        paired: Both measured the same clusters in the same order: the spread that they share cancels. Needs the Gram
            matrices, which a measurement loaded from JSON alone does not have.
        level: Coverage of the intervals.

    Returns:
        Differences by name of the quantity, `excess` and `null` included.

    Raises:
        InterlawError: The views differ, or the measurements cannot be paired.

    Example:
        >>> import torch
        >>> from interlaw.interaction import measure
        >>> x = torch.randn(32, 3)
        >>> a, b = (measure(torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh()), x) for _ in range(2))
        >>> sorted(compare(a, b, paired=True))[:2]
        ['aofe', 'aofe_ratio']
    """
    if (a.view, a.settings.get("null")) != (b.view, b.settings.get("null")):
        raise InterlawError(f"expected two measurements of one view, found '{a.view}' and '{b.view}'")
    names = (*QUANTITIES, "null", "excess")
    errors, degrees = _paired_errors(a, b) if paired else _independent_errors(a, b, names)
    found = {}
    for name in names:
        value, stderr = getattr(a, name).value - getattr(b, name).value, errors[name]
        reach = student_quantile(0.5 + level / 2, degrees=degrees) * stderr
        found[name] = Estimate(value=value, stderr=stderr, low=value - reach, high=value + reach)
    return found


def _independent_errors(a: Interaction, b: Interaction, names: tuple[str, ...]) -> tuple[dict[str, float], int]:
    """Errors of differences of independent estimates, and the degrees of freedom of the smaller one."""
    errors = {name: math.hypot(getattr(a, name).stderr, getattr(b, name).stderr) for name in names}
    return errors, min(a.num_clusters, b.num_clusters) - 1


def _paired_errors(a: Interaction, b: Interaction) -> tuple[dict[str, float], int]:
    """Jackknife errors of the difference, the same group left out of both."""
    if a.grams is None or b.grams is None or not torch.equal(a.grams.counts, b.grams.counts):
        raise InterlawError(
            "expected two measurements of the same clusters with their Gram matrices; measure both on the same inputs "
            "(saved ones need their .npz), or leave paired out"
        )
    null = NULLS[a.settings["null"]]
    without_a, without_b = leave_one_out(a.grams, null=null), leave_one_out(b.grams, null=null)
    groups = len(a.grams.counts)
    errors = {}
    for name, values in without_a.items():
        difference = values - without_b[name]
        spread = float((difference - difference.mean()).square().sum())
        errors[name.removesuffix("_ratio") if name in ("null_ratio", "excess_ratio") else name] = math.sqrt(
            spread * (groups - 1) / groups
        )
    return errors, groups - 1
