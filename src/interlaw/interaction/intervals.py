"""The kinds of interval by name, and the bootstrap over clusters, straight from K and H.

Resampling is a reweighting of rows and columns.

Legend: w_bg how often replicate b drew group g; c_g and t_g clusters and trace of a group. Copies of one group are
never paired with each other, so that a replicate remains a U-statistic over pairs of different clusters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from interlaw.errors import InterlawError, require_among
from interlaw.interaction.grams import LEVEL, NULLS, Grams, Null, Totals, from_totals, jackknife, widened
from interlaw.interaction.result import Interaction
from interlaw.interaction.scales import PLAIN, REPLICATES, Estimate, Scale, at_an_end, own_scale, student_quantile


def bootstrap(
    grams: Grams,
    *,
    null: Null,
    studentized: bool = True,
    replicates: int = REPLICATES,
    seed: int = 0,
    level: float = LEVEL,
) -> dict[str, Estimate]:
    """Unbiased estimates with bootstrap intervals over the groups of clusters; standard errors are the jackknife's.

    Args:
        grams: K, H and traces.
        null: Chance level of the ratio.
        studentized: Bootstrap-t: the quantiles of (replicate - estimate) / (the replicate's own jackknife error) on
            the quantity's scale. Otherwise the replicates' plain quantiles, which are too narrow for few clusters.
        replicates: Number of resamples.
        seed: Seed of the resampling.
        level: Coverage of the interval.

    Raises:
        InterlawError: Fewer than 3 clusters.

    Source: Efron & Tibshirani 1993, chapter 12 (bootstrap-t).
    """
    values = jackknife(grams, null=null, level=level)
    groups = len(grams.counts)
    draws = torch.randint(0, groups, (replicates, groups), generator=torch.Generator().manual_seed(seed))
    w = torch.zeros(replicates, groups, dtype=torch.float64).scatter_add_(1, draws, torch.ones(draws.shape).double())
    w = w.to(grams.counts.device)
    resampled = from_totals(grams, totals_of(grams, w), null=null)
    without = from_totals(grams, without_each_copy(grams, w), null=null) if studentized else {}
    tails = torch.tensor([0.5 - level / 2, 0.5 + level / 2], dtype=torch.float64, device=w.device)
    scales = _scales(values, quantile=student_quantile(0.5 + level / 2, degrees=groups - 1))
    estimates = {}
    for name, estimate in values.items():
        if studentized:
            low, high = _studentized(
                scales[name], estimate, resampled=resampled[name], without=without[name], w=w, tails=tails
            )
        else:
            low, high = torch.quantile(resampled[name], tails).tolist()
        estimates[name] = Estimate(value=estimate.value, stderr=estimate.stderr, low=low, high=high)
    return estimates


def totals_of(grams: Grams, w: Float[Tensor, "b g"]) -> Totals:
    """Sums over pairs of different clusters when group g counts w_bg times."""
    c, t = grams.counts, grams.trace
    count, trace = w @ c, w @ t
    return Totals(
        energy=_pairs(w, grams.energy, own=grams.self_energy),
        diagonal=_pairs(w, grams.diagonal, own=grams.self_diagonal),
        trace=trace,
        trace_pairs=trace**2 - w**2 @ t**2 + w @ (t**2 - grams.self_trace),
        pairs=count**2 - w**2 @ c**2 + w @ (c**2 - c),
        count=count,
        weight=w @ grams.weights,
    )


def _pairs(w: Tensor, cross: Tensor, *, own: Tensor) -> Tensor:
    """Weighted sum over pairs: between groups, and inside each copy of a group."""
    apart = cross - torch.diag(cross.diagonal())
    return ((w @ apart) * w).sum(1) + w @ (cross.diagonal() - own)


def without_each_copy(grams: Grams, w: Float[Tensor, "b g"]) -> Totals:
    """The same sums with one copy of group g left out, (b, g); meaningful where w_bg > 0."""
    whole = totals_of(grams, w)
    c, t = grams.counts, grams.trace
    count, trace = whole.count[:, None] - c, whole.trace[:, None] - t
    squares = (w**2 @ torch.stack([c**2, t**2], 1)).unbind(1)
    c_squares, t_squares = (total[:, None] - (2 * w - 1) * x**2 for total, x in zip(squares, (c, t), strict=True))
    inside_c, inside_t = c**2 - c, t**2 - grams.self_trace
    pairs = ((whole.energy, grams.energy, grams.self_energy), (whole.diagonal, grams.diagonal, grams.self_diagonal))
    energy, diagonal = (
        total[:, None] - 2 * (w @ (cross - torch.diag(cross.diagonal()))) - (cross.diagonal() - own)
        for total, cross, own in pairs
    )
    return Totals(
        energy=energy,
        diagonal=diagonal,
        trace=trace,
        trace_pairs=trace**2 - t_squares + (w @ inside_t)[:, None] - inside_t,
        pairs=count**2 - c_squares + (w @ inside_c)[:, None] - inside_c,
        count=count,
        weight=whole.weight[:, None] - grams.weights,
    )


def _scales(estimates: Mapping[str, Estimate], *, quantile: float) -> dict[str, Scale]:
    """The scale of each quantity, chosen as the jackknife's intervals choose it."""
    values = {name: torch.tensor(one.value, dtype=torch.float64) for name, one in estimates.items()}
    reaches = {name: torch.tensor(quantile * one.stderr, dtype=torch.float64) for name, one in estimates.items()}
    return {name: PLAIN if at_an_end(name, values, reaches=reaches) else own_scale(name) for name in estimates}


def _studentized(
    scale: Scale, estimate: Estimate, *, resampled: Tensor, without: Tensor, w: Tensor, tails: Tensor
) -> tuple[float, float]:
    """The bootstrap-t interval on the quantity's scale."""
    groups = w.shape[1]
    mean = (w * without).sum(1) / groups
    spread = (w * (without - mean[:, None]) ** 2).sum(1) * (groups - 1) / groups
    value = torch.tensor(estimate.value, dtype=torch.float64, device=w.device)
    # On the scale both the replicate and its error are those of the transformed quantity.
    errors = spread.sqrt() * scale.slope(resampled)
    t = (scale.there(resampled) - scale.there(value)) / errors
    t = t[torch.isfinite(t)]
    if not len(t):  # all replicates are alike, as those of a linear network
        return estimate.value, estimate.value
    low, high = torch.quantile(t, tails).tolist()
    stderr = estimate.stderr * scale.slope(value)
    middle = scale.there(value)
    return float(scale.back(middle - high * stderr)), float(scale.back(middle - low * stderr))


INTERVALS = ("jackknife", "bootstrap-t", "percentile")


def with_intervals(measurement: Interaction, kind: str, *, level: float | None = None, seed: int = 0) -> Interaction:
    """The measurement with other intervals; values and standard errors stay.

    Args:
        measurement: A measurement with its Gram matrices.
        kind: "jackknife", "bootstrap-t" or "percentile".
        level: Coverage; the measurement's own when None.
        seed: Seed of the resampling.

    Raises:
        InterlawError: No such kind, or the measurement came from JSON alone.

    Example:
        >>> import torch
        >>> from interlaw.interaction import measure
        >>> measured = measure(torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh()), torch.randn(32, 3))
        >>> with_intervals(measured, "bootstrap-t").aofe.value == measured.aofe.value
        True
    """
    require_among("an interval", kind, known=INTERVALS)
    if measurement.grams is None:
        raise InterlawError("expected a measurement with its Gram matrices, found none; keep its .npz beside its .json")
    level = measurement.settings["level"] if level is None else level
    null = NULLS[measurement.settings["null"]]
    if kind == "jackknife":
        estimates: dict[str, Any] = dict(jackknife(measurement.grams, null=null, level=level))
    else:
        studentized = kind == "bootstrap-t"
        estimates = dict(bootstrap(measurement.grams, null=null, level=level, studentized=studentized, seed=seed))
    chance, excess = estimates.pop("null_ratio"), estimates.pop("excess_ratio")
    excess = widened(excess, measurement.basis_spread or 0.0, level=level)
    settings = {**measurement.settings, "level": level, "interval": kind}
    return replace(measurement, settings=settings, null=chance, excess=excess, **estimates)
