"""Is one network's interaction larger than another's? Differences with intervals."""

from __future__ import annotations

import math

import torch

from interlaw.errors import InterlawError
from interlaw.interaction.grams import LEVEL, NULLS, QUANTITIES, Estimate, leave_one_out, student_quantile, widened
from interlaw.interaction.result import Interaction

# settings that make two G of one kind
KIND = ("null", "positions", "outputs", "center", "scale")
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
    """A - b for every quantity, with a Student interval.

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
    spreads = _paired_spreads(a, b) if paired else _independent_spreads(a, b)
    differences = {}
    for name, (stderr, degrees) in spreads.items():
        value = getattr(a, name).value - getattr(b, name).value
        reach = student_quantile(0.5 + level / 2, degrees=degrees) * stderr
        differences[name] = Estimate(value=value, stderr=stderr, low=value - reach, high=value + reach)
    differences["excess"] = widened(differences["excess"], _spread_over_bases(a, b), level=level)
    return differences


def _spread_over_bases(a: Interaction, b: Interaction) -> float:
    """Of the difference: each network's basis is drawn by itself, so that variances add."""
    return math.hypot(*(one.basis_spread or 0.0 for one in (a, b)))


def _require_alike(a: Interaction, b: Interaction, *, across: bool) -> None:
    """Checks that both are about the same kind of matrix."""
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
    """Checks that both saw the same clusters and have what pairing needs."""
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
    return f"{(one.inputs or 'unknown')[:8]} ({one.num_clusters} in {one.num_groups} groups)"


def _independent_spreads(a: Interaction, b: Interaction) -> dict[str, tuple[float, float]]:
    """Errors of differences of independent estimates, and Welch's degrees of freedom."""
    spreads = {}
    for name in (*QUANTITIES, "null", "excess"):
        squares = [(getattr(one, name).stderr ** 2, one.num_groups - 1) for one in (a, b)]
        total = sum(square for square, _ in squares)
        parts = sum(square**2 / degrees for square, degrees in squares)
        spreads[name] = (math.sqrt(total), total**2 / parts if parts > 0 else float(squares[0][1]))
    return spreads


def _paired_spreads(a: Interaction, b: Interaction) -> dict[str, tuple[float, float]]:
    """Jackknife errors of the difference, the same group left out of both."""
    assert a.grams is not None
    assert b.grams is not None
    null = NULLS[a.settings["null"]]
    without_a, without_b = leave_one_out(a.grams, null=null), leave_one_out(b.grams, null=null)
    groups = len(a.grams.counts)
    spreads = {}
    for name, values in without_a.items():
        difference = values - without_b[name]
        spread = float((difference - difference.mean()).square().sum())
        shown = name.removesuffix("_ratio") if name in ("null_ratio", "excess_ratio") else name
        spreads[shown] = (math.sqrt(spread * (groups - 1) / groups), float(groups - 1))
    return spreads
