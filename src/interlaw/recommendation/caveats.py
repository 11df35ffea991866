"""What a reader of a recommendation must know, in whole sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from interlaw.laws import LawFit
from interlaw.published import PAPER_INTERVAL, RatioPoint
from interlaw.recommendation.interval import RatioInterval
from interlaw.shapes import format_size

# An interval wider than this factor hardly says anything about the shape.
WIDE_FACTOR = 16.0


def caveats(
    interval: RatioInterval,
    *,
    evidence: RatioInterval,
    params: float,
    models: Sequence[RatioPoint],
    fit: LawFit | None,
) -> Iterator[str]:
    """Where the interval comes from, how far it is stretched, and who disagrees.

    Args:
        interval: The interval chosen from.
        evidence: Where the fit, or else the published laws, put it: the same unless the user gave one.
        params: N, total parameters.
        models: Real models of similar size.
        fit: The user's fit, whether or not it could be used.
    """
    if interval is not evidence:
        by = "your fit says" if evidence.source == "fit" else "published laws say"
        yield f"you gave the interval; {by} R = {evidence.low:.4f} to {evidence.high:.4f}, which the penalties follow"
    if fit is None:
        yield (
            "no fit of your own: published laws place the interval, and loss penalties are a rough range from the "
            "flatness of published minima; a fit of your runs would know your data and tuning"
        )
    else:
        yield from _about_fit(fit, evidence, params=params)
    if evidence.source == "published laws" and evidence.extrapolated:
        yield (
            f"{format_size(params)} is extrapolated: fewer than three published laws cover it, so others count at the "
            f"nearest size that they cover, and the interval is wider for it"
        )
    if interval.high / interval.low > WIDE_FACTOR:
        yield f"the interval spans a factor of {interval.high / interval.low:.0f}: it hardly constrains the shape"
    yield _paper(interval)
    if models:
        yield _models(interval, models, params=params)


def _about_fit(fit: LawFit, interval: RatioInterval, *, params: float) -> Iterator[str]:
    """Whether the fit was used, and how far from its budgets."""
    if interval.source == "published laws":
        yield "your fit found no best ratio inside its grid, so it is not used: published laws place the interval"
        return
    if interval.source == "fit" and interval.extrapolated:
        sizes = [format_size(budget.params_mean) for budget in fit.budgets]
        span = sizes[0] if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
        yield (
            f"{format_size(params)} is extrapolated: your fit covers {span} parameters; the interval and the penalties "
            f"are wider for it"
        )
    if interval.source == "fit" and (fit.law is None or fit.law.status != "optimum"):
        yield "your fit has no law over several budgets: its ratio is held constant over size, within published slopes"
    for sentence in fit.warnings:
        yield f"your fit: {sentence}"


def _paper(interval: RatioInterval) -> str:
    """How the interval lies to the paper's."""
    low, high = PAPER_INTERVAL
    if interval.high < low:
        relation = "lies above it (deeper): following that claim means leaving the interval"
    elif interval.low > high:
        relation = "lies below it (shallower): following that claim means leaving the interval"
    else:
        relation = f"shares R = {max(low, interval.low):.3f} to {min(high, interval.high):.3f} with it"
    return f"the interval of arXiv 2605.27989, R = {low:g} to {high:g} (byte-level, up to 10M parameters), {relation}"


def _models(interval: RatioInterval, models: Sequence[RatioPoint], *, params: float) -> str:
    """How many real models of this size lie on which side."""
    where = [interval.position(point.ratio) for point in models]
    return (
        f"of {len(models)} published models within a factor of 1.5 of {format_size(params)}, {where.count('below')} "
        f"are shallower than the interval, {where.count('inside')} inside, {where.count('above')} deeper"
    )
