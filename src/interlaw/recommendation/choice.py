"""Which of the equal-budget shapes to offer: the pick, and others of nearly the same loss that cost less elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from interlaw.errors import InterlawError
from interlaw.recommendation.belief import Belief, RatioInterval
from interlaw.recommendation.dimensions import MULTIPLE_OF, Dimensions, equal_budget_shapes
from interlaw.shapes import Budget, Shape
from interlaw.size import format_size

# A shape that suits hardware fully is worth this much relative loss: the noise of one seed at such sizes.
ROUGHNESS_LOSS = 0.003
# Small models have no choice among multiples of 64: finer ones are tried in this order.
FINER = (32, 16, 8)
# A shape that misses the budget by more is no answer, not even as the nearest one.
FARTHEST = 0.25


def choose_shapes(
    dimensions: Dimensions,
    budget: Budget,
    *,
    belief: Belief,
    interval: RatioInterval,
    tolerance: float,
    delta: float,
    count: int,
) -> tuple[tuple[Shape, ...], tuple[str, ...]]:
    """The pick is the shape of least predicted loss plus a small price for what does not suit hardware.

    Where the user left head_dim and multiple_of open and no multiple of 64 meets the budget inside the interval, finer
    multiples are tried. If still none does, the nearest shapes are offered, with a caveat.

    Args:
        dimensions: Family, vocabulary and what hardware likes.
        budget: The budget to meet.
        belief: Where R* lies.
        interval: Ratios to choose from.
        tolerance: Largest relative miss of the budget.
        delta: How much more relative loss than the pick's another shape may be predicted to have.
        count: How many to offer at most.

    Returns:
        The pick, then others from shallow to deep; and what to say about how they were chosen.

    Raises:
        InterlawError: When nothing comes within a quarter of the budget.
    """
    everything: list[Shape] = []
    for step, tried in _granularities(dimensions):
        shapes = list(equal_budget_shapes(tried, budget))
        everything += shapes
        fitting = [shape for shape in shapes if _miss(shape, budget, interval=interval, tolerance=tolerance) == 0]
        if fitting:
            coarse = (
                f"no shape in multiples of {MULTIPLE_OF} meets the budget inside the interval: these are in {step}s"
            )
            chosen = _spread(fitting, tried, belief=belief, delta=delta, count=count)
            return chosen, (coarse,) if tried is not dimensions else ()
    first = {(shape.depth, shape.width): shape for shape in reversed(everything)}
    near = [shape for shape in first.values() if abs(budget.error(shape)) <= FARTHEST]
    if not near:
        devices = f" over {dimensions.parallel} devices" if dimensions.parallel > 1 else ""
        raise InterlawError(
            f"expected a budget that some {dimensions.family} of these dimensions spends{devices}, "
            f"found {format_size(budget.amount)} {budget.kind} with a "
            f"vocabulary of {dimensions.vocab_size:,}; raise the budget, or lower vocab_size=, parallel=, head_dim= or "
            f"multiple_of="
        )
    near.sort(key=lambda shape: _miss(shape, budget, interval=interval, tolerance=tolerance))
    sentence = (
        f"no shape of these dimensions meets the budget within {tolerance:.0%} inside the interval: the nearest are "
        f"listed; allow a smaller --multiple-of or --head-dim, or a larger --tolerance"
    )
    return tuple(near[: min(count, 2)]), (sentence,)  # one on either side, at best


def _granularities(dimensions: Dimensions) -> Iterator[tuple[int, Dimensions]]:
    """The dimensions as given, then with finer widths and heads where the user left both open."""
    yield dimensions.step(), dimensions
    if dimensions.multiple_of is None and dimensions.head_dim is None:
        for step in FINER:
            yield step, replace(dimensions, multiple_of=step, head_dim=step)


def _miss(shape: Shape, budget: Budget, *, interval: RatioInterval, tolerance: float) -> float:
    """How far a shape lies outside the interval (in log R) and the tolerance; 0 within both."""
    outside = max(0.0, math.log(interval.low / shape.ratio), math.log(shape.ratio / interval.high))
    return outside + max(0.0, abs(budget.error(shape)) - tolerance)


def _spread(
    shapes: list[Shape], dimensions: Dimensions, *, belief: Belief, delta: float, count: int
) -> tuple[Shape, ...]:
    """The pick, then the best shape of each part of the range of R within delta of it."""

    def price(shape: Shape) -> float:
        return belief.penalty(shape.ratio).value + ROUGHNESS_LOSS * dimensions.roughness(shape)

    pick = min(shapes, key=price)
    most = belief.penalty(pick.ratio).value + delta
    close = [shape for shape in shapes if belief.penalty(shape.ratio).value <= most]
    ratios = np.log([shape.ratio for shape in close])
    edges = np.linspace(ratios.min(), ratios.max(), count + 1)
    parts = np.clip(np.searchsorted(edges, ratios, side="right") - 1, 0, count - 1)
    kept = {}
    for part in range(count):
        inside = [shape for shape, own in zip(close, parts, strict=True) if own == part]
        if inside and pick not in inside:
            kept[part] = min(inside, key=price)
    others = sorted(kept.values(), key=price)[: count - 1]
    return (pick, *sorted(others, key=lambda shape: shape.ratio))
