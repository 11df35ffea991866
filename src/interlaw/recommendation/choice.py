"""Which of the equal-budget shapes to offer: inside the interval, spread over it, kind to hardware."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from interlaw.errors import InterlawError
from interlaw.recommendation.dimensions import MULTIPLE_OF, Dimensions, equal_budget_shapes
from interlaw.recommendation.interval import RatioInterval
from interlaw.shapes import Budget, Shape, format_size

# Against the distance from the interval's centre: the roughest shape counts as half the interval's width off.
ROUGHNESS_WEIGHT = 0.5
# Small models have no choice among multiples of 64: finer ones are tried in this order.
FINER = (32, 16, 8)
# A shape that misses the budget by more is no answer, not even as the nearest one.
FARTHEST = 0.25


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The shapes to offer, and what to say about how they were found."""

    shapes: tuple[Shape, ...]
    caveats: tuple[str, ...] = ()


def choose_shapes(
    dimensions: Dimensions, budget: Budget, interval: RatioInterval, *, tolerance: float, count: int
) -> Choice:
    """Shapes spread over the interval, those near its centre that suit hardware first.

    Where the user left head_dim and multiple_of open and no multiple of 64 meets the budget inside the interval, finer
    multiples are tried. If still none does, the nearest shapes are offered, with a caveat.

    Args:
        dimensions: Family, vocabulary and what hardware likes.
        budget: The budget to meet.
        interval: Ratios to choose from.
        tolerance: Largest relative miss of the budget.
        count: How many to offer at most.

    Raises:
        InterlawError: When nothing comes within a quarter of the budget: the vocabulary takes it.
    """
    everything: list[Shape] = []
    for step, tried in _granularities(dimensions):
        shapes = list(equal_budget_shapes(tried, budget))
        everything += shapes
        fitting = [shape for shape in shapes if _miss(shape, budget, interval, tolerance=tolerance) == 0]
        if fitting:
            coarse = (
                f"no shape in multiples of {MULTIPLE_OF} meets the budget inside the interval: these are in {step}s"
            )
            chosen = _spread(fitting, tried, interval, count=count)
            return Choice(shapes=chosen, caveats=(coarse,) if tried is not dimensions else ())
    near = [shape for shape in everything if abs(budget.error(shape)) <= FARTHEST]
    if not near:
        raise InterlawError(
            f"expected a budget that some {dimensions.family} of these dimensions spends, "
            f"found {format_size(budget.amount)} {budget.kind} with a "
            f"vocabulary of {dimensions.vocab_size:,}; raise the budget, or lower vocab_size, head_dim or multiple_of"
        )
    near.sort(key=lambda shape: _miss(shape, budget, interval, tolerance=tolerance))
    sentence = (
        f"no shape of these dimensions meets the budget within {tolerance:.0%} inside the interval: the nearest are "
        f"listed; allow a smaller multiple_of or head_dim, or a larger tolerance"
    )
    return Choice(shapes=tuple(near[: min(count, 2)]), caveats=(sentence,))


def _granularities(dimensions: Dimensions) -> Iterator[tuple[int, Dimensions]]:
    """The dimensions as given, then with finer widths and heads where the user left both open."""
    yield dimensions.step(), dimensions
    if dimensions.multiple_of is None and dimensions.head_dim is None:
        for step in FINER:
            yield step, replace(dimensions, multiple_of=step, head_dim=step)


def _miss(shape: Shape, budget: Budget, interval: RatioInterval, *, tolerance: float) -> float:
    """How far a shape lies outside the interval (in log R) and the tolerance; 0 within both."""
    outside = max(0.0, math.log(interval.low / shape.ratio), math.log(shape.ratio / interval.high))
    return outside + max(0.0, abs(budget.error(shape)) - tolerance)


def _spread(shapes: list[Shape], dimensions: Dimensions, interval: RatioInterval, *, count: int) -> tuple[Shape, ...]:
    """The best shapes of different ratio: each at least a part of the interval away from those before it."""
    width = math.log(interval.high / interval.low)

    def cost(shape: Shape) -> float:
        from_centre = abs(math.log(shape.ratio / interval.centre)) / width
        return from_centre + ROUGHNESS_WEIGHT * dimensions.roughness(shape)

    chosen: list[Shape] = []
    for shape in sorted(shapes, key=cost):
        if all(abs(math.log(shape.ratio / other.ratio)) >= width / (2 * count) for other in chosen):
            chosen.append(shape)
    return tuple(chosen[:count])
