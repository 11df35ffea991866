"""Which of the equal-budget shapes to offer: a pick and others of nearly the same loss; or one a depth, for a sweep."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from interlaw.errors import InterlawError
from interlaw.recommendation.belief import Belief, RatioInterval, believe
from interlaw.recommendation.dimensions import FAR_OFF, MULTIPLE_OF, WIDEST, Dimensions, equal_budget_shapes
from interlaw.shapes import Budget, Shape

# A shape that suits hardware fully is worth this much relative loss: the noise of one seed at such sizes.
ROUGHNESS_LOSS = 0.003
# Small models have no choice among multiples of 64: finer ones are tried in this order.
FINER = (32, 16, 8)
# A shape that misses the budget by more is no answer, not even as the nearest one.
FARTHEST = 0.25
# Depths are offered that are predicted to lose up to this much: the range of a sweep that should show a minimum.
SWEPT_LOSS = 0.03
NUM_DEPTHS = 12  # a judgement: twice the six shapes that a lopsided curve needs; any number from 8 to 16 does


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
    multiples are tried. If still none does, the nearest shapes are offered, with a caveat; none farther off than
    `FARTHEST`. Beside the shapes stands what to say about how they were chosen.
    """
    everything: list[Shape] = []
    for tried in _granularities(dimensions):
        shapes = list(equal_budget_shapes(tried, budget))
        everything += shapes
        fitting = [shape for shape in shapes if _miss(shape, budget, interval=interval, tolerance=tolerance) == 0]
        if fitting:
            finer = (
                f"no shape in multiples of {MULTIPLE_OF} meets the budget inside the interval: these are in "
                f"{tried.step()}s"
            )
            chosen = _spread(fitting, tried, belief=belief, delta=delta, count=count)
            return chosen, (finer,) if tried is not dimensions else ()
    first = {(shape.depth, shape.width): shape for shape in reversed(everything)}
    near = [shape for shape in first.values() if abs(budget.error(shape)) <= FARTHEST]
    if not near:
        raise _unmet(dimensions, budget)
    near.sort(key=lambda shape: _miss(shape, budget, interval=interval, tolerance=tolerance))
    sentence = (
        f"no shape of these dimensions meets the budget within {tolerance:.0%} inside the interval: the nearest are "
        f"listed; allow a smaller --multiple-of or --head-dim, or a larger --tolerance"
    )
    return tuple(near[: min(count, 2)]), (sentence,)  # one on either side, at best


def _unmet(dimensions: Dimensions, budget: Budget) -> InterlawError:
    """The refusal of a budget that no shape comes near."""
    devices = f" over {dimensions.parallel} devices" if dimensions.parallel > 1 else ""
    return InterlawError(
        f"expected a budget that some {dimensions.family} of these dimensions spends{devices}, found "
        f"{budget} with a vocabulary of {dimensions.vocab_size:,}; raise the budget, "
        f"or lower vocab_size=, {'parallel=, ' if devices else ''}head_dim= or multiple_of="
    )


def _granularities(dimensions: Dimensions) -> Iterator[Dimensions]:
    """The dimensions as given, then with finer widths and heads where the user left both open."""
    yield dimensions
    if dimensions.multiple_of is None and dimensions.head_dim is None:
        for step in FINER:
            yield replace(dimensions, multiple_of=step, head_dim=step)


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


def shapes_by_depth(dimensions: Dimensions, budget: Budget, *, depths: Iterable[int], rule: str) -> list[Shape]:
    """One shape a depth: the widest within the budget, or the one that misses it least.

    Args:
        dimensions: Family, vocabulary and what hardware likes.
        budget: The budget to meet.
        depths: Depths, each at least 1.
        rule: `largest` or `nearest`.

    Raises:
        InterlawError: A depth has no width within the budget.
    """
    return [_one(dimensions, budget, depth=depth, rule=rule) for depth in depths]


def depths_around(dimensions: Dimensions, budget: Budget) -> list[int]:
    """About a dozen depths around the likely optimum, as far as the loss is expected to rise by 3%.

    They are depths at which some width meets the budget well.
    """
    shapes = [shape for shape in equal_budget_shapes(dimensions, budget) if abs(budget.error(shape)) < FAR_OFF]
    if not shapes:
        raise _unmet(dimensions, budget)
    size = float(np.median([shape.params for shape in shapes]))
    near = believe(size).within(SWEPT_LOSS)
    inside = [shape for shape in shapes if near.position(shape.ratio) == "inside"]
    # a depth whose nearest width overspends is one too many for that width
    meeting = sorted({max(1, shape.depth - (budget.error(shape) > 0)) for shape in inside or shapes})
    wanted = np.geomspace(meeting[0], meeting[-1], NUM_DEPTHS)
    return sorted({min(meeting, key=lambda depth: abs(np.log(depth / one))) for one in wanted})


def _one(dimensions: Dimensions, budget: Budget, *, depth: int, rule: str) -> Shape:
    """Widths from narrow to wide until one spends half as much again."""
    shapes: list[Shape] = []
    for width in range(dimensions.step(), WIDEST + 1, dimensions.step()):
        shape = dimensions.spending(width, depth, budget=budget)
        if shape is not None:
            shapes.append(shape)
            if budget.error(shape) > FAR_OFF:
                break
    fitting = [shape for shape in shapes if rule == "nearest" or budget.error(shape) <= 0]
    if not fitting:
        spends = f"that the narrowest spends {budget.spent(shapes[0]):,}" if shapes else "none"
        raise InterlawError(
            f"expected a {dimensions.family} of depth {depth} within {budget}, found "
            f"{spends}; raise the budget, or lower the depth, vocab_size, head_dim or multiple_of"
        )
    return min(fitting, key=lambda shape: abs(budget.error(shape)))
