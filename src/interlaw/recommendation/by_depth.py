"""Shapes of equal budget, one a depth, in the same dimensions as `recommend`; and which depths are worth asking for."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from interlaw.errors import InterlawError
from interlaw.recommendation.belief import believe
from interlaw.recommendation.dimensions import FAR_OFF, WIDEST, Dimensions, equal_budget_shapes
from interlaw.shapes import Budget, Shape
from interlaw.size import format_size

# Depths are offered that are predicted to lose up to this much: the range of a sweep that should show a minimum.
SWEPT_LOSS = 0.03
NUM_DEPTHS = 12  # a judgement: twice the six shapes that a lopsided curve needs; any number from 8 to 16 does


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
        raise InterlawError(
            f"expected a budget that some {dimensions.family} of these dimensions spends, found "
            f"{format_size(budget.amount)} {budget.kind}; raise it, or lower vocab_size, head_dim or multiple_of"
        )
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
        smallest = min(shapes, key=budget.spent, default=None)
        spends = "none" if smallest is None else f"that the narrowest spends {budget.spent(smallest):,}"
        raise InterlawError(
            f"expected a {dimensions.family} of depth {depth} within {format_size(budget.amount)} {budget.kind}, found "
            f"{spends}; raise the budget, or lower the depth, vocab_size, head_dim or multiple_of"
        )
    return min(fitting, key=lambda shape: abs(budget.error(shape)))
